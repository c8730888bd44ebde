//! The HTTP/2 connections that the calls of a client share.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use parking_lot::Mutex;
use tonic::{Status, body::Body, transport};
use tower::Service;

use crate::http_answer::HttpAnswer;

/// A connection to the service, for the stubs of any gRPC service. An answer that isn't gRPC is an error that says so.
#[derive(Clone, Debug)]
pub struct Channel(transport::Channel);

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.0.poll_ready(cx).map_err(|error| Status::from_error(error.into()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(|error| Status::from_error(error.into()))?;
            match HttpAnswer::of(&answer) {
                None => Ok(answer),
                Some(http) => {
                    let mut status = Status::new(http.code(), http.to_string());
                    status.set_source(Arc::new(http));
                    Err(status)
                }
            }
        })
    }
}

/// Maximum number of Subscribe calls on one connection. It is half of the 100 streams that servers and proxies commonly
/// take on one, so that there is always room for unary calls and for calls that replace others: tonic would keep a call
/// waiting on a full connection, for as long as the streams last.
const STREAMS_PER_CONNECTION: usize = 50;

/// Opens connections, and holds the one that new calls use.
pub(crate) struct Connector {
    dial: Box<dyn Fn() -> transport::Channel + Send + Sync>,
    current: Mutex<Option<Connection>>,
}

/// One connection: opened by its first call, and again by tonic when the peer has closed it. It lasts as long as somebody
/// holds it.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    /// Number of Subscribe calls on it. It also tells connections apart.
    streams: Arc<AtomicUsize>,
}

/// A Subscribe call's share of a connection, until it is dropped.
pub(crate) struct Share(Connection);

impl Share {
    fn of(connection: Connection) -> Self {
        connection.streams.fetch_add(1, Relaxed);
        Self(connection)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

impl Connector {
    pub(crate) fn new(dial: impl Fn() -> transport::Channel + Send + Sync + 'static) -> Self {
        Self { dial: Box::new(dial), current: Mutex::default() }
    }

    /// Returns the connection for a new unary call.
    pub(crate) fn current(&self) -> Connection {
        self.current.lock().get_or_insert_with(|| self.dial()).clone()
    }

    /// Returns a share of the connection for a new Subscribe. If the current one has its [`STREAMS_PER_CONNECTION`], another
    /// one takes its place for all new calls.
    pub(crate) fn share(&self) -> Share {
        let mut current = self.current.lock();
        let has_room = |connection: &Connection| connection.streams.load(Relaxed) < STREAMS_PER_CONNECTION;
        let connection = current.take().filter(has_room).unwrap_or_else(|| self.dial());
        Share::of(current.insert(connection).clone())
    }

    fn dial(&self) -> Connection {
        Connection { channel: Channel((self.dial)()), streams: Arc::default() }
    }

    /// No new call uses `connection` any more: its server has said GOAWAY, or nothing comes through it. The calls on it
    /// go on.
    pub(crate) fn retire(&self, connection: &Connection) {
        let mut current = self.current.lock();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.streams, &connection.streams)) {
            *current = None;
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("is_open", &self.current.lock().is_some()).finish_non_exhaustive()
    }
}
