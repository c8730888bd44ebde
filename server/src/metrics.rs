//! What the server counts. Names on `/metrics` are the fields' names after `poke_`; their help is the fields' docs.
//!
//! The number of series is fixed when the program is built: nothing that a client sends, such as a domain, a filter or
//! an address, becomes a label.

mod exposition;
mod label;
mod striped;

pub use exposition::CONTENT_TYPE;
use label::labels;
pub use label::{By, Label};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use striped::Striped;

use crate::registry::Whose;

/// Declares the fields once; registers each under its name, with its doc as help.
macro_rules! metrics {
    ($( $(#[doc = $help:literal])+ $name:ident: $kind:ty, )+) => {
        /// The process's metrics: made once, shared by all parts.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $( $(#[doc = $help])+ pub $name: $kind, )+
        }

        impl Metrics {
            /// All metrics, at zero.
            #[must_use]
            pub fn new() -> Self {
                let mut registry = Registry::with_prefix("poke");
                let version = ("version".into(), env!("CARGO_PKG_VERSION").into());
                let build = registry.sub_registry_with_label(version);
                build.register("build_info", "The version that runs", ConstGauge::new(1_i64));
                Self {
                    $( $name: <$kind as Registered>::register(
                        &mut registry,
                        stringify!($name),
                        concat!($($help),+).trim().trim_end_matches('.'),
                    ), )+
                    registry,
                }
            }
        }
    };
}

metrics! {
    /// Open Subscribe streams.
    streams_open: Gauge,
    /// Subscribe streams opened.
    streams_opened: Counter,
    /// Subscribe calls refused before a stream was opened, by gRPC code.
    subscribe_refused: By<RefusedCode>,
    /// Subscribe calls refused because of a limit on streams, by limit.
    streams_over_limit: By<StreamLimit>,
    /// Subscribe streams closed, by reason. Opened streams less closed ones are the open ones.
    streams_ended: By<StreamEnd>,
    /// Streams that the server has closed because the client stopped reading, and whose last bytes the client has not read yet.
    streams_stalled: Gauge,
    /// Heartbeats sent.
    heartbeats: Counter,
    /// Pokes accepted, without repeats of an idempotency key.
    pokes_published: Counter,
    /// Publish calls that repeated an idempotency key and received the first position.
    pokes_duplicate: Counter,
    /// Publish and EndInterest calls refused, by gRPC code.
    publish_refused: By<RefusedCode>,
    /// Publish and EndInterest calls refused because of a rate limit, by limit.
    rate_limited: By<RateLimit>,
    /// Customers whose revocation is remembered.
    customers_revoked: Gauge,
    /// Bytes of requests being read, including a fixed cost for each.
    request_bytes: Gauge,
    /// Seconds from a Publish call to its response.
    publish_seconds: Histogram,
    /// Interests ended.
    ends: Counter,
    /// Pokes handed to a stream's connection.
    pokes_delivered: BusyCounter,
    /// Bytes of pokes handed to a stream's connection.
    bytes_delivered: BusyCounter,
    /// Gaps sent to subscribers, by reason.
    gaps: By<GapReason>,
    /// Interests with a subscriber or a retained poke.
    topics: Gauge,
    /// Retained pokes.
    retained_pokes: Gauge,
    /// Bytes of retained pokes.
    retained_bytes: Gauge,
    /// Bytes of remembered ended interests.
    ends_bytes: Gauge,
    /// Remembered idempotency keys.
    idempotency_keys: Gauge,
    /// Retained pokes deleted, by the limit that was reached.
    evicted: By<Evicted>,
    /// Resident memory of the process, in bytes.
    memory_resident_bytes: Gauge,
    /// Resident memory, in bytes, above which new calls are refused; 0 without such a limit.
    memory_bound_bytes: Gauge,
    /// Connections, streams and calls refused because memory was short.
    shed: By<Shed>,
    /// Open connections.
    connections_open: Gauge,
    /// Connections accepted and served.
    connections_opened: Counter,
    /// Connections closed right after they were accepted, by reason.
    connections_refused: By<ConnectionRefused>,
    /// HTTP/2 requests whose header fields have come in part, in the first of several frames.
    partial_headers: Gauge,
    /// HTTP/2 requests refused before they reached an RPC, by the limit exceeded.
    requests_refused: By<RequestRefused>,
    /// Connections closed, by reason.
    connections_closed: By<ConnectionEnd>,
    /// TLS handshakes completed, by kind.
    tls_handshakes: By<Handshake>,
    /// TLS handshakes failed, by reason, without those whose client only disconnected.
    tls_failures: By<TlsFailure>,
    /// UNIX time, in seconds, at which the certificate of the chain that expires first does so; 0 without TLS.
    tls_certificate_expiry_seconds: Gauge,
    /// Successful reloads of the TLS certificate.
    tls_reloads: Counter,
    /// Failed reloads of the TLS certificate; the old one stays in use.
    tls_reload_failed: Counter,
    /// Successful reloads of the configuration.
    config_reloads: Counter,
    /// Failed reloads of the configuration; the old one stays in use.
    config_reload_failed: Counter,
    /// Fetches of an issuer's keys, by result.
    jwks_fetches: By<Fetch>,
    /// Failed calls of accept, by cause.
    accept_errors: By<AcceptError>,
    /// 1 while the server drains, else 0.
    draining: Gauge,
    /// Times that a background task panicked or ended by itself, by task. It is started again; readiness fails meanwhile.
    task_failures: By<BackgroundTask>,
    /// Panics of any task or thread. Each is a bug, and an error in the log.
    panics: Counter,
    /// Log lines dropped, by reason.
    log_lines_dropped: By<LogLoss>,
}

labels! {
    /// A task that runs as long as the server.
    BackgroundTask, "task" {
        /// Accepts clients' connections.
        Accept = "accept",
        /// Serves the admin port.
        Admin = "admin",
        /// Reads the configuration file again.
        ConfigReload = "config_reload",
        /// Fetches issuers' keys.
        IssuerKeys = "issuer_keys",
        /// Writes the log.
        Log = "log",
        /// Measures the memory of the process.
        Memory = "memory",
        /// Removes what is older than the retention window.
        Retention = "retention",
        /// Sends heartbeats, and ends streams whose time is over.
        StreamClock = "stream_clock",
        /// Reads the certificate again.
        TlsReload = "tls_reload",
    }
}

labels! {
    /// Reason for which a log line was dropped.
    LogLoss, "reason" {
        /// The queue was full: the log's reader is too slow, or doesn't read.
        Full = "queue_full",
        /// The write failed: the log's reader is gone, or the disk is full.
        Failed = "write_failed",
    }
}

labels! {
    /// Reason for which a stream was closed.
    StreamEnd, "reason" {
        /// Every interest ended or was finally rejected.
        Ok = "ok",
        /// The client cancelled it, or the connection was lost.
        Cancelled = "cancelled",
        /// The client didn't read.
        Stalled = "stalled",
        /// The server is going away.
        Drained = "drained",
        /// The stream reached its maximum age.
        Aged = "aged",
        /// The caller's own deadline passed.
        Deadline = "deadline",
        /// The caller's token has expired.
        Expired = "expired",
        /// The caller's credentials were withdrawn, or its token revoked.
        Withdrawn = "withdrawn",
        /// A fault of the server.
        Error = "error",
    }
}

labels! {
    /// Result of a fetch of an issuer's keys.
    Fetch, "result" {
        /// The keys were loaded.
        Ok = "ok",
        /// The fetch failed; known keys stay valid.
        Failed = "failed",
    }
}

labels! {
    /// Limit on streams that was reached.
    StreamLimit, "of" {
        /// The server's limit.
        Server = "server",
        /// The limit of one address.
        Address = "address",
        /// The limit of one customer.
        Customer = "customer",
    }
}

labels! {
    /// Kind of request refused because memory is short.
    Shed, "what" {
        /// A new stream.
        Stream = "stream",
        /// A call of Publish or EndInterest.
        Call = "call",
        /// A new connection.
        Connection = "connection",
    }
}

labels! {
    /// The gRPC code of a refused call.
    RefusedCode, "code" {
        /// 3.
        InvalidArgument = "invalid_argument",
        /// 4.
        DeadlineExceeded = "deadline_exceeded",
        /// 5.
        NotFound = "not_found",
        /// 6.
        AlreadyExists = "already_exists",
        /// 7.
        PermissionDenied = "permission_denied",
        /// 8.
        ResourceExhausted = "resource_exhausted",
        /// 9.
        FailedPrecondition = "failed_precondition",
        /// 10.
        Aborted = "aborted",
        /// 13.
        Internal = "internal",
        /// 14.
        Unavailable = "unavailable",
        /// 16.
        Unauthenticated = "unauthenticated",
        /// Any other.
        Other = "other",
    }
}

/// From the number of a `google.rpc.Code`.
impl From<i32> for RefusedCode {
    fn from(code: i32) -> Self {
        match code {
            3 => Self::InvalidArgument,
            4 => Self::DeadlineExceeded,
            5 => Self::NotFound,
            6 => Self::AlreadyExists,
            7 => Self::PermissionDenied,
            8 => Self::ResourceExhausted,
            9 => Self::FailedPrecondition,
            10 => Self::Aborted,
            13 => Self::Internal,
            14 => Self::Unavailable,
            16 => Self::Unauthenticated,
            _ => Self::Other,
        }
    }
}

labels! {
    /// Rate limit that was exceeded.
    RateLimit, "of" {
        /// The limit of one publisher.
        Publisher = "publisher",
        /// The limit of the domain.
        Domain = "domain",
    }
}

impl From<Whose> for RateLimit {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Publisher => Self::Publisher,
            Whose::Domain => Self::Domain,
        }
    }
}

labels! {
    /// Reason for a gap.
    GapReason, "reason" {
        /// The position is of another epoch, unreadable, or in the future.
        EpochChanged = "epoch_changed",
        /// The position is older than what is retained, or than what one Subscribe replays.
        Evicted = "evicted",
        /// The stream read too slowly.
        Lagged = "lagged",
        /// The backplane lost touch.
        Backplane = "backplane",
    }
}

labels! {
    /// Limit because of which a retained poke was deleted.
    Evicted, "reason" {
        /// The retention window.
        Age = "age",
        /// The limit of one interest, in pokes or bytes.
        Interest = "interest",
        /// The byte budget of the whole server.
        Budget = "budget",
    }
}

labels! {
    /// Reason for which a connection was closed right after it was accepted.
    ConnectionRefused, "reason" {
        /// The server has the maximum number of connections.
        Limit = "limit",
        /// Its address has the maximum number of connections.
        Address = "address",
        /// The process is short of memory.
        Memory = "memory",
    }
}

labels! {
    /// Limit for which an HTTP/2 request was refused before it reached a method.
    RequestRefused, "limit" {
        /// `limits.streams_per_connection` (REFUSED_STREAM).
        Streams = "streams_per_connection",
        /// `limits.header_bytes` (RESOURCE_EXHAUSTED or HTTP status 431).
        HeaderBytes = "header_bytes",
    }
}

labels! {
    /// Reason for which a connection was closed.
    ConnectionEnd, "reason" {
        /// The client closed it, or its last stream ended after a GOAWAY.
        Closed = "closed",
        /// It sent no complete preface or request header in time.
        Handshake = "handshake",
        /// Its TLS handshake failed.
        Tls = "tls",
        /// It had no open request for too long.
        Idle = "idle",
        /// The peer reset it, vanished, or left pings unanswered.
        Lost = "lost",
        /// The peer broke the protocol.
        Protocol = "protocol",
        /// It sent more frames without progress than `limits.idle_frames` allows, or header fields that are larger than
        /// `limits.refused_header_bytes`, come too slowly, or find no memory.
        Abuse = "abuse",
        /// The server closed it: its streams were stalled, or a drain reached its deadline.
        Cut = "cut",
    }
}

labels! {
    /// Kind of TLS handshake.
    Handshake, "kind" {
        /// A full handshake.
        Full = "full",
        /// Resumed with a ticket of an earlier connection.
        Resumed = "resumed",
    }
}

labels! {
    /// Reason for which a TLS handshake failed.
    TlsFailure, "reason" {
        /// The client did not speak TLS.
        Plaintext = "plaintext",
        /// By ALPN it offered neither HTTP/2 nor HTTP/1.1.
        Protocol = "protocol",
        /// It has no TLS version or cipher in common with the server.
        Incompatible = "incompatible",
        /// Its certificate is missing or invalid.
        Certificate = "certificate",
        /// It refused the server, most often because it doesn't trust the certificate.
        Refused = "refused",
        /// It broke the protocol.
        Invalid = "invalid",
    }
}

labels! {
    /// Cause for which accept failed.
    AcceptError, "cause" {
        /// The peer was gone before it was accepted.
        Aborted = "aborted",
        /// The process or the system has no descriptor or memory left.
        Exhausted = "exhausted",
        /// Any other.
        Other = "other",
    }
}

impl Metrics {
    /// The metrics in the Prometheus text format: see [`CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("a String takes every write");
        exposition::from_openmetrics(&page)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A counter of what happens with each delivery.
pub type BusyCounter = Counter<u64, Striped>;

/// A kind of metric that a field of [`Metrics`] can have.
trait Registered {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self;
}

impl Registered for Counter {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let counter = Self::default();
        registry.register(name, help, counter.clone());
        counter
    }
}

impl Registered for BusyCounter {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let counter = Self::default();
        registry.register(name, help, counter.clone());
        counter
    }
}

impl Registered for Gauge {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let gauge = Self::default();
        registry.register(name, help, gauge.clone());
        gauge
    }
}

/// In seconds: from well under a network round trip to past the longest sensible deadline.
impl Registered for Histogram {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let bounds =
            [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
        let histogram = Self::new(bounds);
        registry.register(name, help, histogram.clone());
        histogram
    }
}

impl<L: Label> Registered for By<L> {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        Self::register(registry, name, help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_from_the_start_with_its_help() {
        let page = Metrics::new().render();
        for line in [
            "# HELP poke_streams_open Open Subscribe streams.",
            "poke_streams_open 0",
            "poke_streams_ended_total{reason=\"stalled\"} 0",
            "poke_evicted_total{reason=\"budget\"} 0",
            "poke_publish_seconds_count 0",
            concat!("poke_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing from\n{page}");
        }
        assert!(page.contains("# HELP poke_heartbeats_total ") && page.contains("# TYPE poke_build_info gauge\n"));
    }

    #[test]
    fn what_is_counted_shows_and_adds_no_series() {
        let metrics = Metrics::new();
        let before = metrics.render().lines().count();
        metrics.streams_open.inc();
        metrics.gaps.inc_by(GapReason::Lagged, 3);
        metrics.publish_refused.inc(RefusedCode::from(8));
        metrics.publish_refused.inc(RefusedCode::from(-1));
        metrics.publish_seconds.observe(0.003);
        let page = metrics.render();
        for line in [
            "poke_streams_open 1",
            "poke_gaps_total{reason=\"lagged\"} 3",
            "poke_publish_refused_total{code=\"resource_exhausted\"} 1",
            "poke_publish_refused_total{code=\"other\"} 1",
            "poke_publish_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing from\n{page}");
        }
        assert_eq!(page.lines().count(), before);
        assert_eq!(metrics.gaps.get(GapReason::Lagged), 3);
    }
}
