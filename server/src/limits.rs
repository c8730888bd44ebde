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

/// Memory that header fields take while they are read, as a multiple of their size: once as they came, and in a map, of
/// which the smallest field takes 144 bytes and counts as 33.
const HEADER_MEMORY: usize = 6;

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
    /// Maximum size of a request's header fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts it: a request that exceeds it is
    /// refused.
    pub header_bytes: u32,
    /// Size of header fields beyond which not the request alone is refused, but its HTTP/2 connection closed: header
    /// compression ties all requests of a connection together, so what is only refused has to be read to its end.
    pub refused_header_bytes: u32,
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
    /// Returns the size of header fields beyond which an HTTP/2 connection is closed.
    #[must_use]
    pub fn largest_header(&self) -> u32 {
        self.header_bytes.max(self.refused_header_bytes)
    }

    /// Returns the number of requests whose header fields may be under way in several frames at once, over all
    /// connections: as many as take [`request_bytes`](Self::request_bytes) of memory.
    #[must_use]
    pub fn partial_headers(&self) -> i64 {
        let count = self.request_bytes / (HEADER_MEMORY * self.largest_header() as usize);
        i64::try_from(count.max(1)).unwrap_or(i64::MAX)
    }

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
            refused_header_bytes: 256 << 10,
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
