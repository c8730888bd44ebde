//! What a stream shares with the clock.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use crate::topic::Signal;

/// The connection of a stream, as its streams see it.
pub trait Link: Send + Sync {
    /// Asks for GOAWAY (NO_ERROR); its streams go on. Returns at once.
    fn retire(&self);

    /// Whether GOAWAY has been handed to the connection.
    fn is_retired(&self) -> bool;

    /// Drops the connection with all its streams.
    fn close(&self);

    /// The count of its streams.
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

/// The shared part of a stream. Times are milliseconds on the clock of [`super::Streams`].
pub(super) struct Entry {
    pub(super) signal: Arc<Signal>,
    link: Option<Arc<dyn Link>>,
    /// When the stream wants to be polled.
    due: AtomicU64,
    /// The connection has taken a chunk and will come for the next one.
    owed: AtomicBool,
    /// Since when a poll is awaited, as the clock saw it; 0 when none is.
    awaited_since: AtomicU64,
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
            owed: AtomicBool::new(true),
            awaited_since: AtomicU64::new(0),
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

    /// Notes that the stream was polled: whether it gave a chunk, and when it wants to be polled at the latest.
    pub(super) fn polled(&self, gave: bool, due: u64) {
        self.due.store(due, Relaxed);
        self.owed.store(gave, Relaxed);
        self.awaited_since.store(0, Relaxed);
    }

    /// The clock's look at a stream. Says whether it has just been found to be stalled.
    pub(super) fn tick(&self, now: u64, stall_timeout: u64) -> bool {
        if self.due.load(Relaxed) <= now {
            self.signal.raise(self.alarm());
        }
        if self.is_stalled() {
            // A client that reads again in time still sees why its stream has ended.
            if now.saturating_sub(self.stalled_at.load(Relaxed)) >= stall_timeout {
                self.close_if_all_stalled();
            }
            return false;
        }
        if !self.owed.load(Relaxed) && !self.signal.is_raised() {
            return false;
        }
        match self.awaited_since.load(Relaxed) {
            0 => self.awaited_since.store(now.max(1), Relaxed),
            since if now.saturating_sub(since) >= stall_timeout => return self.stall(now),
            _ => {}
        }
        false
    }

    fn stall(&self, now: u64) -> bool {
        self.stalled_at.store(now, Relaxed);
        if let Some(link) = &self.link {
            link.tally().stalled.fetch_add(1, Relaxed);
        }
        self.signal.raise(self.alarm());
        true
    }

    /// A connection on which nobody reads anything is of no use: its status will never arrive.
    fn close_if_all_stalled(&self) {
        if let Some(link) = &self.link
            && link.tally().stalled.load(Relaxed) >= link.tally().open.load(Relaxed)
        {
            link.close();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.tally().open.fetch_sub(1, Relaxed);
            if self.is_stalled() {
                link.tally().stalled.fetch_sub(1, Relaxed);
            }
        }
    }
}
