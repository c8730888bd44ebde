//! What can be set of TLS.

use std::path::PathBuf;

/// How TCP listeners speak TLS: not at all unless both `certificate` and `key` are set. UNIX sockets stay plain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// A PEM file with the server's certificate, and the intermediate ones behind it.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the certificate's private key.
    pub key: Option<PathBuf>,
    /// A PEM file with the certificates of the authorities that sign clients' certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether clients present certificates.
    pub client_certificates: ClientCertificates,
    /// The oldest version that is spoken.
    pub min_version: Version,
}

/// Whether clients present certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They aren't asked for one.
    #[default]
    Off,
    /// They may: who presents none is anonymous, who presents one that doesn't hold is refused.
    Optional,
    /// They must.
    Required,
}

/// A version of TLS. Older ones are never spoken (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2, and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}
