//! What a stream shares with the clock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
        },
    },
};

use crate::{
    auth::{Caller, PeerIdentity},
    limits::Source,
    topic::Signal,
};

/// The connection of a stream, as its streams see it.
pub trait Link: Send + Sync {
    /// Asks for GOAWAY (NO_ERROR); its streams go on. Returns at once.
    fn retire(&self);

    /// Whether GOAWAY has been handed to the connection.
    fn is_retired(&self) -> bool;

    /// Drops the connection with all its streams.
    fn close(&self);

    /// With whom its streams share a bound.
    fn source(&self) -> Option<Source> {
        None
    }

    /// The count of its streams.
    fn tally(&self) -> &Tally;

    /// Tells the connection that [`Tally::moving`] has changed. Returns at once.
    fn moving_changed(&self) {}

    /// Who its client is by a certificate.
    fn identity(&self) -> Option<&Arc<PeerIdentity>>;
}

/// Counts of a connection's streams.
#[derive(Debug, Default)]
pub struct Tally {
    open: AtomicUsize,
    stalled: AtomicUsize,
    moving: AtomicUsize,
}

impl Tally {
    /// Returns the number of open streams whose clients were asked to move. Their successors may come on the same
    /// connection, and must not be refused.
    #[must_use]
    pub fn moving(&self) -> usize {
        self.moving.load(Acquire)
    }

    /// Sets the number of moving streams, for tests of connections without streams.
    #[cfg(test)]
    pub(crate) fn set_moving(&self, count: usize) {
        self.moving.store(count, SeqCst);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("in_transit", &self.in_transit).finish_non_exhaustive()
    }
}

/// The shared part of a stream. Times are milliseconds on the clock of [`super::Streams`].
pub(crate) struct Entry {
    pub(super) signal: Arc<Signal>,
    link: Option<Arc<dyn Link>>,
    /// When the stream is polled at the latest. What it has sent since may have put that off.
    due: AtomicU64,
    /// The connection has a chunk that it hasn't taken: see [`super::Chunk`].
    in_transit: AtomicBool,
    /// The stream has more, and waits for that chunk.
    waits: AtomicBool,
    /// Something has been written, or nothing had to be, since the clock looked.
    moved: AtomicBool,
    /// Since when nothing moves that should, as the clock saw it; 0 when all is well.
    stuck_since: AtomicU64,
    /// When it was given up since nobody reads it; 0 if it wasn't.
    stalled_at: AtomicU64,
    /// Nobody has read why, either: it goes without a status.
    abandoned: AtomicBool,
    /// The client was asked to move.
    is_moving: AtomicBool,
    /// The subscriber.
    pub(super) caller: Caller,
}

impl Entry {
    pub(super) fn new(signal: Arc<Signal>, link: Option<Arc<dyn Link>>, caller: Caller) -> Self {
        if let Some(link) = &link {
            link.tally().open.fetch_add(1, Relaxed);
        }
        Self {
            signal,
            link,
            due: AtomicU64::new(0),
            in_transit: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            moved: AtomicBool::new(false),
            stuck_since: AtomicU64::new(0),
            stalled_at: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
            is_moving: AtomicBool::new(false),
            caller,
        }
    }

    /// The bit that the clock raises, after those of the interests.
    pub(super) fn alarm(&self) -> usize {
        self.signal.words() * 64 - 1
    }

    /// Has the stream look at its times.
    pub(super) fn raise_alarm(&self) {
        self.signal.raise(self.alarm());
    }

    /// Whether the clock has raised that bit. Lowers it.
    pub(super) fn take_alarm(&self) -> bool {
        self.signal.take(self.signal.words() - 1, 1 << 63) != 0
    }

    pub(super) fn link(&self) -> Option<&dyn Link> {
        self.link.as_deref()
    }

    /// Counts the stream among those of its connection that were asked to move. A second call changes nothing.
    pub(super) fn begin_move(&self) {
        if let Some(link) = &self.link
            && !self.is_moving.swap(true, Relaxed)
        {
            link.tally().moving.fetch_add(1, AcqRel);
            link.moving_changed();
        }
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled_at.load(Relaxed) != 0
    }

    /// Notes when the stream wants to be polled at the latest.
    pub(super) fn set_due(&self, due: u64) {
        self.due.store(due, Relaxed);
    }

    /// Notes that the stream was polled.
    pub(super) fn polled(&self) {
        if !self.in_transit.load(Relaxed) {
            self.moved.store(true, Relaxed);
        }
    }

    /// Whether the next chunk has to wait for the last one. If there is something to say, the stream is woken then; its
    /// waker must be registered before this call. A connection takes whatever it is given, and keeps it where nobody can
    /// take it back from.
    pub(super) fn must_wait(&self, has_more: bool) -> bool {
        if !self.in_transit.load(Acquire) {
            return false;
        }
        if has_more || self.signal.is_raised() {
            self.waits.store(true, SeqCst);
            return self.in_transit.load(SeqCst);
        }
        true
    }

    /// A chunk goes to the connection.
    pub(super) fn departs(&self) {
        self.in_transit.store(true, Relaxed);
    }

    /// The connection has written a part of a chunk.
    pub(super) fn moves(&self) {
        self.moved.store(true, Relaxed);
    }

    /// The connection has taken a chunk, or has been given up.
    pub(super) fn arrives(&self) {
        self.moved.store(true, Relaxed);
        self.in_transit.store(false, SeqCst);
        if self.waits.swap(false, SeqCst) {
            self.signal.wake();
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed)
    }

    /// The clock's look at a stream.
    pub(super) fn tick(&self, now: u64, stall_timeout: u64) -> Look {
        if self.due.load(Relaxed) <= now {
            self.raise_alarm();
        }
        if self.is_stalled() {
            // A client that reads again in time still sees why its stream has ended.
            if now.saturating_sub(self.stalled_at.load(Relaxed)) >= stall_timeout {
                self.let_go();
            }
            return Look::Known;
        }
        // HTTP/1.1 copies chunks, and stops polling when it has enough of them.
        let waits = self.in_transit.load(Relaxed) || self.signal.is_raised();
        if self.moved.swap(false, Relaxed) || !waits {
            self.stuck_since.store(0, Relaxed);
            return Look::Known;
        }
        match self.stuck_since.load(Relaxed) {
            0 => self.stuck_since.store(now.max(1), Relaxed),
            since if now.saturating_sub(since) >= stall_timeout => {
                self.stall(now);
                return Look::Stalled;
            }
            _ => {}
        }
        Look::Known
    }

    fn stall(&self, now: u64) {
        self.stalled_at.store(now, Relaxed);
        if let Some(link) = &self.link {
            link.tally().stalled.fetch_add(1, Relaxed);
        }
        self.signal.raise(self.alarm());
    }

    /// The status can't be delivered: the stream goes without, or its connection if nobody reads anything on it.
    fn let_go(&self) {
        match &self.link {
            Some(link) if link.tally().stalled.load(Relaxed) >= link.tally().open.load(Relaxed) => link.close(),
            _ => {
                self.abandoned.store(true, Relaxed);
                self.signal.wake();
            }
        }
    }

    /// The stream is gone, though chunks of it may still be on their way.
    pub(super) fn leave(&self) {
        if let Some(link) = &self.link {
            link.tally().open.fetch_sub(1, Relaxed);
            if self.is_moving.load(Relaxed) {
                link.tally().moving.fetch_sub(1, AcqRel);
                link.moving_changed();
            }
            if self.is_stalled() {
                link.tally().stalled.fetch_sub(1, Relaxed);
            }
        }
    }
}

/// What the clock found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing new.
    Known,
    /// Nobody has read what was sent for too long.
    Stalled,
}
