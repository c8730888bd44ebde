//! Connections: accepted, bounded in number and time, and told when to go.
//!
//! tonic's server can neither send GOAWAY on one connection, nor end a drain, nor limit connections; so the accept loop
//! is our own. HTTP/2 is our own too, on the h2 crate's frames; HTTP/1.1 is hyper's.

mod abuse;
mod chatter;
mod exchange;
mod exchanges;
mod gate;
mod greeting;
mod handle;
mod header_block;
mod http2;
mod life;
mod linger;
mod listener;
mod orders;
mod outbox;
mod plain;
mod request;
mod table;
pub mod tls;
mod too_large;

#[cfg(test)]
mod tests;

use std::{convert::Infallible, error::Error, io, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tower::Service;

pub use self::{
    exchange::Outgoing,
    handle::Connection,
    listener::{BindError, Listener, Peer},
    outbox::send_together,
    request::Inbound,
    table::Connections,
};
use self::{
    life::Http,
    listener::{Socketed, prepare},
    outbox::Turns,
    plain::Plain,
    table::Registration,
    tls::Tls,
};
use crate::{
    limits::Limits,
    log::Seldom,
    metrics::{AcceptError, ConnectionEnd, Metrics},
};

/// How long accepting pauses when descriptors or memory have run out: what it needs comes back only when a connection
/// ends.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and serves them.
pub struct Acceptor<S> {
    http: Http,
    /// For TCP alone.
    tls: Option<Arc<Tls>>,
    /// How long a client may take until it has said what it wants.
    handshake_timeout: Duration,
    /// How long a peer may leave something unacknowledged.
    patience: Duration,
    connections: Arc<Connections>,
    metrics: Arc<Metrics>,
    service: S,
}

impl<S, B> Acceptor<S>
where
    S: Service<Request<Inbound>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Outgoing,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// An acceptor whose connections keep to `limits` and are added to `connections`. Requests go to `service`, with an
    /// `Arc<dyn Link>` in their extensions.
    pub fn new(limits: &Limits, connections: Arc<Connections>, metrics: Arc<Metrics>, service: S) -> Self {
        Self {
            http: Http::new(limits.clone()),
            tls: None,
            handshake_timeout: limits.handshake_timeout,
            patience: limits.patience(),
            connections,
            metrics,
            service,
        }
    }

    /// Speaks TLS on TCP.
    #[must_use]
    pub fn with_tls(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Accepts from `listener` until the future is dropped. The connections go on without it.
    pub async fn run(self: Arc<Self>, listener: &Listener) {
        let mut complaints = Seldom::default();
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => {
                    self.admit(socket, peer);
                    // A flood of connections keeps the thread from resting, and those over the limit get no turn.
                    outbox::end_turn();
                }
                Err(error) => {
                    let cause = cause_of(&error);
                    self.metrics.accept_errors.inc(cause);
                    if cause == AcceptError::Aborted {
                        tracing::debug!(%error, "a client left before it was accepted");
                        continue;
                    }
                    if let Some(unsaid) = complaints.speak() {
                        tracing::warn!(%error, unsaid, address = %listener.address(), "can't accept connections");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection if there is room for it, else closes it.
    fn admit(self: &Arc<Self>, socket: Socketed, peer: Peer) {
        let Some(registration) = self.connections.register(peer) else {
            tracing::debug!(%peer, "a connection over the limit was closed");
            return;
        };
        if let Err(error) = prepare(&socket, self.patience) {
            tracing::debug!(%peer, %error, "a client left as it was accepted");
            return;
        }
        tokio::spawn(Turns { connection: Arc::clone(self).serve(socket, registration) });
    }

    async fn serve(self: Arc<Self>, socket: Socketed, registration: Registration) {
        let connection = registration.connection();
        tracing::debug!(connection = connection.id(), peer = %connection.peer(), "connection opened");
        let deadline = connection.accepted() + self.handshake_timeout;
        let end = match secure(socket, self.tls.as_ref(), connection, deadline).await {
            Ok(socket) => self.http.serve(socket, connection, self.service.clone()).await,
            Err(end) => end,
        };
        tracing::debug!(connection = connection.id(), ?end, "connection ended");
        registration.end(end);
    }
}

/// Does what comes before HTTP.
async fn secure(
    socket: Socketed,
    tls: Option<&Arc<Tls>>,
    connection: &Connection,
    deadline: Instant,
) -> Result<Secured, ConnectionEnd> {
    match (tls, socket) {
        (Some(tls), Either::Left(socket)) => {
            // Boxed, so that connections without TLS have no room for it.
            let stream = Box::pin(tls.greet(socket, connection, deadline)).await?;
            Ok(Either::Right(Box::new(stream)))
        }
        (_, socket) => Ok(Either::Left(Plain::new(socket))),
    }
}

/// A connection that is ready for HTTP.
type Secured = Either<Plain, Box<TlsStream<TcpStream>>>;

/// See accept(2): many of its errors are those of the new connection and not of the listener.
fn cause_of(error: &io::Error) -> AcceptError {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => AcceptError::Exhausted,
        Some(Errno::CONNABORTED | Errno::CONNRESET | Errno::PROTO | Errno::PERM | Errno::INTR | Errno::TIMEDOUT) => {
            AcceptError::Aborted
        }
        Some(Errno::NETDOWN | Errno::NETUNREACH | Errno::HOSTDOWN | Errno::HOSTUNREACH | Errno::NOPROTOOPT) => {
            AcceptError::Aborted
        }
        _ => AcceptError::Other,
    }
}
