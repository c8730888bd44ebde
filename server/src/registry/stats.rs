//! What a registry holds, and what it has let go.

use crate::{
    sync::counter::{AtomicU64, AtomicUsize, Ordering},
    topic::Freed,
};

/// Counts of one registry. Each is read on its own: they don't form a snapshot.
#[derive(Debug, Default)]
pub struct Stats {
    /// Topics that exist.
    pub topics: AtomicUsize,
    /// Pokes that are retained.
    pub retained_pokes: AtomicUsize,
    /// What retaining them costs, in bytes.
    pub retained_bytes: AtomicUsize,
    /// What retaining the ends costs, in bytes.
    pub ends_bytes: AtomicUsize,
    /// Pokes let go because the retention window had passed.
    pub evicted_age: AtomicU64,
    /// Pokes let go because their interest had too many, or too many bytes.
    pub evicted_limit: AtomicU64,
    /// Pokes let go because all interests together had too many bytes.
    pub evicted_budget: AtomicU64,
}

impl Stats {
    pub(crate) fn charge(&self, cost: usize) {
        self.retained_pokes.fetch_add(1, Ordering::Relaxed);
        self.retained_bytes.fetch_add(cost, Ordering::Relaxed);
    }

    pub(crate) fn free(&self, freed: Freed, cause: &AtomicU64) {
        if freed.pokes > 0 {
            self.retained_pokes.fetch_sub(freed.pokes, Ordering::Relaxed);
            self.retained_bytes.fetch_sub(freed.bytes, Ordering::Relaxed);
            cause.fetch_add(freed.pokes as u64, Ordering::Relaxed);
        }
    }
}
