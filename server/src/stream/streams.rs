//! All open streams of this server, and their clock.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use slab::Slab;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Drain, Opening, Settings, Stream,
    entry::{Entry, Look},
    event,
    review::Review,
    seats::Seats,
    translation::Translations,
};
use crate::{
    auth::Caller,
    backplane::{Backplane, Position},
    error::{Error, Kind},
    interest::Interest,
    metrics::{Metrics, StreamEnd},
    registry::Loss,
};

/// The clock holds one shard at a time, so that opening a stream never waits for its whole round.
const SHARDS: usize = 16;

/// All open streams.
pub struct Streams<B> {
    backplane: Arc<B>,
    settings: Settings,
    window: Duration,
    metrics: Arc<Metrics>,
    started: Instant,
    shards: [Mutex<Slab<Arc<Entry>>>; SHARDS],
    open: AtomicUsize,
    seats: Arc<Seats>,
    pub(super) translations: Translations,
    pub(super) review: Review,
    drain: Mutex<Option<Drain>>,
    draining: AtomicBool,
    /// Woken when the last one is gone.
    empty: Notify,
}

impl<B: Backplane> Streams<B> {
    /// No streams yet. `window` is the backplane's retention window, which clients are told.
    pub fn new(backplane: Arc<B>, settings: Settings, window: Duration, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            backplane,
            settings,
            window,
            metrics,
            started: Instant::now(),
            shards: std::array::from_fn(|_| Mutex::new(Slab::new())),
            open: AtomicUsize::new(0),
            seats: Seats::new(&settings),
            translations: Translations::default(),
            review: Review::default(),
            drain: Mutex::new(None),
            draining: false.into(),
            empty: Notify::new(),
        })
    }

    /// Opens a stream. Interests that can't be had are refused on it, by event.
    ///
    /// # Errors
    /// [`Kind::TooManyStreams`], and [`Kind::ShuttingDown`] during a drain.
    pub fn open(self: &Arc<Self>, opening: Opening) -> Result<Stream<B>, Error> {
        if self.is_draining() {
            return Err(Kind::ShuttingDown.into());
        }
        let seat = self.seats.take(opening.link.as_ref(), opening.caller.customer()).inspect_err(|error| {
            if let Kind::TooManyStreams { of } = error.kind() {
                self.metrics.streams_over_limit.inc(of);
            }
        })?;
        let id = format!("{:016x}", rand::random::<u64>());
        tracing::debug!(stream = id, interests = opening.wants.len(), "stream opened");
        Ok(Stream::new(Arc::clone(self), opening, seat, id))
    }

    /// Asks every client to move, and ends what is left when the time is over. Nothing is opened from now on.
    pub fn drain(&self, drain: Drain) {
        *self.drain.lock() = Some(drain);
        self.draining.store(true, Release);
        self.wake_all();
    }

    /// Has every stream look at what has changed for all.
    pub(super) fn wake_all(&self) {
        for shard in &self.shards {
            for (_, entry) in shard.lock().iter() {
                entry.signal.raise(entry.alarm());
            }
        }
    }

    /// Counts the streams of certain callers that haven't been given up.
    pub(super) fn count_callers(&self, is_meant: impl Fn(&Caller) -> bool) -> usize {
        let is_meant = |entry: &Entry| !entry.is_stalled() && is_meant(&entry.caller);
        self.shards.iter().map(|shard| shard.lock().iter().filter(|(_, entry)| is_meant(entry)).count()).sum()
    }

    /// How many streams are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Waits until there are none.
    pub async fn gone(&self) {
        loop {
            // Before the look: whoever leaves after it finds us waiting.
            let empty = self.empty.notified();
            if self.count() == 0 {
                return;
            }
            empty.await;
        }
    }

    /// The clock of all streams. Runs until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut ticks = interval(self.settings.tick());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tick();
        }
    }

    fn tick(&self) {
        let now = self.millis(Instant::now());
        let stall = u64::try_from(self.settings.stall_timeout.as_millis()).unwrap_or(u64::MAX);
        for shard in &self.shards {
            for (_, entry) in shard.lock().iter() {
                if entry.tick(now, stall) == Look::Stalled {
                    // It counts as ended, though its status waits until the client reads.
                    self.metrics.streams_open.dec();
                    self.metrics.streams_ended.inc(StreamEnd::Stalled);
                    self.metrics.streams_stalled.inc();
                }
            }
        }
    }

    pub(super) fn register(&self, entry: &Arc<Entry>) -> (usize, usize) {
        let shard = self.open.fetch_add(1, Relaxed) % SHARDS;
        (shard, self.shards[shard].lock().insert(Arc::clone(entry)))
    }

    pub(super) fn unregister(&self, (shard, key): (usize, usize)) {
        let mut entries = self.shards[shard].lock();
        entries.remove(key);
        if entries.is_empty() {
            *entries = Slab::new();
        }
        drop(entries);
        if self.open.fetch_sub(1, Relaxed) == 1 {
            self.empty.notify_waiters();
        }
    }

    /// Whether the server is going away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Acquire)
    }

    /// Where its pokes come from.
    #[must_use]
    pub fn backplane(&self) -> &B {
        &self.backplane
    }

    /// What every stream keeps to.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn draining(&self) -> Option<Drain> {
        if self.is_draining() { *self.drain.lock() } else { None }
    }

    /// A place in the present history.
    pub(super) fn position(&self, sequence: i64) -> Position {
        Position { epoch: Arc::clone(self.backplane.epoch()), sequence }
    }

    /// What tells a client of a loss, which is counted.
    pub(super) fn gap(&self, interest: &Interest, loss: Loss, position: Position, missed: Option<u64>) -> Bytes {
        self.metrics.gaps.inc(event::label(loss));
        event::gap(interest, loss, position, missed, self.settings.reload_spread)
    }

    pub(super) fn window(&self) -> Duration {
        self.window
    }

    /// A time on the clock of the entries.
    pub(super) fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }
}
