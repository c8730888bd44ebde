//! The public keys of an issuer, kept and renewed.
//!
//! Whoever makes up ids of keys must not make this server a burden to the issuer, nor keep others from theirs: all that
//! miss a key wait for one and the same fetch, and only so many are made in a minute. What is known stays known while
//! the issuer can't be reached.

mod set;
mod source;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

pub(super) use self::source::read;
use self::{set::KeySet, source::Source};
use super::issuer::IssuerSettings;
use crate::{
    changes,
    metrics::{Fetch, Metrics},
};

/// How issuers' keys are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// How long one fetch may take.
    pub timeout: Duration,
    /// The most bytes of a key set.
    pub max_bytes: usize,
    /// How often they are fetched anew.
    pub refresh: Duration,
    /// How often they are fetched in a minute at most, however many tokens name keys that aren't known.
    pub fetches_per_minute: usize,
}

impl Default for Fetching {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            max_bytes: 256 << 10,
            refresh: Duration::from_secs(300),
            fetches_per_minute: 2,
        }
    }
}

/// After what time a fetch that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys {
    source: Source,
    fetching: Fetching,
    /// What is known. Sent anew after each fetch, whether it went well or not.
    known: watch::Sender<Known>,
    fetches: Mutex<Fetches>,
    /// Wakes the one who fetches.
    wanted: Notify,
}

#[derive(Clone, Debug, Default)]
struct Known {
    keys: Arc<KeySet>,
    /// The last fetch failed: there may be keys that aren't known.
    is_stale: bool,
}

/// The fetches of the last minute.
#[derive(Debug, Default)]
struct Fetches {
    begun: VecDeque<Instant>,
    /// One is wanted, or being made.
    pending: bool,
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The issuer has no such key.
    Unknown,
    /// That can't be said now, but perhaps after this time.
    Unclear(Duration),
}

impl Keys {
    pub(super) fn new(settings: &IssuerSettings, fetching: Fetching) -> Self {
        let source = match (&settings.jwks_url, &settings.jwks_file) {
            (Some(url), _) => Source::Url(url.clone()),
            (None, file) => Source::File(file.clone().unwrap_or_default()),
        };
        // Until the first fetch.
        let known = Known { is_stale: true, ..Known::default() };
        Self { source, fetching, known: watch::Sender::new(known), fetches: Mutex::default(), wanted: Notify::new() }
    }

    pub(super) fn are_fetched_by(&self, fetching: Fetching) -> bool {
        self.fetching == fetching
    }

    /// The key that a token names, fetched if need be.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Missing> {
        let mut known = self.known.subscribe();
        if let Some(key) = known.borrow_and_update().keys.find(id, algorithm) {
            return Ok(key);
        }
        let known = self.fetched(known).await?;
        match known.keys.find(id, algorithm) {
            Some(key) => Ok(key),
            None if known.is_stale => Err(Missing::Unclear(RETRY_INTERVAL)),
            None => Err(Missing::Unknown),
        }
    }

    /// Fetches the keys, and returns the one that a token names. For a token that the known key hasn't signed: the issuer may
    /// have replaced that key under the same id.
    pub(super) async fn find_anew(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Missing> {
        let known = self.fetched(self.known.subscribe()).await?;
        // After a failed fetch there is only the key that has not signed the token.
        if known.is_stale {
            return Err(Missing::Unclear(RETRY_INTERVAL));
        }
        known.keys.find(id, algorithm).ok_or(Missing::Unknown)
    }

    /// Waits for the next fetch, and returns the keys that are known then.
    async fn fetched(&self, mut known: watch::Receiver<Known>) -> Result<Known, Missing> {
        self.want(Instant::now())?;
        // The sender is ours: it goes on as long as somebody fetches.
        let _ = known.changed().await;
        Ok(known.borrow().clone())
    }

    /// Asks for a fetch, or joins the one that is being made.
    fn want(&self, now: Instant) -> Result<(), Missing> {
        let mut fetches = self.fetches.lock();
        if !fetches.pending {
            // To read a file is a burden to nobody.
            if let Source::Url(_) = self.source {
                fetches.spare(now, self.fetching.fetches_per_minute).map_err(Missing::Unclear)?;
                fetches.begin(now);
            }
            fetches.pending = true;
            self.wanted.notify_one();
        }
        Ok(())
    }

    /// Fetches at once, then now and then, and when asked. Runs until it is dropped, and can be run again.
    pub(super) async fn run(&self, alias: &str, metrics: &Metrics) {
        let mut failing = false;
        self.fetches.lock().begin(Instant::now());
        loop {
            self.fetches.lock().pending = true;
            let read = self.source.read(&self.fetching).await;
            let next = Instant::now() + self.pause(read.is_err());
            match read {
                Ok(keys) => {
                    metrics.jwks_fetches.inc(Fetch::Ok);
                    if std::mem::take(&mut failing) {
                        tracing::info!(issuer = alias, "the issuer's keys can be read again");
                    }
                    self.publish(Known { keys: Arc::new(keys), is_stale: false });
                }
                Err(error) => {
                    metrics.jwks_fetches.inc(Fetch::Failed);
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(
                            issuer = alias,
                            error,
                            "the issuer's keys can't be read: those that are known stay"
                        );
                    }
                    let keys = Arc::clone(&self.known.borrow().keys);
                    self.publish(Known { keys, is_stale: true });
                }
            }
            tokio::select! {
                () = self.wanted.notified() => {}
                () = sleep_until(next) => self.fetches.lock().begin(Instant::now()),
            }
        }
    }

    /// Before others see it, so that whoever still misses a key asks anew.
    fn publish(&self, known: Known) {
        self.fetches.lock().pending = false;
        self.known.send_replace(known);
    }

    fn pause(&self, failed: bool) -> Duration {
        match (&self.source, failed) {
            (Source::File(_), _) => changes::INTERVAL,
            (Source::Url(_), true) => RETRY_INTERVAL.min(self.fetching.refresh),
            (Source::Url(_), false) => self.fetching.refresh,
        }
    }
}

impl Fetches {
    /// Counts one.
    fn begin(&mut self, now: Instant) {
        self.forget(now);
        self.begun.push_back(now);
    }

    /// Whether there may be one now, or when there may be.
    fn spare(&mut self, now: Instant, per_minute: usize) -> Result<(), Duration> {
        self.forget(now);
        match self.begun.front() {
            Some(begun) if self.begun.len() >= per_minute => Err(MINUTE - now.duration_since(*begun)),
            _ => Ok(()),
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.begun.front().is_some_and(|begun| now.duration_since(*begun) >= MINUTE) {
            self.begun.pop_front();
        }
    }
}
