//! TLS for tests: certificates that are made as they run, and clients that speak it by hand.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
        version::{TLS12, TLS13},
    },
};

use crate::{Config, server::new_folder, within};

/// An authority that signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new authority, which nobody trusts yet.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        // No two have the same name: then it is by the name already that a stranger is told.
        params.distinguished_name.push(DnType::CommonName, format!("authority {:02x?}", &key.public_key_raw()[1..9]));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("the parameters are sound").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server on this machine.
    #[must_use]
    pub fn server(&self) -> Pair {
        self.sign(&["localhost", "127.0.0.1", "::1"], |_| {})
    }

    /// A certificate for a server on this machine that is an authority's as well.
    #[must_use]
    pub fn server_with_authority(&self) -> Pair {
        self.sign(&["localhost", "127.0.0.1", "::1"], |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
    }

    /// A certificate for a client of these names: hosts, IP addresses and URIs.
    #[must_use]
    pub fn client(&self, names: &[&str]) -> Pair {
        self.sign(names, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// A certificate that nobody should take any more.
    #[must_use]
    pub fn expired(&self) -> Pair {
        self.sign(&["localhost"], |params| params.not_after = date_time_ymd(2001, 1, 1))
    }

    fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| san(name)).collect();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("the parameters are sound");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn san(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(name.try_into().expect("it is ASCII")),
        Err(_) => SanType::DnsName(name.try_into().expect("it is ASCII")),
    }
}

/// A folder for the files of a server's TLS. Dropping it removes it.
#[derive(Debug)]
pub struct Files(PathBuf);

impl Files {
    /// A folder with this pair.
    #[must_use]
    pub fn new(pair: &Pair) -> Self {
        let files = Self(new_folder());
        files.replace(pair);
        files
    }

    /// The path of a file.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and gives its path.
    ///
    /// # Panics
    /// When that can't be done.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).expect("the temporary folder is writable");
        self.path(name)
    }

    /// Writes another pair over the first.
    pub fn replace(&self, pair: &Pair) {
        self.write("tls.crt", &pair.certificate);
        self.write("tls.key", &pair.key);
    }

    /// A server with this pair.
    #[must_use]
    pub fn config(&self) -> Config {
        let named = |config: Config, key, path: &Path| config.text(key, &path.display().to_string());
        let config = named(Config::new(), "tls.certificate", &self.path("tls.crt"));
        named(config, "tls.key", &self.path("tls.key"))
    }

    /// As [`Files::config`]; clients may (`optional`) or must (`required`) present a certificate that `authority` has signed.
    #[must_use]
    pub fn config_for_clients(&self, authority: &Authority, wanted: &str) -> Config {
        let path = self.write("clients.crt", authority.pem());
        self.config().text("tls.client_ca", &path.display().to_string()).text("tls.client_certificates", wanted)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What stays behind lies in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A client that trusts `authority`, and offers these protocols and these versions ("1.2" and "1.3").
///
/// # Panics
/// Never with a sound pair.
#[must_use]
pub fn client(authority: &Authority, protocols: &[&str], versions: &[&str], own: Option<&Pair>) -> Arc<ClientConfig> {
    let known: [(&str, &SupportedProtocolVersion); 2] = [("1.2", &TLS12), ("1.3", &TLS13)];
    let versions: Vec<_> =
        known.iter().filter(|(name, _)| versions.contains(name)).map(|(_, version)| *version).collect();
    let mut roots = RootCertStore::empty();
    roots.add(der(authority.pem())).expect("the authority's certificate is sound");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&versions)
        .expect("the provider has both versions")
        .with_root_certificates(roots);
    let mut config = match own {
        Some(Pair { certificate, key }) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("the test's key is PEM");
            config.with_client_auth_cert(vec![der(certificate)], key).expect("the pair is sound")
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// The certificate in a PEM text.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("the test's certificate is PEM")
}

/// Connects and does the handshake.
///
/// # Errors
/// When either side refuses the other during the handshake.
///
/// # Panics
/// When the server doesn't accept.
pub async fn connect(address: SocketAddr, client: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let socket = within("a connection", TcpStream::connect(address)).await.expect("the server accepts");
    let name = ServerName::try_from("localhost").expect("it is a name");
    within("a TLS handshake", TlsConnector::from(Arc::clone(client)).connect(name, socket)).await
}
