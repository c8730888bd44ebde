//! The table of settings.

use std::{num::NonZeroU32, time::Duration};

use super::{
    Config, LogFormat,
    kind::{Advised, Bytes, Choice, Count, FilePath, Level, List, MemoryBound, OrOff, Share, Span, Switch, Text},
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

const ADDRESS: Advised = Advised("an IP address and a port (127.0.0.1:8080, [::]:8080) or unix:/path");

/// Every setting but the domains', in the order in which they are shown.
#[rustfmt::skip]
pub(super) fn settings() -> Vec<Setting<Config>> {
    vec![
        setting("listen.addresses", List(ADDRESS), |c: &mut Config| &mut c.listen.addresses,
            "Addresses on which the server listens for clients. [::] accepts IPv4 as well; port 0 takes a free port. \
             Loopback by default, so that nothing is reachable from a network before you decide so."),
        setting("listen.wait", Span(Duration::ZERO..=secs(600)), |c| &mut c.listen.wait,
            "Time to wait for addresses that another process has. Start a new server with 60s and then stop the old one: \
             the new one serves as soon as the old one has closed listen.addresses, and takes admin.listen when that is \
             free. 0s by default, so that a forgotten server is noticed."),
        setting("tls.certificate", OrOff(FilePath), |c| &mut c.tls.certificate,
            "A PEM file with the server's certificate, followed by the intermediate ones. With it, TCP connections use \
             TLS; UNIX sockets stay in plaintext. The server loads a changed file within seconds, or at once on SIGHUP."),
        setting("tls.key", OrOff(FilePath), |c| &mut c.tls.key,
            "A PEM file with the private key of the certificate, not encrypted."),
        setting("tls.client_ca", OrOff(FilePath), |c| &mut c.tls.client_ca,
            "A PEM file with the certificates of the authorities that sign client certificates."),
        setting("tls.client_certificates",
            Choice(&[
                ("off", ClientCertificates::Off),
                ("optional", ClientCertificates::Optional),
                ("required", ClientCertificates::Required),
            ]),
            |c| &mut c.tls.client_certificates,
            "Accept, or require, client certificates signed by an authority in tls.client_ca. Off by default, because \
             phones and browsers have none."),
        setting("tls.min_version", Choice(&[("1.2", Version::Tls12), ("1.3", Version::Tls13)]), |c| &mut c.tls.min_version,
            "The oldest TLS version that is accepted. 1.2 (with its safe ciphers only), because proxies and older phones \
             still need it."),
        setting("admin.listen", OrOff(ADDRESS), |c| &mut c.admin.listen,
            "Address of the plaintext admin port, which serves /healthz, /readyz, /metrics and /revoke. Loopback by \
             default, because it is for operators only."),
        setting("admin.revocations", Count(1..=100_000_000), |c| &mut c.admin.remembering.limit,
            "Maximum number of customers whose revocation is remembered. Beyond it /revoke fails, because forgetting an \
             earlier customer would accept the revoked tokens again. 100,000 take about 15 MiB."),
        setting("admin.revocation_window", Span(secs(60)..=365 * DAY), |c| &mut c.admin.remembering.window,
            "How long a revocation is remembered. Set it to the longest lifetime of your customers' tokens; 1d is longer \
             than most. A restart forgets all revocations."),

        setting("jwks.timeout", Span(secs(1)..=secs(60)), |c| &mut c.auth.jwks.timeout,
            "Timeout of fetching an issuer's keys. 5s is long for one small file."),
        setting("jwks.max_bytes", Bytes(1024..=16 * MIB), |c| &mut c.auth.jwks.max_bytes,
            "Maximum size of an issuer's key set. 256KiB is several times the size of the largest issuers' sets."),
        setting("jwks.refresh", Span(secs(10)..=DAY), |c| &mut c.auth.jwks.refresh,
            "Interval at which an issuer's keys are fetched again. With 5m, the server refuses a key soon after the \
             issuer has withdrawn it."),
        setting("jwks.fetches_per_minute", Count(1..=60), |c| &mut c.auth.jwks.fetches_per_minute,
            "Fetches per minute and issuer that tokens with unknown keys may cause. 2, so that a client with made-up \
             keys can't load the issuer through this server."),

        setting("stream.heartbeat_interval", Span(secs(1)..=secs(60)), |c| &mut c.stream.heartbeat_interval,
            "Maximum time without an event on a stream. 20s is well below the 60s after which common proxies close an \
             idle stream."),
        setting("stream.checkpoint_interval", Span(secs(1)..=secs(60)), |c| &mut c.stream.checkpoint_interval,
            "Longest time between two checkpoints (events that tell a client up to which position it has everything) on \
             a busy stream. 60s is the most that poke.proto allows."),
        setting("stream.max_age", Span(secs(1)..=30 * DAY), |c| &mut c.stream.max_age,
            "Age at which the server asks a stream's client to open a new stream on a new connection. With 1h, the load \
             spreads over a newly started server within the hour."),
        setting("stream.max_age_jitter", Share(0.0..=0.5), |c| &mut c.stream.max_age_jitter,
            "Largest share of max_age by which a stream's maximum age differs from it at random, so that streams that \
             were opened together don't move together."),
        setting("stream.move_timeout", Span(secs(1)..=secs(600)), |c| &mut c.stream.move_timeout,
            "Time for which a stream stays open after its client was asked to move. 30s is enough for a phone on a bad \
             network. A drain takes less."),
        setting("stream.token_notice", Span(secs(1)..=secs(3600)), |c| &mut c.stream.token_notice,
            "How long before its token expires a stream's client is asked to move with a new token; at most half of the \
             token's remaining lifetime. 1m gives a phone time to fetch one."),
        setting("stream.stall_timeout", Span(secs(1)..=secs(600)), |c| &mut c.stream.stall_timeout,
            "Time for which a client may leave sent data unread before its stream is closed with CLIENT_STALLED."),
        setting("stream.reconnect_spread", Span(Duration::ZERO..=secs(300)), |c| &mut c.stream.reconnect_spread,
            "Time over which clients spread their first retry after a connection was lost without notice. With 5s, the \
             10,000 clients of a crashed server return at 2,000 per second."),
        setting("stream.reload_spread", Span(Duration::ZERO..=secs(3600)), |c| &mut c.stream.reload_spread,
            "Time over which clients spread their reloads after a gap. Raise it if many clients reload from one back \
             end."),
        setting("stream.max_interests", Count(1..=1000), |c| &mut c.stream.max_interests,
            "Maximum number of interests on one stream; the SDKs subscribe to further ones when others leave. A page \
             rarely has 500, which take 0.2 MiB. A request may take 64 KiB for each hundred, which holds the longest \
             names and positions."),
        setting("stream.replay_bytes", Bytes(ONE_POKE..=GIB), |c| &mut c.stream.replay_bytes,
            "Maximum number of bytes replayed to one stream when it resumes; beyond it the client receives a gap. The \
             newest poke that a client has asked for with `latest` doesn't count. 4MiB takes half a second on a fast \
             mobile network."),

        setting("retention.window", Span(secs(1)..=DAY), |c| &mut c.registry.window,
            "How long pokes, idempotency keys and the records of ended interests are kept. 10m covers a train tunnel or \
             a restart of the app."),
        setting("retention.budget", Bytes(MIB..=TIB), |c| &mut c.registry.budget,
            "Maximum number of bytes of retained pokes over all interests, with their overhead: an interest with one \
             small poke takes about 600. When it is full, the oldest pokes of interests without subscribers are deleted \
             first. 256MiB suits a machine with 1 GiB."),
        setting("retention.ends_budget", Bytes(MIB..=TIB), |c| &mut c.registry.ends_budget,
            "Maximum number of bytes of the records of ended interests, in the whole server. A record can't be deleted \
             before the window is over, so EndInterest is refused when this is full. 32MiB hold about 50,000."),
        setting("retention.pokes", Count(1..=65_536), |c| &mut c.each_domain.retention.pokes,
            "Pokes that each interest retains, where its domain says nothing else. 64 is a minute of one a second."),
        setting("retention.bytes", Bytes(ONE_POKE..=GIB), |c| &mut c.each_domain.retention.bytes,
            "Bytes of pokes retained for each interest, unless its domain sets another number. 1MiB holds 8 pokes of the \
             maximum size."),
        setting("retention.idempotency_keys", Count(1..=100_000_000), |c| &mut c.each_domain.idempotency_keys,
            "Number of idempotency keys kept for each domain, unless it sets another number. 100,000 take about 10 MiB."),

        setting("rates.publisher", RATE, |c| &mut c.each_domain.rates.publisher,
            "Publish and EndInterest calls per second that one publisher may make in one domain, unless the domain sets \
             another number. Faster calls fail with RATE_LIMITED. 1000 is a busy back end and a tenth of rates.domain, \
             so that one publisher in a loop leaves room for the others. Off in development."),
        setting("rates.domain", RATE, |c| &mut c.each_domain.rates.domain,
            "Publish and EndInterest calls per second that all publishers together may make in one domain. Accepting \
             10000 takes less than a tenth of a core; delivering a poke to one stream costs as much as accepting it. Off \
             in development."),
        setting("rates.burst", BURST, |c| &mut c.each_domain.rates.burst,
            "Size of a burst, in seconds of the rate: after a pause a publisher, or a domain, may send at once as many \
             pokes as its rate allows in this time. 10s fits jobs that run once a minute."),

        setting("limits.connections", Count(1..=10_000_000), |c| &mut c.limits.connections,
            "Maximum number of open connections; the server closes further ones right after accepting them. 50,000 with \
             one stream each take about 1 GiB."),
        setting("limits.connections_per_address", OrOff(Count(1..=10_000_000)), |c| &mut c.limits.connections_per_address,
            "Maximum number of open connections from one IPv4 address or IPv6 /64 network; the server closes further \
             ones right after accepting them. Off, because behind a load balancer all clients have its address, and \
             mobile carriers put thousands of phones behind one. If clients connect directly, 1000 keeps one of them \
             from taking all connections. Loopback and UNIX sockets are never limited."),
        setting("limits.streams", Count(1..=100_000_000), |c| &mut c.stream.max_streams,
            "Maximum number of open streams; further ones are refused with TOO_MANY_STREAMS. The default is twice \
             limits.connections, because some connections have several. Streams whose client was asked to move don't \
             count, here and in the other limits of streams."),
        setting("limits.streams_per_connection", Count(2..=1_000_000), |c| &mut c.limits.streams_per_connection,
            "Maximum number of open HTTP/2 streams on one connection, Subscribes and other calls together. The server \
             announces it as SETTINGS_MAX_CONCURRENT_STREAMS, so proxies and clients open another connection for the \
             next stream; streams that exceed it are refused with REFUSED_STREAM. 100 is the least that HTTP/2 \
             recommends, and what common clients assume before they have received the SETTINGS."),
        setting("limits.streams_per_address", OrOff(Count(1..=100_000_000)), |c| &mut c.stream.max_streams_per_address,
            "Maximum number of open streams from one IPv4 address or IPv6 /64 network; further ones are refused with \
             TOO_MANY_STREAMS. Off for the reasons given at limits.connections_per_address."),
        setting("limits.streams_per_customer", OrOff(Count(1..=100_000_000)), |c| &mut c.stream.max_streams_per_customer,
            "Maximum number of open streams of one customer, as named by the token; further ones are refused with \
             TOO_MANY_STREAMS. 100 is a family with all its devices and tabs. Raise it if a customer is a company."),
        setting("limits.idle_frames", Count(10..=1_000_000), |c| &mut c.limits.idle_frames,
            "HTTP/2 frames per second that make no progress (PING, SETTINGS, PRIORITY, RST_STREAM) that a client may \
             send. Beyond it the connection is closed with ENHANCE_YOUR_CALM. 1000 is far more than a client needs whose \
             streams are quiet; data that the server sends raises the allowance."),
        setting("limits.header_bytes", Count(8192..=1 << 20), |c| &mut c.limits.header_bytes,
            "Maximum size of a request's header fields; a larger request is refused, in gRPC with RESOURCE_EXHAUSTED and \
             else with HTTP status 431. 16 KiB holds large tokens and a proxy's additions."),
        setting("limits.refused_header_bytes", Count(8192..=4 << 20), |c| &mut c.limits.refused_header_bytes,
            "Size of header fields above which the server closes the whole HTTP/2 connection, with ENHANCE_YOUR_CALM, instead \
             of refusing the request alone as it does above limits.header_bytes. A header block in more than about 20 frames \
             closes the connection too. 256 KiB is four times what Envoy forwards by default and eight times what nginx does, \
             so that a client of such a proxy can't end the requests of its other clients."),
        setting("limits.request_bytes", Bytes(4 * MIB..=TIB), |c| &mut c.limits.request_bytes,
            "Maximum number of bytes of requests being read, over all connections; beyond it calls are refused with \
             OVERLOADED. 64MiB hold 64 of the largest requests, or 20,000 of usual size. Header fields that come in \
             several frames, because they are large, may take as much again."),
        setting("limits.memory", MemoryBound(Bytes(MIB..=TIB)), |c| &mut c.limits.memory,
            "Resident memory of the process above which new calls and connections are refused; Subscribe calls are \
             refused from 15/16 of it on. Open streams continue. This keeps the operating system from killing the \
             process. auto is 15/16 of the control group's limit, or of the machine's memory without one."),
        setting("limits.handshake_timeout", Span(secs(1)..=secs(300)), |c| &mut c.limits.handshake_timeout,
            "Time for a new connection to complete its handshake and begin a request. 10s is long for a bad network, and \
             short for a flood of silent sockets."),
        setting("limits.request_timeout", Span(secs(1)..=secs(600)), |c| &mut c.limits.request_timeout,
            "Time from a call's header to its response; streams don't count. 30s is long for 1 MiB on a bad network, and \
             frees the memory of clients that send a byte now and then."),
        setting("limits.idle_timeout", Span(secs(1)..=DAY), |c| &mut c.limits.idle_timeout,
            "Time for which a connection without a request stays open. 5m is longer than proxies keep idle connections, \
             so that the server doesn't close one just as it is used again."),
        setting("limits.keepalive_interval", Span(secs(1)..=secs(3600)), |c| &mut c.limits.keepalive_interval,
            "Time of silence after which the server sends a PING. A dead connection is closed after this time and \
             limits.keepalive_timeout, 40s by default."),
        setting("limits.keepalive_timeout", Span(secs(1)..=secs(600)), |c| &mut c.limits.keepalive_timeout,
            "Time to wait for the answer to a PING. 10s is enough for a phone that changes networks."),

        setting("drain.grace", Span(Duration::ZERO..=secs(600)), |c| &mut c.drain.grace,
            "Time for which the server still accepts connections after /readyz has begun to fail. 0s by default; behind \
             a load balancer, set it to the time that the balancer takes to notice."),
        setting("drain.rate", Count(1..=1_000_000), |c| &mut c.drain.rate,
            "Number of streams that a drain asks to move in a second: few streams move at once, many are spread. 1000 new \
             TLS connections a second take a third of a core of the server that accepts them."),
        setting("drain.window", Span(Duration::ZERO..=secs(3600)), |c| &mut c.drain.window,
            "Longest time over which a drain spreads the moves of streams, however many there are. 20s fits, with the \
             rest, into the 30s that Kubernetes gives."),
        setting("drain.deadline", Span(secs(1)..=secs(7200)), |c| &mut c.drain.deadline,
            "Time after the signal at which the process exits, whatever is still open. It exits earlier, as soon as every \
             stream has ended."),

        setting("cors.origins", List(Advised("origins (https://app.example.com), \"loopback\" or \"*\"")),
            |c| &mut c.cors.origins,
            "Pages that may call from a browser, by their origins: a scheme, a host and, unless it is the scheme's own, a port. \
             loopback is every page that this machine serves, * every page. None by default: name yours."),
        setting("console.enabled", Switch, |c| &mut c.console.enabled,
            "Serve the console, a web page for operators, at /console of every address. It shows the server's state only \
             to `admins`; everyone else may watch and publish what their own key or token allows. Off by default, \
             because apps have no use for it on their port. On in development, where everyone on this machine sees all \
             of it."),
        setting("reflection", Switch, |c| &mut c.reflection,
            "Serve gRPC reflection, which grpcurl and similar tools use. On, because the contract is public. In the file it \
             stands above the first [table]."),

        setting("log.format", Choice(&[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)]),
            |c| &mut c.log.format,
            "Format of log lines. auto is human on a terminal and JSON elsewhere."),
        setting("log.level", Level, |c| &mut c.log.level,
            "What is logged: error, warn, info, debug or trace, for the whole server or for single modules. The HTTP \
             libraries (h2, hyper) log only errors unless they are named, because clients can cause their messages."),
        setting("log.buffer", Bytes((64 << 10)..=GIB), |c| &mut c.log.buffer,
            "Maximum number of bytes of log lines that wait for a slow reader. When it is reached, the server drops lines, \
             counts them (poke_log_lines_dropped_total) and logs their number later: calls never wait for the log. 1MiB \
             holds 5,000 lines."),
    ]
}

/// What only the file can set, as it has no name of its own in the environment.
#[rustfmt::skip]
pub(super) fn file_settings() -> Vec<Setting<Config>> {
    vec![
        setting("admins", PrincipalList, |c: &mut Config| &mut c.auth.admins,
            "Callers who may administer the server: revoke a customer's tokens, and see the server's state in the console. \
             Nobody by default; the right to publish doesn't include it. It stands above the first [table]."),
    ]
}

/// Settings that earlier versions had, each with what replaces it.
const REMOVED: &[(&str, &str)] = &[(
    "limits.requests_per_connection",
    "limits.streams_per_connection is now the limit for all requests of a connection",
)];

/// Returns the names of the settings that earlier versions had.
pub(super) fn removed_settings() -> impl Iterator<Item = &'static str> {
    REMOVED.iter().map(|&(key, _)| key)
}

/// Returns the message for a setting that earlier versions had.
pub(super) fn removal(key: &str) -> Option<String> {
    let (_, instead) = REMOVED.iter().find(|(removed, _)| *removed == key)?;
    Some(format!("{key} has been removed: {instead}. Delete it"))
}

/// The API key of a name, in the section `[keys]`.
pub(super) fn key_setting() -> Setting<Vec<KeyHash>> {
    setting(
        "key",
        KeyHashes,
        |hashes| hashes,
        "The hash of an API key, or a list of hashes while one key replaces another.",
    )
}

/// The settings of one issuer, in its section `[issuers.NAME]`.
#[rustfmt::skip]
pub(super) fn issuer_settings() -> Vec<Setting<IssuerSettings>> {
    vec![
        setting("issuer", Text("the issuer's name, the claim `iss` of its tokens").filled(), |i: &mut IssuerSettings| &mut i.issuer,
            "The claim `iss` of its tokens, compared byte for byte."),
        setting("audience", List(Text("names of this server, one of which is the claim `aud` of its tokens").filled()), |i| &mut i.audience,
            "Values of the claim `aud`, one of which its tokens must have: tokens for other services are refused."),
        setting("jwks_url", OrOff(Text("an https URL, or an http URL of this machine")), |i| &mut i.jwks_url,
            "URL of its public keys, a JWK set."),
        setting("jwks_file", OrOff(FilePath), |i| &mut i.jwks_file,
            "A file with its public keys, instead of jwks_url. The server loads it again when it changes."),
        setting("algorithms", List(Choice(ALGORITHMS)), |i| &mut i.algorithms,
            "Algorithms with which its tokens may be signed. Only those with public keys: with a shared secret this \
             server could make tokens itself."),
        setting("leeway", Span(Duration::ZERO..=secs(300)), |i| &mut i.leeway,
            "Maximum difference between its clock and this server's. 5s is far more than clocks set over the network \
             differ."),
        setting("customers", Switch, |i| &mut i.customers,
            "Accept its tokens as naming customers. Only tokens of such an issuer allow listening to a customer's pokes."),
        setting("customer_claim", Text("a claim's name").filled(), |i| &mut i.customer_claim,
            "Name of the claim that holds the customer's id."),
        setting("grants_claim", Text("a claim's name").filled(), |i| &mut i.grants_claim,
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
            "Receivers of its pokes: everyone with the interest, or one customer per poke."),
        setting("publishers", PublisherList, |d| &mut d.access.publishers,
            "Callers who may publish to the domain and end its interests. Nobody by default, because a poke reaches \
             every subscriber. A key is one of [keys]; claims are those of a token of one of [issuers]; a certificate is \
             named by a DNS name or a URI."),
        setting("subscribers",
            Choice(&[
                ("open", Subscribers::Open),
                ("authenticated", Subscribers::Authenticated),
                ("grant", Subscribers::Grant),
            ]),
            |d| &mut d.access.subscribers,
            "Callers who may listen to it: everyone (open); everyone with a key, a token or a certificate \
             (authenticated); or those whose token names the interest (grant). authenticated by default, so that a \
             domain is open to everyone only on purpose."),
        setting("retain_pokes", Count(1..=65_536), |d| &mut d.retention.pokes,
            "Number of pokes retained for each of its interests. retention.pokes by default."),
        setting("retain_bytes", Bytes(ONE_POKE..=GIB), |d| &mut d.retention.bytes,
            "Bytes of pokes retained for each of its interests. retention.bytes by default."),
        setting("idempotency_keys", Count(1..=100_000_000), |d| &mut d.idempotency_keys,
            "Number of idempotency keys kept for it. retention.idempotency_keys by default."),
        setting("publisher_rate", RATE, |d| &mut d.rates.publisher,
            "Publish and EndInterest calls per second of one publisher. rates.publisher by default."),
        setting("rate", RATE, |d| &mut d.rates.domain,
            "Publish and EndInterest calls per second of all its publishers together. rates.domain by default."),
        setting("burst", BURST, |d| &mut d.rates.burst,
            "Size of a burst, as the time in which the rate adds up to it. rates.burst by default."),
    ]
}
