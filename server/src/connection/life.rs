//! One connection's life, from its first byte to its end.

use std::{convert::Infallible, error::Error, io, pin::pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tower::Service;

use super::{Connection, greeting::Watched, handle::Ask, request::Requests};
use crate::{limits::Limits, metrics::ConnectionEnd};

/// Bytes that one HTTP/2 stream holds back for a client that is slow to read: two frames of the usual size, so that one
/// is ready while the other is on its way. Everything else of a slow stream waits in the ring, where it costs nothing.
const SEND_BUFFER: usize = 32 << 10;

/// What a client may send on one stream, and on all of them, before the server has read it. A request has at most 1 MiB.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// How connections speak HTTP: 1.1, or 2 with prior knowledge.
#[derive(Clone)]
pub(super) struct Http {
    builder: auto::Builder<TokioExecutor>,
    limits: Limits,
}

impl Http {
    pub(super) fn new(limits: Limits) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // `Deadlines` bounds the time for a request's head: it can tell a first head from an idle connection.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.header_bytes as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.requests_per_connection)
            .max_header_list_size(limits.header_bytes)
            .max_send_buf_size(SEND_BUFFER)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(limits.keepalive_interval)
            .keep_alive_timeout(limits.keepalive_timeout);
        Self { builder, limits }
    }

    /// Serves a connection to its end. Dropping the future closes it.
    pub(super) async fn serve<S, B>(
        &self,
        socket: impl AsyncRead + AsyncWrite + Unpin + 'static,
        connection: &Arc<Connection>,
        service: S,
    ) -> ConnectionEnd
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + 'static,
        S::Future: Send + 'static,
        S: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let socket = TokioIo::new(Watched::new(socket, Arc::clone(connection)));
        let requests = Requests { service, connection: Arc::clone(connection) };
        let mut http = pin!(self.builder.serve_connection(socket, requests));
        let mut deadlines = Deadlines::new(connection, &self.limits);
        loop {
            tokio::select! {
                biased;
                ask = connection.asked() => match ask {
                    Ask::Close => return ConnectionEnd::Cut,
                    // h2 queues GOAWAY before all that is sent from now on, and leaves open streams alone.
                    Ask::Retire => {
                        http.as_mut().graceful_shutdown();
                        connection.set_retired();
                    }
                },
                result = http.as_mut() => return match result {
                    Err(error) if !connection.is_retired() => end_of(&*error),
                    // Who was told to go may leave as it likes.
                    _ => ConnectionEnd::Closed,
                },
                overdue = deadlines.next() => match overdue {
                    Overdue::Greeting => return ConnectionEnd::Handshake,
                    Overdue::Silence => return ConnectionEnd::Lost,
                    Overdue::Request => connection.retire(),
                    Overdue::Goodbye => return ConnectionEnd::Idle,
                },
            }
        }
    }
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overdue {
    /// Nothing sensible came at first: no whole preface, no request.
    Greeting,
    /// Nothing came from an HTTP/2 client, not even the answer to a ping.
    Silence,
    /// No request was open for too long.
    Request,
    /// The client didn't leave when it was told that its idle connection ends.
    Goodbye,
}

/// The times at which a connection has to be looked at. One timer serves all of them, and is set anew only when it has
/// run out: a busy connection costs nothing.
///
/// hyper closes a connection whose pings aren't answered, but only after it has sent GOAWAY; where nothing can be sent
/// since the client reads nothing, it would wait for ever. So silence is watched here as well.
struct Deadlines<'a> {
    connection: &'a Connection,
    limits: &'a Limits,
    /// The next look.
    at: Instant,
    /// When a client that was told to go has to be gone.
    goodbye: Option<Instant>,
}

impl<'a> Deadlines<'a> {
    fn new(connection: &'a Connection, limits: &'a Limits) -> Self {
        Self { connection, limits, at: connection.accepted() + limits.handshake_timeout, goodbye: None }
    }

    /// Waits for the next deadline that passes. Nothing is lost when it is dropped.
    async fn next(&mut self) -> Overdue {
        loop {
            sleep_until(self.at).await;
            if let Some(overdue) = self.look(Instant::now()) {
                return overdue;
            }
        }
    }

    fn look(&mut self, now: Instant) -> Option<Overdue> {
        if !self.connection.has_greeted() {
            return Some(Overdue::Greeting);
        }
        let silence = self.connection.heard().map(|heard| heard + self.limits.patience());
        if silence.is_some_and(|at| at <= now) {
            return Some(Overdue::Silence);
        }
        let idle = self.connection.idle_since().unwrap_or(now) + self.limits.idle_timeout;
        let (overdue, next) = match self.goodbye {
            _ if idle > now => {
                self.goodbye = None;
                (None, idle)
            }
            None => {
                // A request that crosses the GOAWAY on its way has this time to arrive.
                let goodbye = now + self.limits.handshake_timeout;
                self.goodbye = Some(goodbye);
                (Some(Overdue::Request), goodbye)
            }
            Some(goodbye) if goodbye > now => (None, goodbye),
            Some(_) => return Some(Overdue::Goodbye),
        };
        self.at = silence.map_or(next, |silence| silence.min(next));
        overdue
    }
}

/// What an error of the connection says of its end. None of them is the server's fault.
fn end_of(error: &(dyn Error + 'static)) -> ConnectionEnd {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    for cause in causes {
        if let Some(error) = cause.downcast_ref::<hyper::Error>()
            && (error.is_timeout() || error.is_incomplete_message() || error.is_closed())
        {
            return ConnectionEnd::Lost;
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) | None => {}
            Some(_) => return ConnectionEnd::Lost,
        }
    }
    ConnectionEnd::Protocol
}
