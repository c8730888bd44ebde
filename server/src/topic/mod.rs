//! A topic: what one interest retains, and who is woken when more comes.
//!
//! It is a broadcast channel whose ring grows lazily and is bounded by count, bytes and age. A subscriber is a place in
//! the ring and nothing else: however slow it is, it costs no memory here, and what it misses is counted.

mod log;
mod watch;

pub use self::{
    log::{Entry, Item, Loss, Place, Retention, Start},
    watch::{Signal, Watcher},
};
pub(crate) use self::{
    log::{Freed, Log, Mark},
    watch::Watchers,
};
use crate::{
    interest::Interest,
    sync::{Arc, Mutex},
};

/// One interest's topic.
///
/// The two locks are apart so that readers never wait for a publisher that wakes thousands of them. A publisher appends
/// under `log` and wakes under `watchers` afterwards; a subscriber registers in `watchers` first and takes its place
/// under `log` afterwards. So whatever is appended after a place was taken wakes its subscriber. Where both are held,
/// `log` comes first.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) interest: Interest,
    pub(crate) log: Mutex<Log>,
    pub(crate) watchers: Mutex<Watchers>,
}

impl Topic {
    /// An empty topic. Everything up to and including `floor` counts as forgotten.
    pub(crate) fn new(interest: Interest, floor: i64) -> Self {
        Self { interest, log: Mutex::new(Log::new(floor)), watchers: Mutex::new(Watchers::default()) }
    }

    /// Whether nobody would notice if it weren't here, apart from its floor.
    pub(crate) fn is_idle(&self) -> bool {
        self.log.lock().is_empty() && self.watchers.lock().is_empty()
    }
}

/// The waking of a topic's subscribers, a few at a time. Whoever waits for it may give others a turn between two steps;
/// dropping it wakes all that are left, since nothing else will.
#[derive(Debug)]
#[must_use = "dropping it wakes all at once"]
pub struct Waking {
    topic: Arc<Topic>,
    left: usize,
}

impl Waking {
    /// Wakes the first few of those who watch now. Answers how many these are, too.
    pub(crate) fn start(topic: Arc<Topic>) -> (usize, Self) {
        let watchers = topic.watchers.lock();
        let all = watchers.len();
        let mut left = all;
        watchers.wake(&mut left);
        drop(watchers);
        (all, Self { topic, left })
    }

    /// There is nobody to wake.
    pub(crate) fn nobody(topic: Arc<Topic>) -> Self {
        Self { topic, left: 0 }
    }

    /// Wakes a few more. Says whether any are left.
    pub fn step(&mut self) -> bool {
        if self.left > 0 {
            self.topic.watchers.lock().wake(&mut self.left);
        }
        self.left > 0
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        while self.step() {}
    }
}
