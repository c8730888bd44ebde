//! Who a client is by its certificate.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{CertificateError, OtherError};
use x509_cert::{
    Certificate,
    der::{self, Decode as _},
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// The names in a client's certificate, which an authority of `tls.client_ca` has signed: who holds its key is one of
/// them. Only the names in `subjectAltName` count (RFC 9525, section 2): the subject's own form has never been agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    dns_names: Vec<String>,
    uris: Vec<String>,
    /// Since the UNIX epoch.
    expires: Duration,
}

impl PeerIdentity {
    /// Reads a verified certificate.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Result<Self, der::Error> {
        let certificate = Certificate::from_der(certificate)?;
        let certificate = certificate.tbs_certificate();
        let (mut dns_names, mut uris) = (Vec::new(), Vec::new());
        if let Some((_, SubjectAltName(names))) = certificate.get_extension()? {
            for name in names {
                match name {
                    GeneralName::DnsName(name) => dns_names.push(name.as_str().to_ascii_lowercase()),
                    GeneralName::UniformResourceIdentifier(uri) => uris.push(uri.to_string()),
                    _ => {}
                }
            }
        }
        Ok(Self { dns_names, uris, expires: certificate.validity().not_after.to_unix_duration() })
    }

    /// Its DNS names, in lower case. A wildcard (`*.example.com`) is a name like any other here: it names no host.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.dns_names.iter().map(String::as_str)
    }

    /// Its URIs, as they are written.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.uris.iter().map(String::as_str)
    }

    /// Its SPIFFE ID (`spiffe://trust-domain/path`). A certificate with more than one URI has none (X.509-SVID,
    /// section 2).
    #[must_use]
    pub fn spiffe_id(&self) -> Option<&str> {
        match self.uris.as_slice() {
            [uri] if uri.starts_with("spiffe://") => Some(uri),
            _ => None,
        }
    }

    /// Whether the certificate no longer holds.
    pub(crate) fn has_expired(&self) -> bool {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|now| now > self.expires)
    }
}

/// Its names. Whatever an authority has signed, they are one line.
impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.uris().chain(self.dns_names());
        match names.next() {
            Some(first) => write!(f, "{}", first.escape_debug())?,
            None => f.write_str("nameless")?,
        }
        names.try_for_each(|name| write!(f, ", {}", name.escape_debug()))
    }
}

/// Returns why a certificate isn't accepted: as the end of a sentence about it.
pub(crate) fn certificate_fault(error: &CertificateError) -> &'static str {
    match error {
        // An authority of the same name, but with another key, is another authority.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "no authority that is trusted here has signed it"
        }
        CertificateError::BadEncoding => "it is malformed",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it isn't valid yet",
        CertificateError::Revoked => "it was revoked",
        CertificateError::UnhandledCriticalExtension => "it has a critical extension that isn't known here",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => "its signature's algorithm isn't supported",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its extended key usage is for another purpose"
        }
        CertificateError::Other(error) if is_of_authority(error) => "it is an authority's own (CA:TRUE)",
        _ => "it can't be verified",
    }
}

/// webpki says this by the name of its error alone.
fn is_of_authority(error: &OtherError) -> bool {
    error.to_string() == "CaUsedAsEndEntity"
}
