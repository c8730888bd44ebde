//! From files to what handshakes need, with everything checked that can be checked without a client.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use poke_proto::text::{self, PemError};
use tokio_rustls::rustls::{
    Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use x509_cert::{Certificate, der::Decode as _, ext::pkix::BasicConstraints, time::Validity};

use super::{
    ClientCertificates, Flaws, Settings, Version,
    files::{CERTIFICATE, CLIENT_CA, Contents, Files, KEY},
};
use crate::auth::certificate_fault;

/// What is spoken over TLS (RFC 7301), the preferred first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Tickets that a TLS 1.3 handshake gives out: one for the next connection, and one for when the first attempt at that is
/// lost on its way. Each is used once.
const TICKETS: usize = 2;

/// What handshakes need.
pub(super) struct Material {
    pub(super) config: Arc<ServerConfig>,
    /// When the first certificate of the chain expires, since the UNIX epoch.
    pub(super) expires: Duration,
    /// The server's own certificate is one that signs others.
    pub(super) is_of_authority: bool,
}

impl Material {
    /// Makes it from what the files hold.
    pub(super) fn new(files: &Files, contents: &Contents, settings: &Settings) -> Result<Self, Flaws> {
        let provider = Arc::new(ring::default_provider());
        let mut flaws = Flaws::default();
        let chain = flaws.note(CERTIFICATE, read_chain(&files.certificate, &contents.certificate));
        let key = flaws.note(KEY, read_key(&files.key, &contents.key));
        let authorities = match (&files.client_ca, &contents.client_ca) {
            (Some(path), Some(contents)) => flaws.note(CLIENT_CA, read_authorities(path, contents)).map(Some),
            _ => Some(None),
        };
        let pair = match (chain, key) {
            (Some((chain, expires)), Some(key)) => {
                let is_of_authority = chain.first().is_some_and(is_of_authority);
                flaws.join(pair(files, chain, key, &provider)).map(|pair| (pair, expires, is_of_authority))
            }
            _ => None,
        };
        match (pair, authorities) {
            (Some((pair, expires, is_of_authority)), Some(authorities)) => {
                let config = configure(pair, authorities, settings, provider)
                    .map_err(|error| Flaws::one(CERTIFICATE, format!("TLS can't be set up: {error}")))?;
                Ok(Self { config: Arc::new(config), expires, is_of_authority })
            }
            _ => Err(flaws),
        }
    }
}

type Chain = Vec<CertificateDer<'static>>;

fn read_chain(path: &Path, contents: &Result<Vec<u8>, String>) -> Result<(Chain, Duration), String> {
    let chain = read_certificates(path, contents)?;
    let mut expires = Duration::MAX;
    for certificate in &chain {
        let certificate = Certificate::from_der(certificate)
            .map_err(|error| format!("{} holds a malformed certificate: {error}", path.display()))?;
        let validity = certificate.tbs_certificate().validity();
        check_validity(validity).map_err(|problem| format!("{} {problem}", path.display()))?;
        expires = expires.min(validity.not_after.to_unix_duration());
    }
    Ok((chain, expires))
}

fn read_certificates(path: &Path, contents: &Result<Vec<u8>, String>) -> Result<Chain, String> {
    let pem = text::certificates(contents.as_ref()?).map_err(|error| unreadable(path, error))?;
    let certificates: Result<Chain, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    // The parser's own words repeat what it has read.
    certificates.map_err(|_| unreadable(path, PemError::Damaged))
}

/// Returns true if a certificate says that it signs others (RFC 5280, section 4.2.1.9).
fn is_of_authority(certificate: &CertificateDer<'_>) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate) else { return false };
    let constraints = certificate.tbs_certificate().get_extension::<BasicConstraints>();
    constraints.is_ok_and(|found| found.is_some_and(|(_, constraints)| constraints.ca))
}

fn unreadable(path: &Path, error: PemError) -> String {
    format!("{}: {error}", path.display())
}

fn check_validity(validity: &Validity) -> Result<(), String> {
    // A clock before 1970 finds that no certificate is valid yet.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let Validity { not_before, not_after, .. } = validity;
    if now > not_after.to_unix_duration() {
        return Err(format!("holds a certificate that expired at {not_after}"));
    }
    if now < not_before.to_unix_duration() {
        return Err(format!("holds a certificate that isn't valid before {not_before}"));
    }
    Ok(())
}

fn read_key(path: &Path, contents: &Result<Vec<u8>, String>) -> Result<PrivateKeyDer<'static>, String> {
    let pem = text::private_key(contents.as_ref()?).map_err(|error| unreadable(path, error))?;
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable(path, PemError::Damaged))
}

fn read_authorities(path: &Path, contents: &Result<Vec<u8>, String>) -> Result<RootCertStore, String> {
    let mut authorities = RootCertStore::empty();
    for certificate in read_certificates(path, contents)? {
        authorities.add(certificate).map_err(|_| format!("{} holds a malformed certificate", path.display()))?;
    }
    Ok(authorities)
}

/// A certificate and the key that belongs to it.
fn pair(
    files: &Files,
    chain: Chain,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Flaws> {
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let message = format!(
                    "{key} doesn't belong to the first certificate in {certificate}, which must be the server's own"
                );
                Flaws::one(KEY, message)
            }
            Error::InvalidCertificate(error) => {
                let why = certificate_fault(&error);
                Flaws::one(CERTIFICATE, format!("{certificate} holds a certificate that can't be used: {why}"))
            }
            error => Flaws::one(KEY, format!("{key} can't be used: {error}")),
        }
    })
}

fn configure(
    pair: CertifiedKey,
    authorities: Option<RootCertStore>,
    settings: &Settings,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, Box<dyn std::error::Error>> {
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        Version::Tls12 => &[&TLS13, &TLS12],
        Version::Tls13 => &[&TLS13],
    };
    let verifier = match authorities {
        Some(authorities) => verifier(authorities, settings.client_certificates, Arc::clone(&provider))?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = PROTOCOLS.map(Vec::from).into();
    // The clients of a lost server return all at once, and a resumed handshake saves the signature: two thirds of the
    // time with an RSA key. Tickets keep that state with the clients; those of another process are worth nothing. Data in
    // the first flight (0-RTT) stays off: whoever records a Publish could repeat it.
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = TICKETS;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn verifier(
    authorities: RootCertStore,
    wanted: ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Box<dyn std::error::Error>> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let verifier = match wanted {
        ClientCertificates::Required => verifier,
        ClientCertificates::Optional | ClientCertificates::Off => verifier.allow_unauthenticated(),
    };
    Ok(verifier.build()?)
}
