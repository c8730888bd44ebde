//! What a stream shares with the clock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use crate::topic::Signal;

/// What carries a stream: its exchange on a connection.
pub trait Link: Send + Sync {
    /// Asks the connection for GOAWAY (NO_ERROR); its streams go on. Returns at once.
    fn retire(&self);

    /// Whether GOAWAY has been handed to the connection.
    fn is_retired(&self) -> bool;

    /// Drops this stream alone: the client sees RST_STREAM (CANCEL), or on HTTP/1.1 the end of the connection.
    fn reset(&self);

    /// Drops the connection with all its streams.
    fn close(&self);

    /// The count of the connection's streams.
    fn tally(&self) -> &Tally;
}

/// How many streams a connection carries, and how many of them nobody reads.
#[derive(Debug, Default)]
pub struct Tally {
    open: AtomicUsize,
    stalled: AtomicUsize,
}

impl Tally {
    /// How many streams it carries.
    pub(super) fn open(&self) -> usize {
        self.open.load(Relaxed)
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
    /// When the stream wants to be polled.
    due: AtomicU64,
    /// Chunks that the connection has and hasn't written.
    in_transit: AtomicUsize,
    /// Something has been written, or nothing had to be, since the clock looked.
    moved: AtomicBool,
    /// Since when nothing moves that should, as the clock saw it; 0 when all is well.
    stuck_since: AtomicU64,
    /// When it was given up since nobody reads it; 0 if it wasn't.
    stalled_at: AtomicU64,
}

impl Entry {
    pub(super) fn new(signal: Arc<Signal>, link: Option<Arc<dyn Link>>) -> Self {
        if let Some(link) = &link {
            link.tally().open.fetch_add(1, Relaxed);
        }
        Self {
            signal,
            link,
            due: AtomicU64::new(0),
            in_transit: AtomicUsize::new(0),
            moved: AtomicBool::new(false),
            stuck_since: AtomicU64::new(0),
            stalled_at: AtomicU64::new(0),
        }
    }

    /// The bit that the clock raises, after those of the interests.
    pub(super) fn alarm(&self) -> usize {
        self.signal.words() * 64 - 1
    }

    pub(super) fn link(&self) -> Option<&dyn Link> {
        self.link.as_deref()
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled_at.load(Relaxed) != 0
    }

    /// Notes that the stream was polled, and when it wants to be polled again at the latest.
    pub(super) fn polled(&self, due: u64) {
        self.due.store(due, Relaxed);
        if self.in_transit.load(Relaxed) == 0 {
            self.moved.store(true, Relaxed);
        }
    }

    /// A chunk goes to the connection.
    pub(super) fn departs(&self) {
        self.in_transit.fetch_add(1, Relaxed);
    }

    /// The connection has written a part of a chunk.
    pub(super) fn moves(&self) {
        self.moved.store(true, Relaxed);
    }

    /// The connection has written a chunk, or has been given up.
    pub(super) fn arrives(&self) {
        self.moved.store(true, Relaxed);
        self.in_transit.fetch_sub(1, Relaxed);
    }

    /// The clock's look at a stream.
    pub(super) fn tick(&self, now: u64, stall_timeout: u64) -> Look {
        if self.due.load(Relaxed) <= now {
            self.signal.raise(self.alarm());
        }
        if self.is_stalled() {
            // A client that reads again in time still sees why its stream has ended.
            if now.saturating_sub(self.stalled_at.load(Relaxed)) >= stall_timeout {
                self.let_go();
            }
            return Look::Known;
        }
        // HTTP/1.1 copies chunks, and stops polling when it has enough of them.
        let waits = self.in_transit.load(Relaxed) > 0 || self.signal.is_raised();
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
        let Some(link) = &self.link else { return };
        if link.tally().stalled.load(Relaxed) >= link.tally().open.load(Relaxed) {
            link.close();
        } else {
            link.reset();
        }
    }

    /// The stream is gone, though chunks of it may still be on their way.
    pub(super) fn leave(&self) {
        if let Some(link) = &self.link {
            link.tally().open.fetch_sub(1, Relaxed);
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
