//! Why two sides can't speak securely with each other, in words.

use std::{error::Error, fmt, io, iter};

use tokio_rustls::rustls::{self, AlertDescription as Alert, CertificateError, InvalidMessage};

/// Why there is no secure connection. Its text says it to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProblem {
    /// No authority that this client trusts has signed the server's certificate: it may need to be told of another.
    UnknownAuthority,
    /// The server's certificate isn't accepted, for this reason.
    Untrusted(String),
    /// The server asks for a certificate, and this client has none.
    CertificateRequired,
    /// The server doesn't accept this client's certificate.
    CertificateRefused,
    /// The server speaks plaintext: the URL should begin with `http:`.
    ServerIsPlain,
    /// The server speaks TLS: the URL should begin with `https:`.
    ServerSpeaksTls,
    /// The two have no version, cipher or protocol in common.
    Incompatible,
}

/// What a server's alerts mean.
const ALERTS: [(Alert, TlsProblem); 13] = [
    (Alert::CertificateRequired, TlsProblem::CertificateRequired),
    (Alert::BadCertificate, TlsProblem::CertificateRefused),
    (Alert::UnsupportedCertificate, TlsProblem::CertificateRefused),
    (Alert::CertificateRevoked, TlsProblem::CertificateRefused),
    (Alert::CertificateExpired, TlsProblem::CertificateRefused),
    (Alert::CertificateUnknown, TlsProblem::CertificateRefused),
    (Alert::UnknownCA, TlsProblem::CertificateRefused),
    (Alert::AccessDenied, TlsProblem::CertificateRefused),
    (Alert::DecryptError, TlsProblem::CertificateRefused),
    (Alert::ProtocolVersion, TlsProblem::Incompatible),
    (Alert::HandshakeFailure, TlsProblem::Incompatible),
    (Alert::InsufficientSecurity, TlsProblem::Incompatible),
    (Alert::NoApplicationProtocol, TlsProblem::Incompatible),
];

impl TlsProblem {
    /// The problem in a chain of errors, if it is one of TLS.
    pub(crate) fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        iter::successors(Some(error), |error| deeper(*error)).find_map(Self::of)
    }

    fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return (error.reason() == Some(h2::Reason::INADEQUATE_SECURITY)).then_some(Self::ServerSpeaksTls);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Self::of_text(&error.to_string());
        }
        match error.downcast_ref::<rustls::Error>()? {
            rustls::Error::InvalidCertificate(error) => {
                Some(untrusted(error).map_or(Self::UnknownAuthority, Self::Untrusted))
            }
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Some(Self::ServerIsPlain),
            rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => Some(Self::Incompatible),
            rustls::Error::AlertReceived(alert) => {
                ALERTS.iter().find(|(known, _)| known == alert).map(|(_, problem)| problem.clone())
            }
            _ => None,
        }
    }

    /// HTTP/2 keeps of what rustls said only the text.
    fn of_text(text: &str) -> Option<Self> {
        let said = |alert| rustls::Error::AlertReceived(alert).to_string();
        ALERTS.iter().find(|(alert, _)| text == said(*alert)).map(|(_, problem)| problem.clone())
    }
}

/// What is below an error. An I/O error passes over what it wraps when it is asked for its source.
fn deeper<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Why a certificate isn't accepted; `None` if nobody is known who has signed it.
fn untrusted(error: &CertificateError) -> Option<String> {
    let why = match error {
        // An authority of the same name, but with another key, is another authority.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => return None,
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            let presented = if presented.is_empty() { "no host".to_owned() } else { presented.join(", ") };
            return Some(format!("it isn't for {}, but for {presented}", expected.to_str()));
        }
        CertificateError::NotValidForName => "it is for another host",
        CertificateError::BadEncoding => "it is malformed",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it isn't valid yet",
        CertificateError::Revoked => "it was revoked",
        CertificateError::UnhandledCriticalExtension => "it has a critical extension that isn't known here",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => "its signature's algorithm isn't supported",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its extended key usage isn't that of a server"
        }
        // webpki says this by the name of its error alone.
        CertificateError::Other(error) if error.to_string() == "CaUsedAsEndEntity" => {
            "it is an authority's own (CA:TRUE), and a server needs one with basicConstraints CA:FALSE"
        }
        _ => "it can't be verified",
    };
    Some(why.into())
}

/// `localhost` from `DnsName("localhost")`, as rustls writes names.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAuthority => {
                "the server's certificate isn't trusted: no authority that this client trusts has signed it"
            }
            Self::Untrusted(why) => return write!(f, "the server's certificate isn't trusted: {why}"),
            Self::CertificateRequired => "the server wants a certificate of its client",
            Self::CertificateRefused => "the server doesn't accept the client's certificate",
            Self::ServerIsPlain => "the server doesn't speak TLS: use http://",
            Self::ServerSpeaksTls => "the server speaks TLS: use https://",
            Self::Incompatible => "the server and this client have no version of TLS, cipher or protocol in common",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test panics")]

    use tokio_rustls::rustls::pki_types::ServerName;
    use tonic::{ConnectError, Status};

    use super::*;

    /// As it comes out of a call: below an I/O error, below a connection's error, below a status.
    fn found(error: rustls::Error) -> Option<TlsProblem> {
        let io = io::Error::new(io::ErrorKind::InvalidData, error);
        TlsProblem::find(&Status::from_error(Box::new(ConnectError(io.into()))))
    }

    #[test]
    fn a_problem_is_found_below_a_status_and_said_in_words() {
        let error = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("poke.example").unwrap(),
            presented: vec!["DnsName(\"localhost\")".into(), "IpAddress(127.0.0.1)".into()],
        };
        assert_eq!(
            found(error.into()).unwrap().to_string(),
            "the server's certificate isn't trusted: it isn't for poke.example, but for localhost, 127.0.0.1"
        );
        assert_eq!(found(InvalidMessage::InvalidContentType.into()), Some(TlsProblem::ServerIsPlain));
        assert_eq!(
            found(rustls::Error::AlertReceived(Alert::CertificateRequired)),
            Some(TlsProblem::CertificateRequired)
        );
        assert_eq!(found(rustls::Error::AlertReceived(Alert::UnknownCA)), Some(TlsProblem::CertificateRefused));
        let text = rustls::Error::AlertReceived(Alert::CertificateRequired).to_string();
        assert_eq!(TlsProblem::find(&io::Error::other(text)), Some(TlsProblem::CertificateRequired));
    }

    #[test]
    fn other_errors_are_none() {
        assert_eq!(TlsProblem::find(&Status::unavailable("away")), None);
        assert_eq!(TlsProblem::find(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
        assert_eq!(found(rustls::Error::AlertReceived(Alert::InternalError)), None);
    }
}
