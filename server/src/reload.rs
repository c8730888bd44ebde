//! A new configuration while the server runs.

use std::sync::Arc;

use tokio::{sync::watch, task::spawn_blocking};

use crate::{
    auth::Auth,
    backplane::Backplane,
    changes::{Changes, Looks, Reading},
    config::{Config, Mistakes, Source},
    domain::Domains,
    stream::Streams,
};

/// What can be replaced while the server runs: which domains there are, and who may do what.
pub(crate) struct Reload<B> {
    pub(crate) source: Source,
    /// What holds.
    pub(crate) config: Config,
    pub(crate) domains: Arc<Domains>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) streams: Arc<Streams<B>>,
    /// Versions of the file that were read already.
    pub(crate) changes: Changes,
}

impl<B: Backplane> Reload<B> {
    /// Takes a new configuration when the file has changed, and when `told` says so: all of it or, if it has a mistake,
    /// nothing. Runs until it is dropped, and can be run again.
    pub(crate) async fn run(&mut self, told: watch::Receiver<()>) {
        let mut looks = Looks::new(told);
        loop {
            let told = looks.next().await;
            let source = self.source.clone();
            let Ok(fingerprint) = spawn_blocking(move || source.fingerprint()).await else { return };
            if let Some(reading) = self.changes.look(fingerprint, told) {
                let source = self.source.clone();
                let read = move || source.read().map(|config| (config.cautions(), config));
                let Ok(read) = spawn_blocking(read).await else { return };
                if self.take(read, reading) {
                    self.changes.took(fingerprint);
                }
            } else if told {
                tracing::info!("the configuration hasn't changed");
            }
        }
    }

    /// Whether it could be taken.
    fn take(&mut self, read: Result<(Vec<String>, Config), Mistakes>, reading: Reading) -> bool {
        let metrics = self.streams.metrics();
        let (cautions, new) = match read {
            Ok(new) => new,
            Err(_) if reading == Reading::Again => return false,
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
        cautions.iter().for_each(|caution| tracing::warn!("{caution}"));
        if !waiting.is_empty() {
            tracing::warn!(settings = waiting.join(", "), "these settings hold from the next start on");
        }
        self.config.take(new);
        true
    }
}
