//! The table of settings.

use std::{num::NonZeroU32, time::Duration};

use super::{
    Config, LogFormat,
    kind::{Bytes, Choice, Count, FilePath, Level, List, MemoryBound, OrOff, Share, Span, Switch, Text},
    principals::{KeyHashes, PrincipalList, PublisherList},
    setting::{Setting, setting},
};
use crate::{
    auth::{ALGORITHMS, IssuerSettings, KeyHash, Subscribers},
    connection::tls::{ClientCertificates, Version},
    domain::{self, Audience},
};

const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
const TIB: usize = 1 << 40;
const DAY: Duration = Duration::from_secs(86_400);

/// The most bytes that one poke can take in a ring, with room for what the server adds (Poke in poke.proto).
const ONE_POKE: usize = 256 << 10;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const RATE: OrOff<Count<NonZeroU32>> = OrOff(Count(NonZeroU32::MIN..=MILLION));
const MILLION: NonZeroU32 = NonZeroU32::new(1_000_000).expect("not zero");
const BURST: Span = Span(Duration::ZERO..=Duration::from_secs(3600));

const ADDRESS: Text = Text("an IP address and a port (127.0.0.1:8080, [::]:8080) or unix:/path");

/// Every setting but the domains', in the order in which they are shown.
#[rustfmt::skip]
pub(super) fn settings() -> Vec<Setting<Config>> {
    vec![
        setting("listen.addresses", List(ADDRESS), |c: &mut Config| &mut c.listen.addresses,
            "Where clients connect. [::] takes IPv4 as well; port 0 asks for a free one. Loopback by default: \
             nothing is open to a network before somebody says so."),
        setting("listen.wait", Span(Duration::ZERO..=secs(600)), |c| &mut c.listen.wait,
            "How long to wait for an address that another process has. Start a new server with 60s and then stop the old \
             one: it takes over as soon as the old one accepts nothing any more. 0s by default, so that a forgotten \
             server is noticed."),
        setting("tls.certificate", OrOff(FilePath), |c| &mut c.tls.certificate,
            "A PEM file: the server's certificate first, then its intermediate ones. With it TCP connections are \
             encrypted; UNIX sockets stay plain. A new one is taken while the server runs, as soon as the file changes."),
        setting("tls.key", OrOff(FilePath), |c| &mut c.tls.key,
            "A PEM file: the certificate's private key, not encrypted."),
        setting("tls.client_ca", OrOff(FilePath), |c| &mut c.tls.client_ca,
            "A PEM file: the certificates of the authorities that sign clients' certificates."),
        setting("tls.client_certificates",
            Choice(&[
                ("off", ClientCertificates::Off),
                ("optional", ClientCertificates::Optional),
                ("required", ClientCertificates::Required),
            ]),
            |c| &mut c.tls.client_certificates,
            "Whether clients may or must present a certificate signed by tls.client_ca. Off: phones and browsers have none."),
        setting("tls.min_version", Choice(&[("1.2", Version::Tls12), ("1.3", Version::Tls13)]), |c| &mut c.tls.min_version,
            "The oldest version of TLS. 1.2 with its safe ciphers alone, since proxies and older phones still need it."),
        setting("admin.listen", OrOff(ADDRESS), |c| &mut c.admin.listen,
            "The plaintext port of /healthz, /readyz, /metrics and /revoke. Loopback by default: it is for operators alone."),
        setting("admin.revocations", Count(1..=100_000_000), |c| &mut c.admin.remembering.limit,
            "Customers whose tokens are revoked at once; one more is refused to the operator, since to forget one would let \
             it in again. 100,000 take about 15 MiB."),
        setting("admin.revocation_window", Span(secs(60)..=365 * DAY), |c| &mut c.admin.remembering.window,
            "For how long a revocation is remembered. Set it to the longest life of your customers' tokens: 1d is over \
             that of most. A restart forgets it as well."),

        setting("jwks.timeout", Span(secs(1)..=secs(60)), |c| &mut c.auth.jwks.timeout,
            "How long the fetch of an issuer's keys may take. 5s is long for one small file."),
        setting("jwks.max_bytes", Bytes(1024..=16 * MIB), |c| &mut c.auth.jwks.max_bytes,
            "Bytes of an issuer's keys. 256KiB is several times what the largest issuers have."),
        setting("jwks.refresh", Span(secs(10)..=DAY), |c| &mut c.auth.jwks.refresh,
            "How often an issuer's keys are fetched again. 5m: a key that the issuer withdraws is refused soon after."),
        setting("jwks.fetches_per_minute", Count(1..=60), |c| &mut c.auth.jwks.fetches_per_minute,
            "How often a token with a key that isn't known may cause a fetch, for each issuer. 2: who makes up keys must \
             not make this server a burden to the issuer."),

        setting("stream.heartbeat_interval", Span(secs(1)..=secs(60)), |c| &mut c.stream.heartbeat_interval,
            "The longest silence on a stream. 20s is well under the 60s after which common proxies cut an idle one."),
        setting("stream.checkpoint_interval", Span(secs(1)..=secs(60)), |c| &mut c.stream.checkpoint_interval,
            "The longest that a busy stream goes without a checkpoint. 60s is what the contract allows at most."),
        setting("stream.max_age", Span(secs(1)..=30 * DAY), |c| &mut c.stream.max_age,
            "When a stream is told to move to a new connection. 1h lets load spread over new servers within the hour."),
        setting("stream.max_age_jitter", Share(0.0..=0.5), |c| &mut c.stream.max_age_jitter,
            "The part of max_age by which it varies, so that streams that began together don't move together."),
        setting("stream.move_timeout", Span(secs(1)..=secs(600)), |c| &mut c.stream.move_timeout,
            "How long a stream that was told to move goes on. 30s is enough for a phone on a bad network."),
        setting("stream.token_notice", Span(secs(1)..=secs(3600)), |c| &mut c.stream.token_notice,
            "How long before its token expires a stream is told to move with a new one; at most half of what the token has \
             left. 1m gives a phone the time to fetch one."),
        setting("stream.stall_timeout", Span(secs(1)..=secs(600)), |c| &mut c.stream.stall_timeout,
            "How long a client may leave what was sent unread before its stream ends with CLIENT_STALLED."),
        setting("stream.reconnect_spread", Span(Duration::ZERO..=secs(300)), |c| &mut c.stream.reconnect_spread,
            "Over how long clients spread their first retry after an unannounced loss. 5s turns the return of 10,000 \
             clients of a dead server into 2,000 a second."),
        setting("stream.reload_spread", Span(Duration::ZERO..=secs(3600)), |c| &mut c.stream.reload_spread,
            "Over how long clients spread the reload after a gap. Raise it if many clients reload from one back end."),
        setting("stream.max_interests", Count(1..=1000), |c| &mut c.stream.max_interests,
            "Interests on one stream. A request may take 64 KiB for each hundred of them, which holds the longest names \
             and positions."),
        setting("stream.replay_bytes", Bytes(ONE_POKE..=GIB), |c| &mut c.stream.replay_bytes,
            "Bytes that are replayed to one stream when it resumes; past it comes a gap. What begins with its latest poke \
             takes none of it. 4MiB is half a second on a fast phone network."),

        setting("retention.window", Span(secs(1)..=DAY), |c| &mut c.registry.window,
            "For how long pokes, idempotency keys and ends are kept. 10m covers a tunnel or a restart of the app."),
        setting("retention.budget", Bytes(MIB..=TIB), |c| &mut c.registry.budget,
            "Bytes of retained pokes over all interests, with what keeping them takes: about 600 for an interest with \
             one small poke. When it is full the oldest pokes of unwatched interests go first. 256MiB suits a \
             machine of 1 GiB."),
        setting("retention.ends_budget", Bytes(MIB..=TIB), |c| &mut c.registry.ends_budget,
            "Bytes of ended interests over all. An end can't go before its time: when it is full, EndInterest is \
             refused. 32MiB is about 50,000 ends."),
        setting("retention.pokes", Count(1..=65_536), |c| &mut c.each_domain.retention.pokes,
            "Pokes that each interest retains, where its domain says nothing else. 64 is a minute of one a second."),
        setting("retention.bytes", Bytes(ONE_POKE..=GIB), |c| &mut c.each_domain.retention.bytes,
            "Bytes of pokes that each interest retains, where its domain says nothing else. 1MiB is 8 of the largest."),
        setting("retention.idempotency_keys", Count(1..=100_000_000), |c| &mut c.each_domain.idempotency_keys,
            "Idempotency keys that each domain keeps, where it says nothing else. 100,000 take about 10 MiB."),

        setting("rates.publisher", RATE, |c| &mut c.each_domain.rates.publisher,
            "Pokes and ends a second that one publisher may send to one domain, where that says nothing else; more are \
             refused with RATE_LIMITED. 1000 is a busy back end, and a tenth of what a domain takes, so that one in a loop \
             leaves room for the others. Off in development."),
        setting("rates.domain", RATE, |c| &mut c.each_domain.rates.domain,
            "The same for all publishers of a domain together. 10000 is under a tenth of a core without subscribers; each \
             stream that gets a poke costs as much again. Off in development."),
        setting("rates.burst", BURST, |c| &mut c.each_domain.rates.burst,
            "How much of its rate a publisher or a domain that was quiet may use up at once: as much as comes in this time. \
             10s holds the jobs that run once a minute."),

        setting("limits.connections", Count(1..=10_000_000), |c| &mut c.limits.connections,
            "Connections at once; one more is closed at once. 50,000 with a stream each take about 1 GiB."),
        setting("limits.connections_per_address", OrOff(Count(1..=10_000_000)), |c| &mut c.limits.connections_per_address,
            "Connections at once from one IPv4 address or one /64 of IPv6; one more is closed at once. Off: behind a load \
             balancer all clients have its address, and a carrier puts thousands of phones behind one. Where clients connect \
             directly, 1000 keeps one of them from taking all. This machine and UNIX sockets are never limited."),
        setting("limits.streams", Count(1..=100_000_000), |c| &mut c.stream.max_streams,
            "Streams at once; one more is refused with TOO_MANY_STREAMS. Twice the connections: most hold one. \
             A stream that was asked to move counts against no limit."),
        setting("limits.streams_per_connection", Count(1..=1_000_000), |c| &mut c.stream.max_streams_per_connection,
            "Streams at once on one connection; one more is refused with TOO_MANY_STREAMS. A client needs one; 100 \
             leaves room for a proxy that joins clients."),
        setting("limits.streams_per_address", OrOff(Count(1..=100_000_000)), |c| &mut c.stream.max_streams_per_address,
            "Streams at once from one IPv4 address or one /64 of IPv6; one more is refused with TOO_MANY_STREAMS. Off, as \
             limits.connections_per_address is."),
        setting("limits.streams_per_customer", OrOff(Count(1..=100_000_000)), |c| &mut c.stream.max_streams_per_customer,
            "Streams at once of one customer, as the token names them; one more is refused with TOO_MANY_STREAMS. 100 is a \
             family with all its devices and tabs. Raise it if a customer is a company."),
        setting("limits.requests_per_connection", Count(2..=1_000_000), |c| &mut c.limits.requests_per_connection,
            "Requests at once on one HTTP/2 connection; clients wait with more. Over streams_per_connection, so that \
             open streams never keep a Publish waiting."),
        setting("limits.idle_frames", Count(10..=1_000_000), |c| &mut c.limits.idle_frames,
            "Frames in a second by which an HTTP/2 client moves nothing: pings, settings, priorities, resets. With more \
             its connection ends by ENHANCE_YOUR_CALM. 1000 is far more than clients need who are told little; what the \
             server writes earns them more."),
        setting("limits.header_bytes", Count(8192..=1 << 20), |c| &mut c.limits.header_bytes,
            "Bytes of a request's header fields. 16 KiB holds large tokens and a proxy's additions."),
        setting("limits.request_bytes", Bytes(4 * MIB..=TIB), |c| &mut c.limits.request_bytes,
            "Bytes of requests that are being read, over all connections; past it calls are refused with OVERLOADED. \
             64MiB holds 64 of the largest at once, or 20,000 usual ones."),
        setting("limits.memory", MemoryBound(Bytes(MIB..=TIB)), |c| &mut c.limits.memory,
            "Bytes of the process in memory from which on every new call and connection is refused; new streams are at \
             fifteen sixteenths of it. It keeps the system from ending the process, and with it every open stream. auto is \
             fifteen sixteenths of what the control group allows, or the machine has."),
        setting("limits.handshake_timeout", Span(secs(1)..=secs(300)), |c| &mut c.limits.handshake_timeout,
            "How long a new connection may take to say what it wants. 10s is long for a bad network, and short for a \
             flood of silent sockets."),
        setting("limits.request_timeout", Span(secs(1)..=secs(600)), |c| &mut c.limits.request_timeout,
            "How long a call may take from its head to its answer, streams not counted. 30s is long for 1 MiB on a bad \
             network, and keeps no memory for who sends a byte now and then."),
        setting("limits.idle_timeout", Span(secs(1)..=DAY), |c| &mut c.limits.idle_timeout,
            "How long a connection stays open without a request. 5m is longer than proxies keep one in their pools, \
             so that the server doesn't close one just as it is used."),
        setting("limits.keepalive_interval", Span(secs(1)..=secs(3600)), |c| &mut c.limits.keepalive_interval,
            "How long a peer may be silent before it is probed. With the timeout, a dead one is gone after 40s."),
        setting("limits.keepalive_timeout", Span(secs(1)..=secs(600)), |c| &mut c.limits.keepalive_timeout,
            "How long the answer to a probe may take. 10s is enough for a phone that changes networks."),

        setting("drain.grace", Span(Duration::ZERO..=secs(600)), |c| &mut c.drain.grace,
            "How long the server still accepts connections after its readiness went off. 0s by default; behind a load \
             balancer set it to the time in which that notices."),
        setting("drain.window", Span(Duration::ZERO..=secs(3600)), |c| &mut c.drain.window,
            "Over how long streams move away. 20s fits, with the rest, into the 30s that Kubernetes gives."),
        setting("drain.deadline", Span(secs(1)..=secs(7200)), |c| &mut c.drain.deadline,
            "When the process exits whatever hangs, counted from the signal."),

        setting("cors.origins", List(Text("origins (https://app.example.com), \"loopback\" or \"*\"")),
            |c| &mut c.cors.origins,
            "Pages that may call from a browser. None by default: name yours."),
        setting("console.enabled", Switch, |c| &mut c.console.enabled,
            "Serve the console, a page for operators, at /console of each address. It shows the server's state to `admins` \
             alone, and watches and publishes with what its user may. Off, as apps have no use for it on the port that they \
             reach; on in development, where everyone on this machine sees all of it."),
        setting("reflection", Switch, |c| &mut c.reflection,
            "Serve gRPC reflection, for grpcurl and the like. On: the contract is public."),

        setting("log.format", Choice(&[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)]),
            |c| &mut c.log.format,
            "The form of log lines. auto is human on a terminal and JSON elsewhere."),
        setting("log.level", Level, |c| &mut c.log.level,
            "What is logged: error, warn, info, debug or trace, for all or for single parts. Libraries of HTTP (h2, hyper) \
             tell only errors unless they are named: clients can make them talk."),
    ]
}

/// What only the file can set, as it has no name of its own in the environment.
#[rustfmt::skip]
pub(super) fn file_settings() -> Vec<Setting<Config>> {
    vec![
        setting("admins", PrincipalList, |c: &mut Config| &mut c.auth.admins,
            "Who may administer the server. Nobody by default; to publish gives no right to it."),
    ]
}

/// The API key of a name, in the section `[keys]`.
pub(super) fn key_setting() -> Setting<Vec<KeyHash>> {
    setting("key", KeyHashes, |hashes| hashes, "The hash of an API key, or a list while one replaces another.")
}

/// The settings of one issuer, in its section `[issuers.NAME]`.
#[rustfmt::skip]
pub(super) fn issuer_settings() -> Vec<Setting<IssuerSettings>> {
    vec![
        setting("issuer", Text("the issuer's name, the claim `iss` of its tokens"), |i: &mut IssuerSettings| &mut i.issuer,
            "The claim `iss` of its tokens, byte for byte."),
        setting("audience", List(Text("names of this server, one of which is the claim `aud` of its tokens")), |i| &mut i.audience,
            "What its tokens must say that they are for: a token for another service is refused."),
        setting("jwks_url", OrOff(Text("an https URL, or an http URL of this machine")), |i| &mut i.jwks_url,
            "Where its public keys are, as a JWK set."),
        setting("jwks_file", OrOff(FilePath), |i| &mut i.jwks_file,
            "A file with its public keys, in place of jwks_url. A new one is taken while the server runs."),
        setting("algorithms", List(Choice(ALGORITHMS)), |i| &mut i.algorithms,
            "How its tokens may be signed. Public keys alone: with a shared secret this server could make tokens as well."),
        setting("leeway", Span(Duration::ZERO..=secs(300)), |i| &mut i.leeway,
            "By how much its clock and this one may differ. 5s is far more than clocks that are set by the network do."),
        setting("customers", Switch, |i| &mut i.customers,
            "Whether its tokens name customers. Only such an issuer lets anyone listen to a customer's pokes."),
        setting("customer_claim", Text("a claim's name"), |i| &mut i.customer_claim,
            "The claim that is the customer's id."),
        setting("grants_claim", Text("a claim's name"), |i| &mut i.grants_claim,
            "The claim that names what its holder may listen to, where subscribers is \"grant\": a list of \
             {\"domain\": \"D\", \"filters\": [\"f\"]} or {\"domain\": \"D\", \"prefix\": \"p\"}."),
    ]
}

/// The settings of one domain, in its section `[domains.NAME]`.
#[rustfmt::skip]
pub(super) fn domain_settings() -> Vec<Setting<domain::Settings>> {
    vec![
        setting("audience", Choice(&[("everyone", Audience::Everyone), ("customer", Audience::Customer)]),
            |d: &mut domain::Settings| &mut d.audience,
            "To whom its pokes go: everyone who holds the interest, or one customer each."),
        setting("publishers", PublisherList, |d| &mut d.access.publishers,
            "Who may publish to it and end its interests. Nobody by default: a poke reaches every listener. A key is one of \
             [keys]; claims are those of a token of one of [issuers]; a certificate is named by a DNS name or a URI."),
        setting("subscribers",
            Choice(&[
                ("open", Subscribers::Open),
                ("authenticated", Subscribers::Authenticated),
                ("grant", Subscribers::Grant),
            ]),
            |d| &mut d.access.subscribers,
            "Who may listen to it: everyone; who has a key, a token or a certificate; or who has a token that names the \
             interest. Authenticated by default: what is open to everyone should be so on purpose."),
        setting("retain_pokes", Count(1..=65_536), |d| &mut d.retention.pokes,
            "Pokes that each of its interests retains. By default retention.pokes."),
        setting("retain_bytes", Bytes(ONE_POKE..=GIB), |d| &mut d.retention.bytes,
            "Bytes of pokes that each of its interests retains. By default retention.bytes."),
        setting("idempotency_keys", Count(1..=100_000_000), |d| &mut d.idempotency_keys,
            "Idempotency keys that it keeps. By default retention.idempotency_keys."),
        setting("publisher_rate", RATE, |d| &mut d.rates.publisher,
            "Pokes and ends a second of one publisher. By default rates.publisher."),
        setting("rate", RATE, |d| &mut d.rates.domain,
            "Pokes and ends a second of all publishers together. By default rates.domain."),
        setting("burst", BURST, |d| &mut d.rates.burst,
            "How much of its rate a publisher, or the domain, that was quiet may use up at once. By default rates.burst."),
    ]
}
