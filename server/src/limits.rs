//! What clients may take of the server. What a poke and its data may be is the contract's, not a setting.

mod memory;
mod source;
mod tally;

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use self::{
    memory::{Bound, Memory},
    source::Source,
    tally::Tallies,
};

/// Open files beside connections: listeners, the log, the runtime's own, and a margin for what is being accepted.
const OTHER_FILES: u64 = 64;

/// Bounds on connections and on what they hold; `stream::Settings` has those on streams. Their reasons are in the table of settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections at once. One more is accepted and closed.
    pub connections: usize,
    /// Connections at once from one address, or from one network of IPv6.
    pub connections_per_address: Option<usize>,
    /// Maximum number of HTTP/2 streams open at once on one connection, Subscribes and other calls together: the value of
    /// SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, section 6.5.2). Streams that were asked to move, and whose clients can
    /// only move on the same connection, add to it; it at most doubles.
    pub streams_per_connection: u32,
    /// Frames in a second by which an HTTP/2 client moves nothing: pings, settings, priorities, resets, goodbyes, unknown
    /// ones, DATA that is empty or may be for its padding. As many more are taken as the server has written times 64
    /// bytes.
    pub idle_frames: u32,
    /// Bytes of a request's header fields.
    pub header_bytes: u32,
    /// Bytes of all requests that are being read, over all connections. Who comes when they are taken is told to retry.
    pub request_bytes: usize,
    /// Bytes that the process may have in memory before it refuses what is new.
    pub memory: Bound,
    /// How long a new connection may take until it has sent an HTTP/2 preface or a request head; and how long an HTTP/1.1
    /// client is heard out that was answered before its request was whole.
    pub handshake_timeout: Duration,
    /// How long a unary call may take, or a Subscribe until its request is read. A caller's own deadline holds if it is
    /// shorter.
    pub request_timeout: Duration,
    /// How long a connection stays open without a request.
    pub idle_timeout: Duration,
    /// How long an HTTP/2 connection may be silent before it is pinged.
    pub keepalive_interval: Duration,
    /// How long the answer to a ping, or to anything that was sent, may take.
    pub keepalive_timeout: Duration,
}

impl Limits {
    /// How long a peer that should answer may say nothing before it counts as dead.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.keepalive_interval + self.keepalive_timeout
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 50_000,
            connections_per_address: None,
            streams_per_connection: 100,
            idle_frames: 1000,
            header_bytes: 16 << 10,
            request_bytes: 64 << 20,
            memory: Bound::Auto,
            handshake_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

/// Raises the process's limit on open files to what the system allows it, as each connection is one: the usual default
/// is 1024. Answers for how many connections that is enough; `None` for any number.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = &raised {
        tracing::warn!(%error, "the limit on open files can't be raised");
    }
    let limit = if raised.is_ok() { maximum } else { current };
    limit.map(|files| files.saturating_sub(OTHER_FILES))
}
