//! A new configuration while the server runs.

use std::{mem, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::{
    auth::Auth,
    backplane::Backplane,
    config::{Config, Fingerprint, Mistakes, Source},
    domain::Domains,
    stream::Streams,
};

/// How often the file is read: as often as those of TLS, and for the same reasons.
const INTERVAL: Duration = Duration::from_secs(2);

/// What can be replaced while the server runs: which domains there are, and who may do what.
pub(crate) struct Reload<B> {
    pub(crate) source: Source,
    /// What holds.
    pub(crate) config: Config,
    pub(crate) domains: Arc<Domains>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) streams: Arc<Streams<B>>,
}

impl<B: Backplane> Reload<B> {
    /// Takes a new configuration when the file has changed, and when `told` says so: all of it or, if it has a mistake,
    /// nothing. Runs until it is dropped.
    pub(crate) async fn run(mut self, mut told: watch::Receiver<()>) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watched = Watched::new(self.source.fingerprint());
        loop {
            let told = tokio::select! {
                _ = ticks.tick() => false,
                Ok(()) = told.changed() => true,
            };
            let source = self.source.clone();
            let Ok(fingerprint) = spawn_blocking(move || source.fingerprint()).await else { return };
            if let Some(look) = watched.look(fingerprint, told) {
                let source = self.source.clone();
                let Ok(read) = spawn_blocking(move || source.read()).await else { return };
                if self.take(read, look) {
                    watched.took(fingerprint);
                }
            } else if told {
                tracing::info!("the configuration hasn't changed");
            }
        }
    }

    /// Whether it could be taken.
    fn take(&mut self, read: Result<Config, Mistakes>, look: Look) -> bool {
        let metrics = self.streams.metrics();
        let new = match read {
            Ok(new) => new,
            Err(_) if look == Look::Again => return false,
            Err(mistakes) => {
                metrics.config_reload_failed.inc();
                let mistakes = mistakes.to_string().replace('\n', "; ");
                tracing::warn!(mistakes, "the new configuration can't be used: the old one stays");
                return false;
            }
        };
        if self.config.auth.has_several_customer_issuers() != new.auth.has_several_customer_issuers() {
            metrics.config_reload_failed.inc();
            tracing::warn!(
                "between one issuer of customers and several all customers' ids change, which takes a restart: the old \
                 configuration stays"
            );
            return false;
        }
        let waiting = self.config.needs_restart(&new);
        self.domains.replace(new.domains.named(), new.domains.others.as_ref());
        self.auth.replace(&new.auth, new.domains.access(), new.domains.others_access());
        // Streams look at the new rules, so these have to be there.
        self.streams.review(&self.auth);
        metrics.config_reloads.inc();
        tracing::info!("the configuration was replaced");
        new.cautions().iter().for_each(|caution| tracing::warn!("{caution}"));
        if !waiting.is_empty() {
            tracing::warn!(settings = waiting.join(", "), "these settings hold from the next start on");
        }
        self.config.domains = new.domains;
        self.config.auth = new.auth;
        true
    }
}

/// What is known of the file.
struct Watched {
    /// What it held at the last look.
    seen: Fingerprint,
    /// What was last read, whether it could be used or not.
    read: Fingerprint,
    /// What holds.
    taken: Fingerprint,
}

/// How to read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// With a complaint if it can't be used.
    New,
    /// Silently: it couldn't be used before, but it names other files, and they may have changed.
    Again,
}

impl Watched {
    fn new(taken: Fingerprint) -> Self {
        Self { seen: taken, read: taken, taken }
    }

    /// Whether to read it: if it isn't what holds, and is the same at two looks, so that it isn't being written just then;
    /// at once if somebody has told so.
    fn look(&mut self, fingerprint: Fingerprint, told: bool) -> Option<Look> {
        let is_settled = mem::replace(&mut self.seen, fingerprint) == fingerprint;
        if fingerprint == self.taken {
            // Whatever was wrong in between is new if it comes back.
            self.read = fingerprint;
            return None;
        }
        if !is_settled && !told {
            return None;
        }
        let is_new = mem::replace(&mut self.read, fingerprint) != fingerprint;
        Some(if is_new || told { Look::New } else { Look::Again })
    }

    fn took(&mut self, fingerprint: Fingerprint) {
        self.taken = fingerprint;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_when_it_has_settled_or_at_once_when_told_and_complained_about_once() {
        let [old, half, new] = [1, 2, 3].map(|byte| [byte; 32]);
        let mut watched = Watched::new(old);
        assert_eq!([watched.look(old, false), watched.look(old, true)], [None, None]);
        assert_eq!([watched.look(half, false), watched.look(new, false)], [None, None]);
        assert_eq!(watched.look(new, false), Some(Look::New));
        assert_eq!(watched.look(new, false), Some(Look::Again));
        assert_eq!(watched.look(new, true), Some(Look::New), "who asks hears of it");
        assert_eq!([watched.look(old, false), watched.look(new, true)], [None, Some(Look::New)]);
        watched.took(new);
        assert_eq!([watched.look(new, false), watched.look(new, true)], [None, None]);
        assert_eq!(watched.look(old, true), Some(Look::New));
    }
}
