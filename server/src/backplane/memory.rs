//! Everything within this process: the registry orders and keeps pokes itself.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use poke_proto::v1::{self, subscribe_response::Event};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Ack, Attached, Backplane, Ending, Position, Publication, Refusal, Start};
use crate::{
    domain::Domains,
    frame,
    interest::Interest,
    log::Seldom,
    metrics::{Evicted, Metrics},
    registry::{self, Cursor, Refused, Registry, Request, Waking, Watcher},
};

/// How often what is too old is let go: its memory comes back this late at most.
const SWEEP: Duration = Duration::from_secs(1);

/// A backplane of one process. Its history, and so its epoch, is as long as the process's life.
#[derive(Debug)]
pub struct Memory {
    registry: Arc<Registry>,
    epoch: Arc<str>,
    complaints: Mutex<Seldom>,
}

impl Memory {
    /// An empty history with a name of its own.
    #[must_use]
    pub fn new(settings: registry::Settings) -> Self {
        let epoch = format!("{:016x}", rand::random::<u64>()).into();
        Self { registry: Arc::new(Registry::new(settings)), epoch, complaints: Mutex::default() }
    }

    /// The topics.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// For how long things are kept.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.registry.settings().window
    }

    /// Lets go what is too old, and counts what is held. Runs until it is dropped.
    pub async fn run(self: Arc<Self>, domains: Arc<Domains>, metrics: Arc<Metrics>) {
        let mut evicted = [0; 3];
        let mut ticks = interval(SWEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = ticks.tick().await;
            while self.registry.sweep(now) {
                tokio::task::yield_now().await;
            }
            let keys = domains.expire(now, self.window());
            let stats = self.registry.stats();
            metrics.topics.set(gauge(stats.topics.load(Relaxed)));
            metrics.retained_pokes.set(gauge(stats.retained_pokes.load(Relaxed)));
            metrics.ends_bytes.set(gauge(stats.ends_bytes.load(Relaxed)));
            metrics.retained_bytes.set(gauge(stats.retained_bytes.load(Relaxed)));
            metrics.idempotency_keys.set(gauge(keys));
            let causes = [
                (Evicted::Age, &stats.evicted_age),
                (Evicted::Interest, &stats.evicted_limit),
                (Evicted::Budget, &stats.evicted_budget),
            ];
            for (before, (cause, count)) in evicted.iter_mut().zip(causes) {
                let count = count.load(Relaxed);
                metrics.evicted.inc_by(cause, count - std::mem::replace(before, count));
            }
        }
    }

    fn position(&self, sequence: i64) -> Position {
        Position { epoch: Arc::clone(&self.epoch), sequence }
    }
}

impl Backplane for Memory {
    async fn publish(&self, publication: Publication) -> Result<Ack, Refusal> {
        let Publication { interest, domain, publisher, draft, id, .. } = publication;
        let request = Request { publisher: &publisher, allowance: &domain.allowance, now: Instant::now() };
        let seal = |sequence| draft.seal(&self.epoch, sequence, SystemTime::now());
        let (accepted, waking) = self.registry.publish(&interest, request, id.as_ref(), seal)?;
        wake(waking).await;
        Ok(Ack {
            position: self.position(accepted.sequence),
            duplicate: accepted.duplicate,
            local_receivers: accepted.receivers,
        })
    }

    async fn end(&self, ending: Ending) -> Result<Position, Refusal> {
        let Ending { interest, domain, publisher, data, .. } = ending;
        let request = Request { publisher: &publisher, allowance: &domain.allowance, now: Instant::now() };
        let echo = frame::interest(&interest);
        let seal = |sequence| {
            let position = Some(self.position(sequence).into());
            frame::event(Event::Ended(v1::Ended { interest: Some(echo), position, data }))
        };
        let ended = self.registry.end(&interest, request, seal);
        if matches!(ended, Err(Refused::Full))
            && let Some(unsaid) = self.complaints.lock().speak()
        {
            let budget = self.registry.settings().ends_budget;
            tracing::warn!(budget, unsaid, "EndInterest is refused: retention.ends_budget is used up");
        }
        let (sequence, waking) = ended?;
        wake(waking).await;
        Ok(self.position(sequence))
    }

    async fn attach(
        &self,
        interest: &Interest,
        start: Start,
        watcher: &Watcher,
        budget: &mut usize,
    ) -> Result<Attached, Refusal> {
        let start = match start {
            Start::New => registry::Start::New,
            Start::Latest => registry::Start::Latest,
            Start::After { epoch, sequence } if *epoch == *self.epoch => registry::Start::After(sequence),
            Start::After { .. } => registry::Start::Unknown,
        };
        let (cursor, place) = self.registry.attach(interest, start, watcher, budget);
        Ok(Attached { cursor, place })
    }

    fn checkpoint<'a>(&self, cursors: impl Iterator<Item = &'a Cursor>) -> Option<Position> {
        // The head first: see `Registry::head`.
        let head = self.registry.head();
        let complete = cursors.map(|cursor| cursor.complete(head)).min()?;
        Some(self.position(complete))
    }

    fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    fn is_healthy(&self) -> bool {
        true
    }
}

/// Wakes a crowd without keeping the others of this thread waiting.
async fn wake(mut waking: Waking) {
    while waking.step() {
        tokio::task::yield_now().await;
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Ended => Self::Ended,
            Refused::Conflict => Self::Conflict,
            Refused::Full => Self::Full,
            Refused::TooFast(too_fast) => Self::TooFast(too_fast),
        }
    }
}
