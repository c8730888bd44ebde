//! The files that settings name: read together, and compared by what they hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{ClientCertificates, Flaws, Settings};
use crate::changes::Fingerprint;

pub(super) const CERTIFICATE: &str = "tls.certificate";
pub(super) const KEY: &str = "tls.key";
pub(super) const CLIENT_CA: &str = "tls.client_ca";
const CLIENT_CERTIFICATES: &str = "tls.client_certificates";

/// Where the files are. The settings go together: there is a CA exactly if clients' certificates are asked for.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) client_ca: Option<PathBuf>,
}

impl Files {
    /// The files that `settings` name; `None` without TLS.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, Flaws> {
        let mut flaws = Flaws::default();
        let asks = settings.client_certificates != ClientCertificates::Off;
        if asks && settings.client_ca.is_none() {
            flaws.add(
                CLIENT_CERTIFICATES,
                "tls.client_certificates needs tls.client_ca, whose certificates are to hold",
            );
        } else if !asks && settings.client_ca.is_some() {
            let message = "tls.client_ca does nothing while tls.client_certificates is \"off\"; set that to \
                           \"optional\" or \"required\"";
            flaws.add(CLIENT_CA, message);
        }
        let files = match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => {
                Some(Self { certificate: certificate.clone(), key: key.clone(), client_ca: settings.client_ca.clone() })
            }
            (Some(_), None) => {
                flaws.add(CERTIFICATE, "tls.certificate needs tls.key, the certificate's private key");
                None
            }
            (None, Some(_)) => {
                flaws.add(KEY, "tls.key needs tls.certificate, the key's certificate");
                None
            }
            (None, None) => {
                if asks {
                    flaws.add(CLIENT_CERTIFICATES, "tls.client_certificates needs tls.certificate and tls.key");
                }
                None
            }
        };
        if flaws.0.is_empty() { Ok(files) } else { Err(flaws) }
    }

    /// Reads all of them. Blocks.
    pub(super) fn read(&self) -> Contents {
        Contents {
            certificate: read(&self.certificate),
            key: read(&self.key),
            client_ca: self.client_ca.as_deref().map(read),
        }
    }
}

/// What the files hold, or why they can't be read.
pub(super) struct Contents {
    pub(super) certificate: Result<Vec<u8>, String>,
    pub(super) key: Result<Vec<u8>, String>,
    pub(super) client_ca: Option<Result<Vec<u8>, String>>,
}

impl Contents {
    /// Equal for equal contents.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            let (is_read, bytes) = match part {
                Ok(bytes) => (1, bytes.as_slice()),
                Err(message) => (0, message.as_bytes()),
            };
            hash.update([is_read]);
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        }
        hash.finalize().into()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{} can't be read: {error}", path.display()))
}
