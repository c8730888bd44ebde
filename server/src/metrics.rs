//! What the server counts. Names on `/metrics` are the fields' names after `poke_`; their help is the fields' docs.
//!
//! The number of series is fixed when the program is built: nothing that a client sends, such as a domain, a filter or
//! an address, becomes a label.

mod label;
mod striped;

use label::labels;
pub use label::{By, Label};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
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
                let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
                registry.register("build", "The version that runs", version);
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
    /// Subscribe streams that are open now.
    streams_open: Gauge,
    /// Subscribe streams that were opened.
    streams_opened: Counter,
    /// Subscribe calls that were refused before they had a stream, by gRPC code.
    subscribe_refused: By<RefusedCode>,
    /// Subscribe calls that were refused since there were too many streams, by the bound that they ran into.
    streams_over_limit: By<StreamLimit>,
    /// Subscribe streams that ended, by reason: those that were opened, less those that are open.
    streams_ended: By<StreamEnd>,
    /// Streams that ended since nobody reads them, and wait for their client to see it.
    streams_stalled: Gauge,
    /// Heartbeats that were sent.
    heartbeats: Counter,
    /// Pokes that were accepted; repeats of an idempotency key don't count.
    pokes_published: Counter,
    /// Repeats of an idempotency key that were answered with the first position.
    pokes_duplicate: Counter,
    /// Publish and EndInterest calls that were refused, by gRPC code.
    publish_refused: By<RefusedCode>,
    /// Publish and EndInterest calls that came too fast, by the rate that they exceeded.
    rate_limited: By<RateLimit>,
    /// Customers whose tokens were revoked, as far as that is remembered.
    customers_revoked: Gauge,
    /// Bytes of requests that are being read, with what each takes by being open.
    request_bytes: Gauge,
    /// Seconds from a Publish call to its answer.
    publish_seconds: Histogram,
    /// Interests that were ended.
    ends: Counter,
    /// Pokes that were handed to a stream's connection.
    pokes_delivered: BusyCounter,
    /// Bytes of the pokes that were handed to a stream's connection.
    bytes_delivered: BusyCounter,
    /// Gaps that subscribers were told of, by reason.
    gaps: By<GapReason>,
    /// Interests that the registry holds, watched or retained.
    topics: Gauge,
    /// Pokes that are retained now.
    retained_pokes: Gauge,
    /// Bytes of the pokes that are retained now.
    retained_bytes: Gauge,
    /// Bytes of the ended interests that are kept now.
    ends_bytes: Gauge,
    /// Idempotency keys that are kept now.
    idempotency_keys: Gauge,
    /// Retained pokes that were let go, by the bound that they ran into.
    evicted: By<Evicted>,
    /// Bytes of the process that are in memory.
    memory_resident_bytes: Gauge,
    /// Bytes from which on everything new is refused; 0 if there is no such bound.
    memory_bound_bytes: Gauge,
    /// What was refused since memory was short.
    shed: By<Shed>,
    /// Connections that are open now.
    connections_open: Gauge,
    /// Connections that were accepted and served.
    connections_opened: Counter,
    /// Connections that were closed right after accept, by reason.
    connections_refused: By<ConnectionRefused>,
    /// Connections that ended, by reason.
    connections_closed: By<ConnectionEnd>,
    /// TLS handshakes that succeeded, by kind.
    tls_handshakes: By<Handshake>,
    /// TLS handshakes that failed, by reason; not those of clients that just left.
    tls_failures: By<TlsFailure>,
    /// When the first certificate of the chain expires, in seconds since the UNIX epoch; 0 without TLS.
    tls_certificate_expiry_seconds: Gauge,
    /// Times that the certificate was replaced while the server ran.
    tls_reloads: Counter,
    /// Times that a new certificate couldn't be used, so that the old one stayed.
    tls_reload_failed: Counter,
    /// Times that the configuration was replaced while the server ran.
    config_reloads: Counter,
    /// Times that a new configuration couldn't be used, so that the old one stayed.
    config_reload_failed: Counter,
    /// Times that an issuer's keys were read, by how it went.
    jwks_fetches: By<Fetch>,
    /// Calls of accept that failed, by cause.
    accept_errors: By<AcceptError>,
    /// 1 from the start of a drain, else 0.
    draining: Gauge,
}

labels! {
    /// Why a stream ended.
    StreamEnd, "reason" {
        /// All its interests ended or were rejected for good.
        Ok = "ok",
        /// The client left, or its connection was lost.
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
    /// How a fetch of an issuer's keys went.
    Fetch, "result" {
        /// The keys are known.
        Ok = "ok",
        /// Those that were known stay.
        Failed = "failed",
    }
}

labels! {
    /// Which bound on streams was reached.
    StreamLimit, "of" {
        /// That of the whole server.
        Server = "server",
        /// That of one connection.
        Connection = "connection",
        /// That of one address.
        Address = "address",
        /// That of one customer.
        Customer = "customer",
    }
}

labels! {
    /// What is refused when memory is short.
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
    /// Which rate was exceeded.
    RateLimit, "of" {
        /// That of one publisher.
        Publisher = "publisher",
        /// That of the domain.
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
    /// Why a subscriber was told of a gap.
    GapReason, "reason" {
        /// The position is of another history, garbled, or in the future.
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
    /// Which bound a retained poke ran into.
    Evicted, "reason" {
        /// The retention window.
        Age = "age",
        /// What one interest may retain, in count or in bytes.
        Interest = "interest",
        /// The byte budget of the whole server.
        Budget = "budget",
    }
}

labels! {
    /// Why a connection was closed right after accept.
    ConnectionRefused, "reason" {
        /// The server holds as many as it may.
        Limit = "limit",
        /// Its address has as many as one may have.
        Address = "address",
        /// The process is short of memory.
        Memory = "memory",
    }
}

labels! {
    /// Why a connection ended.
    ConnectionEnd, "reason" {
        /// The client closed it, or it finished after it was retired.
        Closed = "closed",
        /// It sent no complete preface or request head in time.
        Handshake = "handshake",
        /// Its TLS handshake failed.
        Tls = "tls",
        /// No request was open for too long.
        Idle = "idle",
        /// The peer reset it, vanished, or left pings unanswered.
        Lost = "lost",
        /// The peer broke the protocol.
        Protocol = "protocol",
        /// It sent more frames that move nothing than `limits.idle_frames` allows.
        Abuse = "abuse",
        /// The server cut it: its streams were stalled, or a drain reached its deadline.
        Cut = "cut",
    }
}

labels! {
    /// How a TLS handshake was done.
    Handshake, "kind" {
        /// From nothing.
        Full = "full",
        /// By the ticket of an earlier connection, without a signature.
        Resumed = "resumed",
    }
}

labels! {
    /// Why a TLS handshake failed.
    TlsFailure, "reason" {
        /// The client spoke something else.
        Plaintext = "plaintext",
        /// It offered protocols, and neither HTTP/2 nor HTTP/1.1 was among them.
        Protocol = "protocol",
        /// It has no version or cipher in common with us.
        Incompatible = "incompatible",
        /// Its certificate is missing or doesn't hold.
        Certificate = "certificate",
        /// It refused us: most often it doesn't trust our certificate.
        Refused = "refused",
        /// It broke the protocol.
        Invalid = "invalid",
    }
}

labels! {
    /// Why accept failed.
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
    /// The metrics in the OpenMetrics text format, version 1.0.0.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("a String takes every write");
        page
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
            "# HELP poke_streams_open Subscribe streams that are open now.",
            "poke_streams_open 0",
            "poke_streams_ended_total{reason=\"stalled\"} 0",
            "poke_evicted_total{reason=\"budget\"} 0",
            "poke_publish_seconds_count 0",
            concat!("poke_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing from\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
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
