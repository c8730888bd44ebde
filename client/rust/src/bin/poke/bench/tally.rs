//! What happened in a run, counted by many tasks at once.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::plan::Plan;

/// Counters of a run. None of them orders anything else, so all are relaxed.
pub(crate) struct Tally {
    epoch: Instant,
    /// Live streams of each interest.
    live_on: Vec<AtomicU64>,
    live: AtomicU64,
    failed_streams: AtomicU64,
    published: AtomicU64,
    /// What the accepted pokes should come to.
    expected: AtomicU64,
    deliveries: AtomicU64,
    last_delivery: AtomicU64,
    gaps: AtomicU64,
    missed: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    delivery: Latency,
    publish: Latency,
    started: OnceLock<Instant>,
}

impl Tally {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            epoch: Instant::now(),
            live_on: (0..plan.interests).map(|_| AtomicU64::new(0)).collect(),
            live: AtomicU64::new(0),
            failed_streams: AtomicU64::new(0),
            published: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            last_delivery: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            errors: Mutex::default(),
            delivery: Latency::new(),
            publish: Latency::new(),
            started: OnceLock::new(),
        }
    }

    /// Nanoseconds on the run's clock, as pokes carry them.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Publishing starts.
    pub(crate) fn start(&self) {
        self.started.get_or_init(Instant::now);
    }

    /// A stream is live.
    pub(crate) fn stream_live(&self, interest: u32) {
        self.live_on[interest as usize].fetch_add(1, Relaxed);
        self.live.fetch_add(1, Relaxed);
    }

    /// A stream ended; `live` says whether it had been live.
    pub(crate) fn stream_failed(&self, live: bool, why: String) {
        if !live {
            self.failed_streams.fetch_add(1, Relaxed);
        }
        self.error(why);
    }

    /// A poke was accepted.
    pub(crate) fn published(&self, interest: u32, took: Duration) {
        self.published.fetch_add(1, Relaxed);
        self.expected.fetch_add(self.live_on[interest as usize].load(Relaxed), Relaxed);
        self.publish.record(self.published.load(Relaxed), took);
    }

    /// A poke that was sent at `sent` reached a subscriber.
    pub(crate) fn delivered(&self, subscriber: u32, sent: u64) {
        let now = self.now();
        self.deliveries.fetch_add(1, Relaxed);
        self.last_delivery.fetch_max(now, Relaxed);
        self.delivery.record(u64::from(subscriber), Duration::from_nanos(now.saturating_sub(sent)));
    }

    /// A subscriber has lost something, and was told so.
    pub(crate) fn gap(&self, missed: u64) {
        self.gaps.fetch_add(1, Relaxed);
        self.missed.fetch_add(missed, Relaxed);
    }

    /// Something failed.
    pub(crate) fn error(&self, why: String) {
        *locked(&self.errors).entry(why).or_default() += 1;
    }

    pub(crate) fn live(&self) -> u64 {
        self.live.load(Relaxed)
    }

    pub(crate) fn failed_streams(&self) -> u64 {
        self.failed_streams.load(Relaxed)
    }

    pub(crate) fn all_published(&self) -> u64 {
        self.published.load(Relaxed)
    }

    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries.load(Relaxed)
    }

    pub(crate) fn gaps(&self) -> u64 {
        self.gaps.load(Relaxed)
    }

    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }

    /// Accepted pokes that have neither arrived nor been reported as lost.
    pub(crate) fn undelivered(&self) -> u64 {
        self.expected.load(Relaxed).saturating_sub(self.deliveries() + self.missed())
    }

    /// From the start of publishing to the last delivery.
    pub(crate) fn delivering(&self) -> Duration {
        let started = self.started.get().copied().unwrap_or(self.epoch);
        Duration::from_nanos(self.last_delivery.load(Relaxed)).saturating_sub(started.duration_since(self.epoch))
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        locked(&self.errors).clone()
    }

    pub(crate) fn delivery_latency(&self) -> Percentiles {
        self.delivery.percentiles()
    }

    pub(crate) fn publish_latency(&self) -> Percentiles {
        self.publish.percentiles()
    }
}

/// Counters stay right even if a task that held one panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Times in microseconds, in some histograms so that tasks seldom wait for one another.
struct Latency(Vec<Mutex<Histogram<u64>>>);

/// What is slower than this counts as this.
const SLOWEST_MICROS: u64 = 600_000_000;

impl Latency {
    fn new() -> Self {
        let bounds = "1 is below the bound, and 3 digits are at most 5";
        let histogram = || Histogram::new_with_bounds(1, SLOWEST_MICROS, 3).expect(bounds);
        Self((0..8).map(|_| Mutex::new(histogram())).collect())
    }

    fn record(&self, who: u64, took: Duration) {
        let shard = usize::try_from(who % self.0.len() as u64).unwrap_or_default();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        locked(&self.0[shard]).saturating_record(micros);
    }

    fn percentiles(&self) -> Percentiles {
        let mut all = locked(&self.0[0]).clone();
        for shard in &self.0[1..] {
            all += &*locked(shard);
        }
        let at = |quantile| (!all.is_empty()).then(|| Duration::from_micros(all.value_at_quantile(quantile)));
        Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

/// A distribution of times; nothing if there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Percentiles {
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    pub(crate) p999: Option<Duration>,
    pub(crate) max: Option<Duration>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{super::plan::tests::plan, *};

    #[test]
    fn a_poke_is_expected_once_for_each_live_stream_of_its_interest() {
        let tally = Tally::new(&plan());
        tally.stream_live(0);
        tally.stream_live(0);
        tally.stream_live(1);
        tally.published(0, Duration::from_millis(1));
        tally.published(2, Duration::from_millis(1));
        assert_eq!(tally.undelivered(), 2);
        tally.delivered(0, tally.now());
        assert_eq!(tally.undelivered(), 1);
        tally.gap(1);
        assert_eq!((tally.undelivered(), tally.gaps(), tally.missed()), (0, 1, 1));
    }

    #[test]
    fn percentiles_come_from_all_shards() {
        let latency = Latency::new();
        assert_eq!(latency.percentiles(), Percentiles::default());
        for millis in 1..=1_000 {
            latency.record(millis, Duration::from_millis(millis));
        }
        let percentiles = latency.percentiles();
        let near = |duration: Option<Duration>, millis: f64| {
            let found = duration.unwrap().as_secs_f64() * 1e3;
            assert!((found - millis).abs() / millis < 0.002, "{found} for {millis}");
        };
        near(percentiles.p50, 500.0);
        near(percentiles.p99, 990.0);
        near(percentiles.max, 1_000.0);
    }

    #[test]
    fn what_is_slower_than_the_slowest_is_kept() {
        let latency = Latency::new();
        latency.record(0, Duration::from_secs(3_600));
        assert!(latency.percentiles().max.unwrap() >= Duration::from_secs(600));
    }
}
