//! TLS: whom a client trusts, who it is, and how it connects.

mod connector;
mod problem;

use std::{error::Error, sync::Arc, time::Duration};

use poke_proto::text::{self, PemError};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

pub(crate) use self::connector::TlsConnector;
pub use self::problem::TlsProblem;

type BoxError = Box<dyn Error + Send + Sync>;

/// What can be set: all of it as PEM.
#[derive(Default)]
pub(crate) struct Tls {
    /// The certificates of the authorities that hold; without them those of the system.
    pub(crate) authorities: Option<Vec<u8>>,
    /// The client's certificate with its intermediate ones, and its key.
    pub(crate) certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    pub(crate) fn is_set(&self) -> bool {
        self.authorities.is_some() || self.certificate.is_some()
    }

    /// Connects within `timeout`, from the first packet to the end of the handshake.
    pub(crate) fn connector(&self, timeout: Duration) -> Result<TlsConnector, BoxError> {
        let roots = match &self.authorities {
            Some(pem) => named(pem)?,
            None => of_system()?,
        };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match &self.certificate {
            Some((certificates, key)) => config
                .with_client_auth_cert(
                    read(certificates).map_err(|error| format!("the certificate can't be read: {error}"))?,
                    read_key(key).map_err(|error| format!("the certificate's key can't be read: {error}"))?,
                )
                .map_err(|error| format!("the certificate and its key can't be used: {error}"))?,
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".into()];
        Ok(TlsConnector::new(config, timeout))
    }
}

fn named(pem: &[u8]) -> Result<RootCertStore, BoxError> {
    let mut roots = RootCertStore::empty();
    for certificate in read(pem).map_err(|error| format!("the authorities can't be read: {error}"))? {
        roots.add(certificate).map_err(|_| "an authority's certificate is malformed")?;
    }
    Ok(roots)
}

fn of_system() -> Result<RootCertStore, BoxError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!("this machine has no trusted authorities{why}: install them, or name one").into());
    }
    Ok(roots)
}

/// PEM that a program may have taken from a variable or a secret: see [`text`].
fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let pem = text::certificates(pem)?;
    // The parser's own words repeat what it has read.
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|_| PemError::Damaged)
}

fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(text::private_key(pem)?.as_bytes()).map_err(|_| PemError::Damaged)
}

/// Without the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}
