//! The HTTP/2 connection that the calls of a client share.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
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
    /// Tells connections apart.
    identity: Arc<()>,
}

impl Connector {
    pub(crate) fn new(dial: impl Fn() -> transport::Channel + Send + Sync + 'static) -> Self {
        Self { dial: Box::new(dial), current: Mutex::default() }
    }

    /// The connection for a new call.
    pub(crate) fn current(&self) -> Connection {
        let dial = || Connection { channel: Channel((self.dial)()), identity: Arc::default() };
        self.current.lock().get_or_insert_with(dial).clone()
    }

    /// No new call uses `connection` any more: its server has said GOAWAY, or nothing comes through it. The calls on it
    /// go on.
    pub(crate) fn retire(&self, connection: &Connection) {
        let mut current = self.current.lock();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.identity, &connection.identity)) {
            *current = None;
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("is_open", &self.current.lock().is_some()).finish_non_exhaustive()
    }
}
