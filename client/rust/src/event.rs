//! What a subscription tells its user.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use poke_proto::{Data, DataError};
use tonic::Code;

use crate::{Error, Interest, Position};

/// One event of a [`Subscription`](crate::Subscription).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A poke.
    Poke(Poke),
    /// Something was lost: reload the interest's state.
    Gap(Gap),
    /// There is no more of an interest. The client doesn't ask for it again.
    Ended(Ended),
    /// The server refuses an interest, or no longer serves it. The others go on.
    Rejected(Rejected),
    /// An interest is live, after it was added or after the connection was lost.
    Live(Live),
    /// A stream is open. It comes before the `Live` of each interest; also after a planned move to another stream.
    Connected(Connected),
    /// The connection is lost. The client tries again by itself, and nothing has to be done.
    Reconnecting(Reconnecting),
}

impl Event {
    /// The interest that it is about; `None` for the connection.
    #[must_use]
    pub fn interest(&self) -> Option<&Interest> {
        match self {
            Self::Poke(Poke { interest, .. })
            | Self::Gap(Gap { interest, .. })
            | Self::Ended(Ended { interest, .. })
            | Self::Rejected(Rejected { interest, .. })
            | Self::Live(Live { interest, .. }) => Some(interest),
            Self::Connected(_) | Self::Reconnecting(_) => None,
        }
    }

    /// What may be saved once it is handled. The start of an interest that has lost something comes before its gap, and
    /// doesn't count.
    pub(crate) fn saves(&self) -> Option<(&Interest, &Position)> {
        match self {
            Self::Poke(Poke { interest, position, .. })
            | Self::Gap(Gap { interest, position, .. })
            | Self::Ended(Ended { interest, position, .. }) => Some((interest, position)),
            Self::Live(live) if live.outcome != Outcome::Gap => Some((&live.interest, &live.position)),
            _ => None,
        }
    }
}

/// The signal.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Poke {
    /// What it belongs to.
    pub interest: Interest,
    /// What the publisher said. `None` is JavaScript's undefined; JSON null is a value.
    pub data: Option<Data>,
    /// Where it stands in the log.
    pub position: Position,
    /// When the server accepted it, by the server's clock. For people; order comes from `position`.
    pub publish_time: SystemTime,
}

impl Poke {
    /// The data as JSON; `None` when there is none. Whole numbers below 2^53 come out as integers.
    ///
    /// # Errors
    /// When the bytes aren't a `google.protobuf.Value` that has a JSON form. No server lets such data pass.
    pub fn json(&self) -> Result<Option<serde_json::Value>, DataError> {
        self.data.as_ref().map(Data::to_value).transpose()
    }

    /// The data when it is a string.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self.json() {
            Ok(Some(serde_json::Value::String(text))) => Some(text),
            _ => None,
        }
    }
}

/// Everything of an interest up to and including `position` that has not been delivered is lost. Reload the interest's
/// state; everything after `position` follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// What has lost something. A gap of all interests comes as one event for each.
    pub interest: Interest,
    /// Why.
    pub reason: GapReason,
    /// Up to where.
    pub position: Position,
    /// How many pokes the stream missed; with [`GapReason::Lagged`] only.
    pub missed_count: Option<i64>,
    /// Wait for this long before the reload. It is drawn at random from the server's `reload_spread`, so that a million
    /// clients don't call the app's back end in one instant.
    pub reload_after: Duration,
}

/// Why something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// A reason that this client doesn't know.
    Unknown,
    /// The position is not of the history that the server holds, for example after a restart.
    EpochChanged,
    /// The position is older than what the server retains.
    Evicted,
    /// This client read too slowly.
    Lagged,
    /// The servers lost touch with each other for a while.
    Backplane,
    /// This client could not read a message of the server, and started afresh after it.
    Undecodable,
}

/// There is no more of an interest.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ended {
    /// What has ended.
    pub interest: Interest,
    /// Where: every poke of the interest came before it.
    pub position: Position,
    /// The publisher's last word.
    pub data: Option<Data>,
}

/// The server refuses an interest, or no longer serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// What is refused.
    pub interest: Interest,
    /// What kind of refusal.
    pub code: Code,
    /// The exact cause in UPPER_SNAKE, from the table of errors in poke.proto.
    pub reason: String,
    /// The same for people.
    pub message: String,
    /// True: the client gives the interest up. False: it asks again by itself.
    pub is_final: bool,
    pub(crate) handled: Handled,
}

/// Whether the program deals with a rejection. All clones of an event share it, and it doesn't count in comparisons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handled(Arc<AtomicBool>);

impl PartialEq for Handled {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Handled {}

impl Rejected {
    /// Says that the program deals with this rejection. Otherwise a final one is the error with which the subscription
    /// ends once no interest is left, so that it can't be overlooked.
    pub fn mark_handled(&self) {
        // No other memory depends on it.
        self.handled.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_handled(&self) -> bool {
        self.handled.0.load(Ordering::Relaxed)
    }

    /// The client's own: a stream has no room for the interest.
    pub(crate) fn over_limit(interest: Interest, limit: usize) -> Self {
        Self {
            interest,
            code: Code::InvalidArgument,
            reason: TOO_MANY_INTERESTS.to_owned(),
            message: format!("over the limit of {limit} interests of a stream; it is asked for when there is room"),
            is_final: false,
            handled: Handled::default(),
        }
    }
}

/// The reason of a refusal because of the number of interests, from the table of errors in poke.proto.
pub(crate) const TOO_MANY_INTERESTS: &str = "TOO_MANY_INTERESTS";

/// An interest is live.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Live {
    /// What is live.
    pub interest: Interest,
    /// Everything after it follows.
    pub position: Position,
    /// How it starts.
    pub outcome: Outcome,
}

/// How an interest starts on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// At the head of the log, or just before the newest retained poke if that was asked for.
    Fresh,
    /// After the position that was asked for: nothing is missing.
    Recovered,
    /// It can't go on from there; a [`Gap`] follows.
    Gap,
}

/// A stream is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected {
    /// Names the stream in the server's log.
    pub stream_id: String,
    /// What the server accepts.
    pub limits: Limits,
    /// How long the server stays silent at most.
    pub heartbeat_interval: Duration,
}

/// What a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Interests of one subscription.
    pub max_interests: usize,
    /// Bytes of a poke: domain, filter and data in protobuf's encoding.
    pub max_poke_bytes: usize,
    /// Arrays and objects nested in data.
    pub max_data_depth: usize,
    /// For how long pokes, idempotency keys and ends are kept.
    pub retention_window: Duration,
}

/// The connection is lost.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reconnecting {
    /// What ended the stream.
    pub cause: Error,
    /// How long until the next attempt.
    pub delay: Duration,
}
