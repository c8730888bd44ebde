//! Idempotency keys: which publish came first under a key.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

/// An idempotency key with what it is scoped to, and the content that it stands for, as digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishId {
    /// Digest of publisher, interest and key.
    pub key: [u8; 16],
    /// Digest of the content in canonical form.
    pub content: [u8; 16],
}

#[derive(Clone, Copy, Debug)]
struct First {
    sequence: i64,
    content: [u8; 16],
    at: Instant,
}

/// What a key says of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The same content came before, and has this sequence.
    Same(i64),
    /// Other content came before.
    Other,
}

/// The keys of one domain, in the order of their first use. Bounded by count and by the retention window.
#[derive(Debug)]
pub(crate) struct Keys {
    firsts: HashMap<[u8; 16], First>,
    order: VecDeque<[u8; 16]>,
    limit: usize,
}

impl Keys {
    pub(crate) fn new(limit: usize) -> Self {
        Self { firsts: HashMap::new(), order: VecDeque::new(), limit }
    }

    /// Whether the key has been used within `window`.
    pub(crate) fn find(&self, id: &PublishId, now: Instant, window: Duration) -> Option<Repeat> {
        let first = self.firsts.get(&id.key).filter(|first| now.duration_since(first.at) < window)?;
        Some(if first.content == id.content { Repeat::Same(first.sequence) } else { Repeat::Other })
    }

    /// Remembers the first use of a key. Old keys go.
    pub(crate) fn insert(&mut self, id: &PublishId, sequence: i64, now: Instant, window: Duration) {
        self.expire(now, window);
        while self.order.len() >= self.limit.max(1) {
            self.forget_oldest();
        }
        if self.firsts.insert(id.key, First { sequence, content: id.content, at: now }).is_none() {
            self.order.push_back(id.key);
        }
    }

    /// Lets go the keys of before `window`.
    pub(crate) fn expire(&mut self, now: Instant, window: Duration) {
        while let Some(first) = self.order.front().and_then(|key| self.firsts.get(key))
            && now.duration_since(first.at) >= window
        {
            self.forget_oldest();
        }
        if self.order.is_empty() && self.order.capacity() > 1024 {
            *self = Self::new(self.limit);
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(key) = self.order.pop_front() {
            self.firsts.remove(&key);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn id(key: u8, content: u8) -> PublishId {
        PublishId { key: [key; 16], content: [content; 16] }
    }

    #[test]
    fn a_repeat_is_told_from_other_content() {
        let (mut keys, now) = (Keys::new(10), Instant::now());
        assert_eq!(keys.find(&id(1, 1), now, WINDOW), None);
        keys.insert(&id(1, 1), 7, now, WINDOW);
        assert_eq!(keys.find(&id(1, 1), now, WINDOW), Some(Repeat::Same(7)));
        assert_eq!(keys.find(&id(1, 2), now, WINDOW), Some(Repeat::Other));
        assert_eq!(keys.find(&id(2, 1), now, WINDOW), None);
    }

    #[test]
    fn a_key_lives_for_the_window_and_no_longer() {
        let (mut keys, now) = (Keys::new(10), Instant::now());
        keys.insert(&id(1, 1), 7, now, WINDOW);
        let late = now + WINDOW;
        assert_eq!(keys.find(&id(1, 1), late - Duration::from_nanos(1), WINDOW), Some(Repeat::Same(7)));
        assert_eq!(keys.find(&id(1, 1), late, WINDOW), None);
        keys.insert(&id(1, 2), 9, late, WINDOW);
        assert_eq!((keys.find(&id(1, 2), late, WINDOW), keys.len()), (Some(Repeat::Same(9)), 1));
    }

    #[test]
    fn the_oldest_keys_go_first_when_there_are_too_many() {
        let (mut keys, now) = (Keys::new(2), Instant::now());
        for n in 1..=3 {
            keys.insert(&id(n, n), i64::from(n), now, WINDOW);
        }
        assert_eq!(keys.len(), 2);
        assert_eq!(keys.find(&id(1, 1), now, WINDOW), None);
        assert_eq!(keys.find(&id(3, 3), now, WINDOW), Some(Repeat::Same(3)));
    }
}
