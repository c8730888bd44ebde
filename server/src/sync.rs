//! The locks and atomics of the core, so that loom can put its own in their place.
//!
//! The models are built with `--cfg poke_loom` and not with `--cfg loom`: at that name tokio leaves out its network.

pub(crate) use std::sync::Arc;

#[cfg(poke_loom)]
pub(crate) use self::model::*;
#[cfg(not(poke_loom))]
pub(crate) use self::real::*;

/// Counters that nothing waits for and nothing is published through. The models leave them out, or they would multiply
/// the interleavings without showing anything.
pub(crate) mod counter {
    pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
}

#[cfg(not(poke_loom))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    pub(crate) use parking_lot::{Mutex, MutexGuard};
}

#[cfg(poke_loom)]
mod model {
    pub(crate) use loom::sync::{
        MutexGuard,
        atomic::{AtomicI64, AtomicU64, Ordering},
    };

    /// loom's mutex with the surface of parking_lot's.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no thread of a model panics while it holds a lock")
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}
