//! The HTTP/2 connection that the calls of a client share.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use tonic::transport::Channel;

/// Opens connections, and holds the one that new calls use.
pub(crate) struct Connector {
    dial: Box<dyn Fn() -> Channel + Send + Sync>,
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
    pub(crate) fn new(dial: impl Fn() -> Channel + Send + Sync + 'static) -> Self {
        Self { dial: Box::new(dial), current: Mutex::default() }
    }

    /// The connection for a new call.
    pub(crate) fn current(&self) -> Connection {
        let dial = || Connection { channel: (self.dial)(), identity: Arc::default() };
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
