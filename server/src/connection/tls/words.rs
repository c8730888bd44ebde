//! What rustls says, in words: its own are for programmers.

use std::borrow::Cow;

use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError, Error, OtherError};

/// Returns why a handshake with a client failed.
pub(super) fn failure(error: &Error) -> Cow<'static, str> {
    match error {
        Error::AlertReceived(alert) => match alert {
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::AccessDenied
            | Alert::DecryptError => format!("the client doesn't accept the server's certificate ({alert:?})").into(),
            Alert::ProtocolVersion
            | Alert::HandshakeFailure
            | Alert::InsufficientSecurity
            | Alert::NoApplicationProtocol => {
                format!("the client has no version, cipher or protocol in common with the server ({alert:?})").into()
            }
            alert => format!("the client ended the handshake ({alert:?})").into(),
        },
        Error::InvalidCertificate(error) => {
            format!("the client's certificate isn't accepted: {}", certificate(error)).into()
        }
        Error::NoCertificatesPresented => "the client presents no certificate".into(),
        Error::NoApplicationProtocol => "the client offers neither h2 nor http/1.1".into(),
        Error::PeerIncompatible(_) => "the client has no version or cipher in common with the server".into(),
        Error::InvalidMessage(_) => "what the client sent isn't TLS".into(),
        error => error.to_string().into(),
    }
}

/// Returns why a certificate isn't accepted: as the end of a sentence about it.
pub(super) fn certificate(error: &CertificateError) -> &'static str {
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
