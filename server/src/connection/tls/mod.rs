//! TLS: the handshake, and who a client is by its certificate.

mod files;
mod flaw;
mod goodbye;
mod material;
mod plaintext;
mod reload;
mod settings;
mod words;

#[cfg(test)]
mod tests;

use std::{fmt, io, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, HandshakeKind, ServerConfig, ServerConnection},
    server::TlsStream,
};

use poke_proto::text;

use self::{
    files::{CERTIFICATE, Files},
    material::Material,
    plaintext::Plaintext,
};
pub use self::{
    flaw::{Flaw, Flaws},
    settings::{ClientCertificates, Settings, Version},
};
use super::{Connection, handle::Ask};
use crate::{
    auth::PeerIdentity,
    changes::Fingerprint,
    metrics::{ConnectionEnd, Handshake, Metrics, TlsFailure},
};

/// Bytes that TLS holds back for a client that is slow to read: one frame of the usual size. More waits in HTTP's buffer.
const SEND_BUFFER: usize = 16 << 10;

/// Bytes of a client that are looked at to tell TLS from other protocols.
const FIRST: usize = 8;

/// Does handshakes, with a certificate that is replaced as its files change.
pub struct Tls {
    settings: Settings,
    files: Files,
    /// What new handshakes use.
    current: Mutex<Arc<ServerConfig>>,
    /// Of what the files held at the start.
    first: Fingerprint,
    metrics: Arc<Metrics>,
}

impl Settings {
    /// Reads the files and checks everything that can be checked without a client. Blocks.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn check(&self) -> Result<(), Flaws> {
        self.load().map(drop)
    }

    /// Returns a sentence about a certificate that is allowed, but that some clients don't accept. Blocks.
    pub fn caution(&self) -> Option<String> {
        let (files, material, _) = self.load().ok()??;
        material.is_of_authority.then(|| caution(&files))
    }

    fn load(&self) -> Result<Option<(Files, Material, Fingerprint)>, Flaws> {
        let Some(files) = Files::of(self)? else { return Ok(None) };
        let contents = files.read();
        let material = Material::new(&files, &contents, self)?;
        Ok(Some((files, material, contents.fingerprint())))
    }
}

impl Tls {
    /// Reads the files that `settings` name; `None` if they name none. Blocks.
    ///
    /// # Errors
    /// With everything that is wrong with the settings and the files.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Option<Self>, Flaws> {
        let Some((files, material, first)) = settings.load()? else { return Ok(None) };
        metrics.tls_certificate_expiry_seconds.set(seconds(&material));
        let current = Mutex::new(material.config);
        Ok(Some(Self { settings: settings.clone(), files, current, first, metrics }))
    }

    /// Greets a client: the connection over TLS, or how it ended. Who the client is goes to `connection`.
    pub(super) async fn greet(
        &self,
        socket: TcpStream,
        connection: &Connection,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, ConnectionEnd> {
        // Unless something more is known when the time is up.
        let mut end = ConnectionEnd::Handshake;
        let greeted = tokio::select! {
            biased;
            ask = connection.asked() => return Err(match ask {
                Ask::Close => ConnectionEnd::Cut,
                Ask::Retire | Ask::CountMoving => ConnectionEnd::Closed,
            }),
            greeted = timeout_at(deadline, self.handshake(socket, connection, &mut end)) => greeted,
        };
        greeted.ok().flatten().ok_or(end)
    }

    /// Does the handshake; if it fails, says so at once, and then takes leave of the client.
    async fn handshake(
        &self,
        socket: TcpStream,
        connection: &Connection,
        end: &mut ConnectionEnd,
    ) -> Option<TlsStream<TcpStream>> {
        let (failure, socket) = match self.accept(socket, connection).await {
            Ok(stream) => return Some(stream),
            Err(failed) => failed,
        };
        tracing::debug!(connection = connection.id(), %failure, "the TLS handshake failed");
        *end = ConnectionEnd::Lost;
        if let Some(reason) = failure.reason() {
            *end = ConnectionEnd::Tls;
            self.metrics.tls_failures.inc(reason);
        }
        if let Failure::Plaintext(plaintext) = failure {
            plaintext.answer(socket).await;
        } else {
            goodbye::part(socket).await;
        }
        None
    }

    /// A failure comes with the socket; if TLS has something to say about it, that is sent already.
    async fn accept(
        &self,
        socket: TcpStream,
        connection: &Connection,
    ) -> Result<TlsStream<TcpStream>, (Failure, TcpStream)> {
        let mut first = [0; FIRST];
        let failure = match socket.peek(&mut first).await {
            Ok(0) => Some(Failure::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(seen) => Plaintext::recognise(&first[..seen]).map(Failure::Plaintext),
            Err(error) => Some(Failure::Lost(error)),
        };
        if let Some(failure) = failure {
            return Err((failure, socket));
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.lock()));
        let accepting = acceptor.accept_with(socket, |tls| tls.set_buffer_limit(Some(SEND_BUFFER)));
        let stream = accepting.into_fallible().await.map_err(|(error, socket)| (error.into(), socket))?;
        match self.admit(stream.get_ref().1, connection) {
            Ok(()) => Ok(stream),
            Err(failure) => Err((failure, stream.into_inner().0)),
        }
    }

    /// Looks at who has come.
    fn admit(&self, tls: &ServerConnection, connection: &Connection) -> Result<(), Failure> {
        if let Some(certificate) = tls.peer_certificates().and_then(<[_]>::first) {
            let identity = PeerIdentity::read(certificate).map_err(|_| Failure::Identity)?;
            // A resumed session doesn't verify the certificate again.
            if identity.has_expired() {
                return Err(Failure::Tls(rustls::CertificateError::Expired.into()));
            }
            tracing::debug!(connection = connection.id(), %identity, "the client has proved who it is");
            connection.identify(identity);
        }
        let is_resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
        self.metrics.tls_handshakes.inc(if is_resumed { Handshake::Resumed } else { Handshake::Full });
        Ok(())
    }
}

/// About the certificate of an authority in the place of a server's.
fn caution(files: &Files) -> String {
    format!(
        "{CERTIFICATE}: {} is the certificate of an authority (CA:TRUE), which poke and other clients don't accept as a \
         server's: make one with basicConstraints CA:FALSE",
        text::masked(&files.certificate.display().to_string())
    )
}

/// For a metric.
fn seconds(material: &Material) -> i64 {
    i64::try_from(material.expires.as_secs()).unwrap_or(i64::MAX)
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the client left: {0}")]
    Lost(#[source] io::Error),
    #[error("the client sent {}", .0.name())]
    Plaintext(Plaintext),
    #[error("{}", words::failure(.0))]
    Tls(#[from] rustls::Error),
    #[error("the client's certificate can't be read")]
    Identity,
}

/// tokio-rustls wraps what rustls says into an I/O error.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        error.downcast::<rustls::Error>().map_or_else(Self::Lost, Self::Tls)
    }
}

impl Failure {
    /// How it is counted; `None` if the client just left.
    fn reason(&self) -> Option<TlsFailure> {
        Some(match self {
            Self::Lost(_) => return None,
            Self::Plaintext(_) => TlsFailure::Plaintext,
            Self::Identity => TlsFailure::Certificate,
            Self::Tls(error) => match error {
                rustls::Error::NoApplicationProtocol => TlsFailure::Protocol,
                rustls::Error::PeerIncompatible(_) => TlsFailure::Incompatible,
                rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_) => {
                    TlsFailure::Certificate
                }
                rustls::Error::AlertReceived(_) => TlsFailure::Refused,
                _ => TlsFailure::Invalid,
            },
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}
