//! What the servers prove who they are with, and the clients that believe it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, client::Resumption, crypto::ring, pki_types::ServerName,
};

use crate::Fault;

/// A certificate for localhost that signs itself, on P-256, and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    /// PEM files.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    client: Arc<ClientConfig>,
}

impl Identity {
    pub(crate) fn make(folder: &Path) -> Result<Self, Fault> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec()];
        // Every handshake is a whole one, as of clients that come for the first time.
        client.resumption = Resumption::disabled();
        Ok(Self { certificate: fs::canonicalize(certificate)?, key: fs::canonicalize(key)?, client: client.into() })
    }

    pub(crate) fn connect(&self) -> Result<ClientConnection, Fault> {
        let mut connection = ClientConnection::new(Arc::clone(&self.client), ServerName::try_from("localhost")?)?;
        connection.set_buffer_limit(None);
        Ok(connection)
    }
}
