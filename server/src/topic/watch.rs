//! Who is woken: the subscribers of a topic, and the signal of a stream.

use std::{hint::black_box, task::Waker};

use smallvec::SmallVec;

use crate::sync::{Arc, AtomicU64, Mutex, Ordering, counter::AtomicUsize};

/// What wakes one stream: its waker, and a bit for each of its interests that has something new.
///
/// Setting a bit that is already set wakes nobody: whoever set it first is about to wake, or has.
#[derive(Debug)]
pub struct Signal {
    /// It stays here: to take it and to bring another one each time would cost a poke two more steps.
    waker: Mutex<Waker>,
    /// The first word lies here itself, as most streams have no more.
    ready: SmallVec<[AtomicU64; 1]>,
    /// For each slot, where its watcher stands in its topic's list.
    places: Box<[AtomicUsize]>,
}

impl Signal {
    /// A signal with room for `slots` bits.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self {
            waker: Mutex::new(Waker::noop().clone()),
            ready: (0..slots.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            places: (0..slots).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Sets a bit and wakes the stream, if the bit wasn't set. Says whether it woke.
    pub fn raise(&self, slot: usize) -> bool {
        let bit = 1 << (slot % 64);
        let raised = self.ready[slot / 64].fetch_or(bit, Ordering::AcqRel) & bit == 0;
        if raised {
            self.wake();
        }
        raised
    }

    /// Wakes the stream for another reason than an interest.
    pub fn wake(&self) {
        self.waker.lock().wake_by_ref();
    }

    /// Whom to wake from now on. Call it before [`Signal::take`], or a bit that is set in between is overlooked.
    pub fn register(&self, waker: &Waker) {
        self.waker.lock().clone_from(waker);
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

impl Watcher {
    /// Where it stands in its topic's list: read and written under that list's lock.
    fn place(&self) -> &AtomicUsize {
        &self.signal.places[self.slot as usize]
    }
}

/// How many are woken before they and others get their turn: some tens of microseconds. A publisher comes back only when
/// those have had it; with 32 or 128 the last of a thousand wait so often for that that, when pokes queue, they fall
/// behind by more than a topic retains.
#[cfg(not(poke_loom))]
const BATCH: usize = 512;
#[cfg(poke_loom)]
const BATCH: usize = 1;

/// The subscribers of a topic, without vacant places: a publisher walks all of them.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Vec<Watcher>);

impl Watchers {
    /// Adds one, which must not be in another topic.
    pub(crate) fn insert(&mut self, watcher: Watcher) {
        watcher.place().store(self.0.len(), Ordering::Relaxed);
        if self.0.len() == self.0.capacity() {
            // By itself it would begin with room for four: most topics have one.
            self.0.reserve_exact(self.0.len().max(1));
        }
        self.0.push(watcher);
    }

    /// Removes one that was added. The last one takes its place.
    pub(crate) fn remove(&mut self, watcher: &Watcher) {
        let place = watcher.place().load(Ordering::Relaxed);
        self.0.swap_remove(place);
        if let Some(moved) = self.0.get(place) {
            moved.place().store(place, Ordering::Relaxed);
        }
        // A topic that was popular once must not keep room for a crowd.
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Wakes the next few of the first `left`, the last of them first, and lowers `left` by as many. The list may change
    /// between two calls: who leaves is replaced by one from behind, who was woken or came too late to need it.
    pub(crate) fn wake(&self, left: &mut usize) {
        let end = self.0.len().min(*left);
        *left = end.saturating_sub(BATCH);
        let few = &self.0[*left..end];
        // The processor fetches all of them at once; raised one after the other, each would be waited for.
        black_box(few.iter().filter(|watcher| watcher.signal.is_raised()).count());
        for watcher in few.iter().rev() {
            watcher.signal.raise(watcher.slot as usize);
        }
    }
}

#[cfg(test)]
mod tests;
