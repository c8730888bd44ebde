//! Errors of rustls in an operator's words, because its own are for programmers.

use std::borrow::Cow;

use tokio_rustls::rustls::{AlertDescription as Alert, Error};

use crate::auth::certificate_fault;

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
            format!("the client's certificate isn't accepted: {}", certificate_fault(error)).into()
        }
        Error::NoCertificatesPresented => "the client presents no certificate".into(),
        Error::NoApplicationProtocol => "the client offers neither h2 nor http/1.1".into(),
        Error::PeerIncompatible(_) => "the client has no version or cipher in common with the server".into(),
        Error::InvalidMessage(_) => "what the client sent isn't TLS".into(),
        error => error.to_string().into(),
    }
}
