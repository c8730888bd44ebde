//! A counter that all threads raise all the time.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use prometheus_client::metrics::counter::Atomic;

/// As many as a machine has processors, or somewhat fewer.
const STRIPES: usize = 16;

/// A number in parts, of which each thread has its own: one that is shared would travel between the processors with
/// each delivery.
#[derive(Debug, Default)]
pub struct Striped([Stripe; STRIPES]);

/// Two cache lines, as processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

impl Atomic<u64> for Striped {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    fn inc_by(&self, n: u64) -> u64 {
        self.0[stripe()].0.fetch_add(n, Ordering::Relaxed)
    }

    fn get(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }
}

/// This thread's.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static MINE: Cell<usize> = const { Cell::new(usize::MAX) }; }
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        mine.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up() {
        let number = Striped::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    for _ in 0..100 {
                        number.inc();
                    }
                });
            }
        });
        assert_eq!(number.get(), 200 * STRIPES as u64);
    }
}
