use std::{
    sync::atomic::AtomicUsize,
    task::{Wake, Waker},
};

use super::*;

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn waker(self: &Arc<Self>) -> Waker {
        Arc::clone(self).into()
    }

    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_raise_wakes_once_until_it_is_taken() {
    let (signal, bell) = (Signal::new(3), Arc::new(Bell::default()));
    signal.register(&bell.waker());
    assert!(signal.raise(1));
    assert!(!signal.raise(1), "the bit is still set");
    assert_eq!((bell.rings(), signal.is_raised(), signal.take(0, u64::MAX)), (1, true, 0b10));
    assert_eq!((signal.is_raised(), signal.take(0, u64::MAX)), (false, 0));
    signal.register(&bell.waker());
    assert!(signal.raise(1));
    assert_eq!(bell.rings(), 2);
}

#[test]
fn each_interest_of_a_full_stream_has_its_bit() {
    for (slots, words) in [(0, 0), (1, 1), (64, 1), (65, 2), (100, 2), (128, 2), (129, 3)] {
        assert_eq!(Signal::new(slots).words(), words, "{slots}");
    }
    let signal = Signal::new(100);
    for slot in [0, 63, 64, 99] {
        signal.raise(slot);
    }
    assert_eq!((signal.take(0, u64::MAX), signal.take(1, u64::MAX)), (1 | 1 << 63, 1 | 1 << 35));
}

#[test]
fn what_is_not_asked_for_or_put_back_stays_raised() {
    let (signal, bell) = (Signal::new(2), Arc::new(Bell::default()));
    signal.register(&bell.waker());
    signal.raise(0);
    signal.raise(1);
    assert_eq!((signal.take(0, 0b01), signal.take(0, 0b01), signal.is_raised()), (0b01, 0, true));
    let rings = bell.rings();
    signal.put(0, 0b01);
    assert_eq!((signal.take(0, u64::MAX), bell.rings()), (0b11, rings));
}

#[test]
fn a_raise_before_anyone_registers_is_found_by_taking() {
    let signal = Signal::new(1);
    assert!(signal.raise(0));
    signal.register(&Arc::new(Bell::default()).waker());
    assert_eq!(signal.take(0, u64::MAX), 1);
}

#[test]
fn all_watchers_are_woken_and_those_who_left_are_not() {
    let mut watchers = Watchers::default();
    let signals: Vec<_> = (0..3).map(|_| Arc::new(Signal::new(2))).collect();
    let keys: Vec<_> =
        signals.iter().map(|signal| watchers.insert(Watcher { signal: Arc::clone(signal), slot: 1 })).collect();
    watchers.remove(keys[1]);
    watchers.wake();
    assert_eq!(signals.iter().map(|signal| signal.take(0, u64::MAX)).collect::<Vec<_>>(), [0b10, 0, 0b10]);
    assert_eq!(watchers.len(), 2);
}

#[test]
fn a_crowd_that_has_left_holds_no_memory() {
    let mut watchers = Watchers::default();
    let signal = Arc::new(Signal::new(1));
    let keys: Vec<_> = (0..1000).map(|_| watchers.insert(Watcher { signal: Arc::clone(&signal), slot: 0 })).collect();
    keys.into_iter().for_each(|key| watchers.remove(key));
    assert!(watchers.is_empty());
    assert_eq!((watchers.0.capacity(), Arc::strong_count(&signal)), (0, 1));
}
