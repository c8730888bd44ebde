//! Who is woken: the subscribers of a topic, and the signal of a stream.

use std::task::Waker;

use slab::Slab;

use crate::sync::{Arc, AtomicU64, AtomicWaker, Ordering};

/// What wakes one stream: its waker, and a bit for each of its interests that has something new.
///
/// Setting a bit that is already set wakes nobody: whoever set it first is about to wake, or has.
#[derive(Debug)]
pub struct Signal {
    waker: AtomicWaker,
    ready: Box<[AtomicU64]>,
}

impl Signal {
    /// A signal with room for `slots` bits.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self { waker: AtomicWaker::new(), ready: (0..slots.div_ceil(64)).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Sets a bit and wakes the stream, if the bit wasn't set. Says whether it woke.
    pub fn raise(&self, slot: usize) -> bool {
        let bit = 1 << (slot % 64);
        let raised = self.ready[slot / 64].fetch_or(bit, Ordering::AcqRel) & bit == 0;
        if raised {
            self.waker.wake();
        }
        raised
    }

    /// Whom to wake from now on. Call it before [`Signal::take`], or a bit that is set in between is overlooked.
    pub fn register(&self, waker: &Waker) {
        #[cfg(not(poke_loom))]
        self.waker.register(waker);
        #[cfg(poke_loom)]
        self.waker.register_by_ref(waker);
    }

    /// Takes those bits of the slots `64 * word ..` that are in `mask`.
    pub fn take(&self, word: usize, mask: u64) -> u64 {
        // A plain load first: most polls find nothing, and a write would take the line from the publishers.
        if self.ready[word].load(Ordering::Acquire) & mask == 0 {
            return 0;
        }
        self.ready[word].fetch_and(!mask, Ordering::AcqRel) & mask
    }

    /// Puts bits back that were taken. Wakes nobody: it is for whoever took them, and comes back by itself.
    pub fn put(&self, word: usize, bits: u64) {
        self.ready[word].fetch_or(bits, Ordering::AcqRel);
    }

    /// How many words of bits there are.
    #[must_use]
    pub fn words(&self) -> usize {
        self.ready.len()
    }

    /// Whether any bit is set.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.ready.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }
}

/// One interest of one stream, as its topic knows it.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// The stream's signal.
    pub signal: Arc<Signal>,
    /// The interest's bit in it.
    pub slot: u32,
}

/// The subscribers of a topic.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Slab<Watcher>);

impl Watchers {
    pub(crate) fn insert(&mut self, watcher: Watcher) -> usize {
        self.0.insert(watcher)
    }

    pub(crate) fn remove(&mut self, key: usize) {
        self.0.remove(key);
        if self.0.is_empty() {
            // A topic that was popular once must not keep room for a crowd.
            self.0 = Slab::new();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn wake(&self) {
        for (_, watcher) in &self.0 {
            watcher.signal.raise(watcher.slot as usize);
        }
    }
}

#[cfg(test)]
mod tests;
