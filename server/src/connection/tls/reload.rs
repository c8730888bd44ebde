//! New certificates while the server runs.

use std::sync::Arc;

use tokio::{sync::watch, task::spawn_blocking};

use super::{Tls, caution, files::Contents, material::Material, seconds};
use crate::changes::{Changes, Looks, Reading};

impl Tls {
    /// Loads the files whenever they have changed, and when `reload` says so. New handshakes use what they hold; open
    /// connections go on. What is broken changes nothing, and is complained about once. Runs until it is dropped.
    pub async fn run(self: Arc<Self>, reload: watch::Receiver<()>) {
        let (mut looks, mut changes) = (Looks::new(reload), Changes::new(self.first));
        loop {
            let told = looks.next().await;
            let files = self.files.clone();
            let Ok(contents) = spawn_blocking(move || files.read()).await else { return };
            self.look(&mut changes, &contents, told);
        }
    }

    /// Loads what the files hold, if that is due: certificate and key are two files, and while they are being replaced they
    /// don't belong together.
    pub(super) fn look(&self, changes: &mut Changes, contents: &Contents, told: bool) {
        let fingerprint = contents.fingerprint();
        let Some(reading) = changes.look(fingerprint, told) else {
            if told {
                tracing::info!("the files of TLS haven't changed");
            }
            return;
        };
        match Material::new(&self.files, contents, &self.settings) {
            Ok(material) => {
                if material.is_of_authority {
                    tracing::warn!("{}", caution(&self.files));
                }
                self.install(material);
                changes.took(fingerprint);
                tracing::info!("the certificate was replaced");
            }
            // It is tried again all the same: a certificate may not be valid yet.
            Err(_) if reading == Reading::Again => {}
            Err(flaws) => {
                self.metrics.tls_reload_failed.inc();
                tracing::warn!(%flaws, "the new certificate can't be used: the old one stays");
            }
        }
    }

    fn install(&self, material: Material) {
        self.metrics.tls_certificate_expiry_seconds.set(seconds(&material));
        self.metrics.tls_reloads.inc();
        *self.current.lock() = material.config;
    }
}
