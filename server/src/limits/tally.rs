//! How many each has.

use std::{collections::HashMap, hash::Hash};

/// Counts by key, with a bound for each. It holds those who have something, and nobody else.
#[derive(Debug)]
pub struct Tallies<K> {
    limit: Option<usize>,
    counts: HashMap<K, usize>,
}

impl<K: Eq + Hash> Tallies<K> {
    /// None yet, and `limit` for each at most. Without a limit nothing is counted.
    #[must_use]
    pub fn new(limit: Option<usize>) -> Self {
        Self { limit, counts: HashMap::new() }
    }

    /// Whether there is room for one more.
    pub fn has_room(&self, key: &K) -> bool {
        self.limit.is_none_or(|limit| self.counts.get(key).is_none_or(|count| *count < limit))
    }

    /// Counts one more.
    pub fn add(&mut self, key: K) {
        if self.limit.is_some() {
            *self.counts.entry(key).or_default() += 1;
        }
    }

    /// Counts one less.
    pub fn remove(&mut self, key: &K) {
        let Some(count) = self.counts.get_mut(key) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.counts.remove(key);
        // What a busy hour needed isn't kept for good.
        let (len, capacity) = (self.counts.len(), self.counts.capacity());
        if capacity > 1024 && len < capacity / 8 {
            self.counts.shrink_to(len * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_bound_and_who_has_nothing_is_not_kept() {
        let mut tallies = Tallies::new(Some(2));
        for n in 0..10_000 {
            assert!(tallies.has_room(&n));
            tallies.add(n);
            assert!(tallies.has_room(&n));
            tallies.add(n);
            assert!(!tallies.has_room(&n));
        }
        tallies.remove(&7);
        assert!(tallies.has_room(&7));
        for n in 0..10_000 {
            tallies.remove(&n);
            tallies.remove(&n);
            tallies.remove(&n);
        }
        assert!(tallies.counts.is_empty() && tallies.counts.capacity() <= 2048, "{}", tallies.counts.capacity());
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let mut tallies = Tallies::new(None);
        tallies.add("a");
        assert!(tallies.has_room(&"a") && tallies.counts.is_empty());
    }
}
