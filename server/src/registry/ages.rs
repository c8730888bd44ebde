//! Letting go: what has been retained for the window, and the oldest when memory runs short.

use std::{
    cmp::{Ordering as Order, Reverse},
    collections::BinaryHeap,
};

use tokio::time::Instant;

use super::Registry;
use crate::{
    sync::{Arc, Ordering},
    topic::Topic,
};

/// Less than a millisecond of work.
const SWEPT_AT_ONCE: usize = 1024;

/// The topics that retain something, the one with the oldest first.
///
/// A topic stands here once. Its age is the one that it had when it was put here, so it can have grown younger since,
/// but never older: whoever takes it out looks again.
#[derive(Debug, Default)]
pub(super) struct Ages(BinaryHeap<Reverse<Aged>>);

#[derive(Debug)]
struct Aged {
    oldest: Instant,
    topic: Arc<Topic>,
}

impl PartialEq for Aged {
    fn eq(&self, other: &Self) -> bool {
        self.oldest == other.oldest
    }
}

impl Eq for Aged {}

impl PartialOrd for Aged {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Aged {
    fn cmp(&self, other: &Self) -> Order {
        self.oldest.cmp(&other.oldest)
    }
}

impl Ages {
    pub(super) fn push(&mut self, oldest: Instant, topic: Arc<Topic>) {
        self.0.push(Reverse(Aged { oldest, topic }));
    }

    fn pop(&mut self) -> Option<Aged> {
        let Reverse(aged) = self.0.pop()?;
        // What a busy hour needed isn't kept for good.
        let (len, capacity) = (self.0.len(), self.0.capacity());
        if capacity > 1024 && len < capacity / 8 {
            self.0.shrink_to(len * 2);
        }
        Some(aged)
    }

    /// Takes out a topic that may retain something from before `horizon`.
    fn pop_older(&mut self, horizon: Instant) -> Option<Arc<Topic>> {
        self.0.peek().filter(|Reverse(aged)| aged.oldest <= horizon)?;
        self.pop().map(|aged| aged.topic)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl Registry {
    /// Lets go what of the next few topics has been here for the window. Says whether there may be more. To be called
    /// every second or so, until there isn't.
    pub fn sweep(&self, now: Instant) -> bool {
        let Some(horizon) = now.checked_sub(self.settings.window) else { return false };
        for _ in 0..SWEPT_AT_ONCE {
            let Some(topic) = self.ages.lock().pop_older(horizon) else { return false };
            self.expire(&mut topic.log.lock(), now);
            self.put_back(topic);
        }
        true
    }

    /// Makes room under the budget: the oldest pokes go first, those of topics that nobody watches before the others.
    pub(super) fn reclaim(&self) {
        // One at a time: a second publisher that finds the budget exceeded leaves it to the first.
        let Some(_only) = self.reclaiming.try_lock() else { return };
        // A little more than needed, so that the next publishes needn't do it again.
        let target = self.settings.budget - self.settings.budget / 16;
        let exceeded = || self.stats.retained_bytes.load(Ordering::Relaxed) > target;
        let (mut watched, mut spared) = (Ages::default(), Vec::new());
        while exceeded() {
            let Some(Aged { oldest, topic }) = self.ages.lock().pop() else { break };
            if !topic.watchers.lock().is_empty() {
                watched.push(oldest, topic);
            } else if self.evict_oldest(&topic) {
                self.put_back(topic);
            } else {
                spared.push(topic);
            }
        }
        while exceeded()
            && let Some(Aged { topic, .. }) = watched.pop()
        {
            self.evict_oldest(&topic);
            let oldest = topic.log.lock().oldest_poke();
            match oldest {
                Some(oldest) => watched.push(oldest, topic),
                None => spared.push(topic),
            }
        }
        let watched = watched.0.into_iter().map(|Reverse(aged)| aged.topic);
        watched.chain(spared).for_each(|topic| self.put_back(topic));
    }

    /// Lets a topic's oldest poke go. Says whether there was one: an end stays until its time.
    fn evict_oldest(&self, topic: &Topic) -> bool {
        let freed = topic.log.lock().evict_oldest();
        self.stats.free(freed, &self.stats.evicted_budget);
        freed.pokes > 0
    }

    /// Puts a topic that was taken out of the queue back, at its present age, or lets it go.
    fn put_back(&self, topic: Arc<Topic>) {
        let mut log = topic.log.lock();
        let oldest = log.oldest();
        log.queued = oldest.is_some();
        drop(log);
        match oldest {
            Some(oldest) => self.ages.lock().push(oldest, topic),
            None => self.forget_if_idle(&topic),
        }
    }
}
