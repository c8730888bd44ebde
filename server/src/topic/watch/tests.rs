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

fn watchers(count: usize) -> (Watchers, Vec<Watcher>) {
    let mut watchers = Watchers::default();
    let all: Vec<_> = (0..count).map(|_| Watcher { signal: Arc::new(Signal::new(2)), slot: 1 }).collect();
    all.iter().for_each(|watcher| watchers.insert(watcher.clone()));
    (watchers, all)
}

fn is_woken(watcher: &Watcher) -> bool {
    watcher.signal.take(0, u64::MAX) == 0b10
}

#[test]
fn all_watchers_are_woken_and_those_who_left_are_not() {
    let (mut watchers, all) = watchers(3);
    watchers.remove(&all[1]);
    assert_eq!(watchers.len(), 2);
    let mut left = 2;
    watchers.wake(&mut left);
    assert_eq!((left, all.iter().map(is_woken).collect::<Vec<_>>()), (0, vec![true, false, true]));
}

#[test]
fn whoever_was_there_is_woken_however_many_come_and_go_meanwhile() {
    for leaving in 1..7 {
        let (mut watchers, all) = watchers(5 * BATCH + 7);
        let (mut left, mut gone, mut late) = (watchers.len(), vec![false; all.len()], Vec::new());
        let mut next = 0;
        while left > 0 {
            watchers.wake(&mut left);
            for _ in 0..BATCH / 2 {
                // A step that has no factor in common with the length meets everyone once.
                next = (next + leaving * 211) % all.len();
                if !std::mem::replace(&mut gone[next], true) {
                    watchers.remove(&all[next]);
                }
            }
            let newcomer = Watcher { signal: Arc::new(Signal::new(1)), slot: 0 };
            watchers.insert(newcomer.clone());
            late.push(newcomer);
        }
        let missed = all.iter().zip(gone).filter(|(watcher, gone)| !gone && !is_woken(watcher)).count();
        assert_eq!(missed, 0, "{leaving}");
        late.iter().for_each(|watcher| watchers.remove(watcher));
    }
}

#[test]
fn a_crowd_that_has_left_holds_no_memory_and_is_not_walked() {
    let (mut watchers, all) = watchers(1000);
    all[1..].iter().for_each(|watcher| watchers.remove(watcher));
    assert!(watchers.0.capacity() <= 4, "{}", watchers.0.capacity());
    watchers.remove(&all[0]);
    assert!(watchers.is_empty());
    assert_eq!(watchers.0.capacity(), 0);
    assert!(all.iter().all(|watcher| Arc::strong_count(&watcher.signal) == 1));
}
