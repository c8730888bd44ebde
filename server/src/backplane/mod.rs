//! What orders and keeps pokes, behind one contract: [`Memory`] within this process, and whatever joins many nodes.
//!
//! A backplane feeds topics of a [`Registry`](crate::registry::Registry), and subscribers read those: replay and live
//! are one ring, so there is no seam between them to lose a poke in. The contract:
//!
//! 1. Pokes of an interest come in strictly rising sequence.
//! 2. Each loss is an entry of the ring, before whatever follows it.
//! 3. From `attach` on, everything after the place that it answers is read from the cursor.
//! 4. A checkpoint passes nothing that the cursors haven't read.
//! 5. `attach` fails rather than answer from a stale copy.

mod memory;

use std::{borrow::Cow, future::Future, sync::Arc, time::Duration};

use poke_proto::Data;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

pub use self::memory::Memory;
pub use crate::registry::PublishId;
use crate::{
    domain::Domain,
    error::{Error, Kind},
    frame::Draft,
    interest::{Interest, Recipients},
    registry::{Cursor, Place, TooFast, Watcher},
};

/// A place in a history. See `poke.v1.Position`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Names the history.
    pub epoch: Arc<str>,
    /// Rises within it.
    pub sequence: i64,
}

impl From<Position> for poke_proto::v1::Position {
    fn from(position: Position) -> Self {
        Self { epoch: position.epoch.as_ref().to_owned(), sequence: position.sequence }
    }
}

/// Where a subscriber wants to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    New,
    /// With the newest retained poke.
    Latest,
    /// After a position, which may be of any history or of none.
    After {
        /// As the client sent it.
        epoch: String,
        /// As the client sent it.
        sequence: i64,
    },
}

/// A poke to be accepted.
#[derive(Debug)]
pub struct Publication {
    /// Whom it concerns.
    pub interest: Interest,
    /// The interest's domain.
    pub domain: Arc<Domain>,
    /// Who sends it, by a name that stays the same.
    pub publisher: Cow<'static, str>,
    /// What goes out.
    pub draft: Draft,
    /// Makes it happen once.
    pub id: Option<PublishId>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}

/// An accepted poke.
#[derive(Clone, Debug)]
pub struct Ack {
    /// Its place, or the first one's.
    pub position: Position,
    /// It had been accepted before.
    pub duplicate: bool,
    /// How many streams of this node hold the interest.
    pub local_receivers: usize,
}

/// An end to be accepted.
#[derive(Debug)]
pub struct Ending {
    /// What ends.
    pub interest: Interest,
    /// The interest's domain.
    pub domain: Arc<Domain>,
    /// Who says so, by a name that stays the same.
    pub publisher: Cow<'static, str>,
    /// The last word.
    pub data: Option<Data>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}

/// Why nothing was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The interest has ended.
    #[error("the interest has ended")]
    Ended,
    /// The key stands for other content.
    #[error("the idempotency key has been used for other content")]
    Conflict,
    /// There is no room for another end until an older one's time is over.
    #[error("there is no room for another end")]
    Full,
    /// Too much was published in too short a time.
    #[error(transparent)]
    TooFast(#[from] TooFast),
    /// It can't be stored now. When `maybe_stored`, it may have been all the same.
    #[error("nothing can be stored now")]
    Unavailable {
        /// Whether the outcome is unknown.
        maybe_stored: bool,
    },
}

/// When to ask again after an outage, which is over when it is over.
const RECOVERY: Duration = Duration::from_secs(1);

/// When to ask again for room. It comes as ends expire, over the window: minutes by default.
const ROOM: Duration = Duration::from_secs(30);

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Ended => Kind::InterestEnded,
            Refusal::Conflict => Kind::IdempotencyKeyReused,
            Refusal::Full => Kind::BackplaneUnavailable { retry: ROOM },
            Refusal::TooFast(TooFast { whose, limit, wait }) => Kind::RateLimited { whose, limit, wait },
            Refusal::Unavailable { .. } => Kind::BackplaneUnavailable { retry: RECOVERY },
        };
        Self::from(kind)
    }
}

/// A subscriber that is registered.
#[derive(Debug)]
pub struct Attached {
    /// Reads what follows; dropping it is the way out.
    pub cursor: Cursor,
    /// Where it starts.
    pub place: Place,
}

/// See the module's contract.
pub trait Backplane: Send + Sync + 'static {
    /// Orders and keeps a poke.
    fn publish(&self, publication: Publication) -> impl Future<Output = Result<Ack, Refusal>> + Send;

    /// Ends an interest. Once it has answered, no node accepts a poke for it.
    fn end(&self, ending: Ending) -> impl Future<Output = Result<Position, Refusal>> + Send;

    /// Registers a subscriber. Its replay takes from `budget` bytes.
    fn attach(
        &self,
        interest: &Interest,
        start: Start,
        watcher: &Watcher,
        budget: &mut usize,
    ) -> impl Future<Output = Result<Attached, Refusal>> + Send;

    /// Up to where everything of these cursors' interests has been read.
    fn checkpoint<'a>(&self, cursors: impl Iterator<Item = &'a Cursor>) -> Option<Position>;

    /// The history that new positions belong to.
    fn epoch(&self) -> &Arc<str>;

    /// Whether pokes can be accepted now.
    fn is_healthy(&self) -> bool;
}

/// Identifies a publish, for the one that comes again.
#[must_use]
pub fn publish_id(publisher: &str, interest: &Interest, key: &str, draft: &Draft) -> PublishId {
    let customer = match interest.recipients() {
        Recipients::Everyone => "",
        Recipients::Customer(id) => id,
    };
    let mut hash = Sha256::new();
    for part in [publisher, customer, interest.domain(), interest.filter(), key] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    PublishId { key: truncate(&hash.finalize()), content: truncate(&Sha256::digest(draft.content())) }
}

/// 128 bits are enough that no two keys meet by chance.
fn truncate(digest: &[u8]) -> [u8; 16] {
    digest.first_chunk().copied().expect("a SHA-256 digest has 32 bytes")
}
