//! New certificates while the server runs.

use std::{mem, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use super::{
    Current, Tls,
    files::{Contents, Fingerprint},
    material::Material,
    seconds,
};

/// How often the files are read: they are small, and what they hold tells more than their times, as where a symbolic link
/// in front of them is moved.
const INTERVAL: Duration = Duration::from_secs(2);

impl Tls {
    /// Loads the files whenever they have changed, and when `reload` says so. New handshakes use what they hold; open
    /// connections go on. What is broken changes nothing, and is complained about once. Runs until it is dropped.
    pub async fn run(self: Arc<Self>, mut reload: watch::Receiver<()>) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watched = Watched::new(self.fingerprint());
        loop {
            let told = tokio::select! {
                _ = ticks.tick() => false,
                Ok(()) = reload.changed() => true,
            };
            let files = self.files.clone();
            let Ok(contents) = spawn_blocking(move || files.read()).await else { return };
            watched.look(&self, &contents, told);
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        self.current.lock().fingerprint
    }

    fn install(&self, material: Material, fingerprint: Fingerprint) {
        self.metrics.tls_certificate_expiry_seconds.set(seconds(&material));
        self.metrics.tls_reloads.inc();
        *self.current.lock() = Current { config: material.config, fingerprint };
    }
}

/// What is known of the files.
pub(super) struct Watched {
    /// What they held at the last look.
    seen: Fingerprint,
    /// What was already complained about.
    refused: Option<Fingerprint>,
}

impl Watched {
    pub(super) fn new(seen: Fingerprint) -> Self {
        Self { seen, refused: None }
    }

    /// Loads what the files hold, if that is due: at once if somebody has told so.
    pub(super) fn look(&mut self, tls: &Tls, contents: &Contents, told: bool) {
        let fingerprint = contents.fingerprint();
        // Certificate and key are two files: while they are being replaced they don't belong together.
        let is_settled = mem::replace(&mut self.seen, fingerprint) == fingerprint;
        if fingerprint == tls.fingerprint() {
            self.refused = None;
            if told {
                tracing::info!("the files of TLS haven't changed");
            }
            return;
        }
        if !is_settled && !told {
            return;
        }
        // What was refused is tried again, silently: a certificate may not be valid yet.
        match Material::new(&tls.files, contents, &tls.settings) {
            Ok(material) => {
                tls.install(material, fingerprint);
                self.refused = None;
                tracing::info!("the certificate was replaced");
            }
            Err(flaws) if told || self.refused != Some(fingerprint) => {
                tls.metrics.tls_reload_failed.inc();
                self.refused = Some(fingerprint);
                tracing::warn!(%flaws, "the new certificate can't be used: the old one stays");
            }
            Err(_) => {}
        }
    }
}
