//! The registry: every topic of this node, found by its interest.
//!
//! Topics live by what they retain and by who watches them. One that has neither leaves nothing behind but its shard's
//! floor: the highest sequence that may have been forgotten. So naming random interests costs the server nothing.

mod ages;
mod cursor;
mod keys;
#[cfg(all(test, poke_loom))]
mod loom_models;
mod rates;
mod stats;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use bytes::Bytes;
use hashbrown::HashTable;
use tokio::time::Instant;

use self::{
    ages::Ages,
    keys::{Keys, Repeat},
    rates::Meter,
};
pub use self::{
    cursor::Cursor,
    keys::PublishId,
    rates::{Rates, TooFast, Whose},
    stats::Stats,
};
pub use crate::topic::{Entry, Item, Loss, Place, Retention, Signal, Start, Waking, Watcher};
use crate::{
    interest::Interest,
    sync::{Arc, AtomicI64, Mutex, MutexGuard, Ordering},
    topic::{Log, Topic},
};

/// What a registry keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For how long pokes, idempotency keys and ends are kept.
    pub window: Duration,
    /// Bytes of retained pokes over all interests, with what keeping them costs.
    pub budget: usize,
    /// Bytes of ends. They can't be evicted before their time, so a new one is refused when there is no room.
    pub ends_budget: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { window: Duration::from_secs(600), budget: 256 << 20, ends_budget: 32 << 20 }
    }
}

/// Enough that two cores rarely meet in one: a lookup holds a shard for well under a microsecond.
const SHARDS: usize = if cfg!(poke_loom) { 1 } else { 64 };

/// What a domain allows its interests and its publishers, and the idempotency keys used in it.
#[derive(Debug)]
pub struct Allowance {
    retention: Retention,
    keys: Mutex<Keys>,
    /// None where any rate will do, so that publishers don't meet in its lock.
    meter: Option<Mutex<Meter>>,
}

impl Allowance {
    /// An allowance of `retention` an interest and `keys` idempotency keys.
    #[must_use]
    pub fn new(retention: Retention, keys: usize) -> Self {
        Self { retention, keys: Mutex::new(Keys::new(keys)), meter: None }
    }

    /// With bounds on how fast may be published.
    #[must_use]
    pub fn with_rates(self, rates: Rates) -> Self {
        let is_bounded = rates.publisher.is_some() || rates.domain.is_some();
        Self { meter: is_bounded.then(|| Mutex::new(Meter::new(rates))), ..self }
    }

    /// What each interest retains.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// Charges a publisher, and the domain, with one poke or end.
    fn charge(&self, publisher: &str, now: Instant) -> Result<(), TooFast> {
        self.meter.as_ref().map_or(Ok(()), |meter| meter.lock().take(publisher, now))
    }

    /// Lets go the idempotency keys whose window has passed. Answers how many stay.
    pub fn expire(&self, now: Instant, window: Duration) -> usize {
        let mut keys = self.keys.lock();
        keys.expire(now, window);
        keys.len()
    }
}

/// An accepted poke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its place, or the first one's.
    pub sequence: i64,
    /// It had been accepted before, under the same key.
    pub duplicate: bool,
    /// How many streams of this node hold the interest.
    pub receivers: usize,
}

/// Why a poke or an end is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The interest has ended.
    #[error("the interest has ended")]
    Ended,
    /// The key stands for other content.
    #[error("the idempotency key has been used for other content")]
    Conflict,
    /// Too many ends are kept.
    #[error("there is no room for another end")]
    Full,
    /// Too much was published in too short a time.
    #[error(transparent)]
    TooFast(#[from] TooFast),
}

/// Who asks for something, when, and what they may.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The publisher, by a name that stays the same.
    pub publisher: &'a str,
    /// What the interest's domain allows.
    pub allowance: &'a Allowance,
    /// The time.
    pub now: Instant,
}

/// Every topic of this node.
#[derive(Debug)]
pub struct Registry {
    settings: Settings,
    /// SipHash with random keys: interests come from anyone.
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// The newest sequence. Taken under the lock of the log that it goes to: whoever reads it and then takes a log's
    /// lock finds there everything of that topic up to what it has read.
    head: AtomicI64,
    ages: Mutex<Ages>,
    /// Held by the one who makes room.
    reclaiming: Mutex<()>,
    stats: Stats,
}

#[derive(Debug, Default)]
struct Shard {
    topics: HashTable<Arc<Topic>>,
    floor: i64,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            head: AtomicI64::new(0),
            ages: Mutex::new(Ages::default()),
            reclaiming: Mutex::new(()),
            stats: Stats::default(),
        }
    }

    /// What it keeps to.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The newest sequence.
    #[must_use]
    pub fn head(&self) -> i64 {
        self.head.load(Ordering::SeqCst)
    }

    /// Appends a poke and wakes its subscribers; of a crowd only the first, and the rest is for the caller to go on with.
    /// `seal` makes what goes to them, once the sequence is known.
    ///
    /// # Errors
    /// The interest has ended, the key stands for other content, or it comes too fast. A key is looked up first, so that
    /// a repeat of what was accepted before still hears of its success.
    pub fn publish(
        &self,
        interest: &Interest,
        request: Request<'_>,
        id: Option<&PublishId>,
        seal: impl FnOnce(i64) -> Bytes,
    ) -> Result<(Accepted, Waking), Refused> {
        let now = request.now;
        let (topic, appended) = self.live(interest, |topic, mut log| {
            self.expire(&mut log, now);
            let appended = self.append(&mut log, request, id, seal);
            let queued = appended.is_ok() && self.enqueue(&mut log);
            drop(log);
            if queued {
                self.ages.lock().push(now, Arc::clone(topic));
            }
            (Arc::clone(topic), appended)
        });
        let sequence = match appended {
            Ok(Appended::New(sequence)) => sequence,
            Ok(Appended::Before(sequence)) => {
                self.forget_if_idle(&topic);
                let receivers = topic.watchers.lock().len();
                return Ok((Accepted { sequence, duplicate: true, receivers }, Waking::nobody(topic)));
            }
            Err(refused) => {
                self.forget_if_idle(&topic);
                return Err(refused);
            }
        };
        let (receivers, waking) = Waking::start(topic);
        if self.stats.retained_bytes.load(Ordering::Relaxed) > self.settings.budget {
            self.reclaim();
        }
        Ok((Accepted { sequence, duplicate: false, receivers }, waking))
    }

    /// Ends an interest and wakes its subscribers, as [`Registry::publish`] does. The first end wins: later ones get its
    /// sequence.
    ///
    /// # Errors
    /// [`Refused::Full`], and [`Refused::TooFast`] for what would be the first end.
    pub fn end(
        &self,
        interest: &Interest,
        request: Request<'_>,
        seal: impl FnOnce(i64) -> Bytes,
    ) -> Result<(i64, Waking), Refused> {
        let now = request.now;
        let (topic, ended) = self.live(interest, |topic, mut log| {
            self.expire(&mut log, now);
            let ended = match log.end() {
                Some(sequence) => Ok(sequence),
                None if self.stats.ends_bytes.load(Ordering::Relaxed) >= self.settings.ends_budget => {
                    Err(Refused::Full)
                }
                None => request.allowance.charge(request.publisher, now).map_err(Refused::from).map(|()| {
                    let sequence = self.next();
                    let cost = log.finish(sequence, seal(sequence), now);
                    self.stats.ends_bytes.fetch_add(cost, Ordering::Relaxed);
                    sequence
                }),
            };
            let queued = ended.is_ok() && self.enqueue(&mut log);
            drop(log);
            if queued {
                self.ages.lock().push(now, Arc::clone(topic));
            }
            (Arc::clone(topic), ended)
        });
        match ended {
            Ok(sequence) => Ok((sequence, Waking::start(topic).1)),
            Err(refused) => {
                self.forget_if_idle(&topic);
                Err(refused)
            }
        }
    }

    /// What it holds, and what it has let go.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    fn append(
        &self,
        log: &mut Log,
        Request { publisher, allowance, now }: Request<'_>,
        id: Option<&PublishId>,
        seal: impl FnOnce(i64) -> Bytes,
    ) -> Result<Appended, Refused> {
        let mut keys = id.map(|id| (id, allowance.keys.lock()));
        match keys.as_ref().and_then(|(id, keys)| keys.find(id, now, self.settings.window)) {
            Some(Repeat::Same(sequence)) => return Ok(Appended::Before(sequence)),
            Some(Repeat::Other) => return Err(Refused::Conflict),
            None if log.end().is_some() => return Err(Refused::Ended),
            None => allowance.charge(publisher, now)?,
        }
        let sequence = self.next();
        let frame = seal(sequence);
        let freed = log.make_room(frame.len(), allowance.retention);
        self.stats.charge(log.append(sequence, frame, now));
        self.stats.free(freed, &self.stats.evicted_limit);
        if let Some((id, keys)) = &mut keys {
            keys.insert(id, sequence, now, self.settings.window);
        }
        Ok(Appended::New(sequence))
    }

    /// The next sequence. The caller holds the lock of the log that it is for.
    fn next(&self) -> i64 {
        self.head.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Notes that a log waits in the queue of ages. Says whether it has to be put there.
    fn enqueue(&self, log: &mut Log) -> bool {
        !std::mem::replace(&mut log.queued, true)
    }

    fn shard(&self, interest: &Interest) -> (u64, &Mutex<Shard>) {
        let hash = self.hasher.hash_one(interest);
        // The table uses the low and the top bits of the hash, so the shard is chosen by some in between.
        (hash, &self.shards[(hash >> 32) as usize % SHARDS])
    }

    /// The topic of an interest, made if there is none. It can leave the registry before the caller has its lock.
    fn topic(&self, interest: &Interest) -> Arc<Topic> {
        let (hash, shard) = self.shard(interest);
        let mut shard = shard.lock();
        if let Some(topic) = shard.topics.find(hash, |topic| topic.interest == *interest) {
            return Arc::clone(topic);
        }
        let topic = Arc::new(Topic::new(interest.clone(), shard.floor));
        self.stats.topics.fetch_add(1, Ordering::Relaxed);
        let rehash = |topic: &Arc<Topic>| self.hasher.hash_one(&topic.interest);
        shard.topics.insert_unique(hash, Arc::clone(&topic), rehash);
        topic
    }

    /// Acts on the locked log of an interest's topic, on one that is still in the registry.
    fn live<T>(&self, interest: &Interest, act: impl FnOnce(&Arc<Topic>, MutexGuard<'_, Log>) -> T) -> T {
        loop {
            let topic = self.topic(interest);
            let log = topic.log.lock();
            if !log.gone {
                return act(&topic, log);
            }
        }
    }

    /// Takes a topic out if nothing of it is needed any more.
    fn forget_if_idle(&self, topic: &Arc<Topic>) {
        if !topic.is_idle() {
            return;
        }
        let (hash, shard) = self.shard(&topic.interest);
        let mut shard = shard.lock();
        let mut log = topic.log.lock();
        if log.gone || !log.is_empty() || !topic.watchers.lock().is_empty() {
            return;
        }
        log.gone = true;
        shard.floor = shard.floor.max(log.floor());
        if let Ok(entry) = shard.topics.find_entry(hash, |other| Arc::ptr_eq(other, topic)) {
            entry.remove();
            self.stats.topics.fetch_sub(1, Ordering::Relaxed);
        }
        let (len, capacity) = (shard.topics.len(), shard.topics.capacity());
        if capacity > 64 && len < capacity / 8 {
            shard.topics.shrink_to(len * 2, |topic| self.hasher.hash_one(&topic.interest));
        }
    }

    /// Lets go what is too old in a log.
    fn expire(&self, log: &mut Log, now: Instant) {
        let (freed, ended) = log.expire(now, self.settings.window);
        self.stats.free(freed, &self.stats.evicted_age);
        self.stats.ends_bytes.fetch_sub(ended.unwrap_or(0), Ordering::Relaxed);
    }
}

enum Appended {
    New(i64),
    Before(i64),
}
