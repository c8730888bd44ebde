//! One situation, and what it shows of one server.

use std::{path::Path, time::Duration};

use crate::{
    Fault,
    cost::{self, Others},
    figure::{Figures, OTHERS},
    load::{Crowd, Load, Run},
    pinning::Pinning,
    server::{HURRY, Kind, Server, Setup},
    tls::Identity,
    wire::Headers,
};

/// How a case is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// How long.
    pub(crate) span: Duration,
    /// With what the server encrypts.
    pub(crate) identity: &'a Identity,
    /// The folder for the server's log.
    pub(crate) logs: &'a Path,
    /// How gRPC clients encode their requests.
    pub(crate) headers: Headers,
    /// Processors for server and load; without, the scheduler decides.
    pub(crate) pinning: Option<&'a Pinning>,
    /// The server's program, in place of the one that is found.
    pub(crate) program: Option<&'a Path>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Pokes to subscribers of one interest, a fixed number under way.
    Deliver {
        /// Bytes of a poke's text.
        payload: usize,
        /// Streams.
        subscribers: usize,
        /// Pokes under way.
        backlog: u64,
        /// Streams on a connection.
        streams: usize,
        /// Encrypted.
        tls: bool,
    },
    /// Subscribers to whom nothing is said.
    Idle {
        /// How many connections the figures are taken from.
        connections: usize,
        /// Encrypted.
        tls: bool,
    },
    /// Subscribers who hear nothing but that the server lives, and are asked whether they do.
    Quiet {
        /// How many connections the figure is taken from.
        connections: usize,
        /// Encrypted.
        tls: bool,
    },
    /// Unary publishes, 64 under way.
    Publish {
        /// Bytes of a poke's text.
        payload: usize,
        /// Subscribers of the interest.
        subscribers: usize,
    },
    /// One subscriber in five reads nothing.
    Stalled {
        /// All of them.
        subscribers: usize,
    },
}

/// How the name of an encrypted case ends.
pub(crate) const TLS: &str = ", TLS";
/// Calls under way when publishing is measured.
const PENDING: u64 = 64;
/// How long quiet streams are watched: three hurried heartbeats, and two pings.
const QUIET: Duration = Duration::from_secs(6);
/// How long a server may take to come to rest before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// The server's own words of a size, with room for the other fields of a poke of the largest one (131,072 bytes).
pub(crate) fn payload(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes.min(131_000)]
}

impl Case {
    /// Whether this kind of server can be in this situation.
    pub(crate) fn suits(self, kind: Kind) -> bool {
        match self {
            Self::Deliver { streams, tls, .. } => (streams == 1 || kind.has_streams()) && (!tls || kind.has_tls()),
            Self::Idle { .. } | Self::Stalled { .. } => kind != Kind::Floor,
            Self::Quiet { .. } => kind == Kind::Poke,
            Self::Publish { .. } => matches!(kind, Kind::Poke | Kind::Naive),
        }
    }

    fn tls(self) -> bool {
        matches!(self, Self::Deliver { tls: true, .. } | Self::Idle { tls: true, .. } | Self::Quiet { tls: true, .. })
    }

    /// Its name in the report.
    pub(crate) fn label(self) -> String {
        let label = match self {
            Self::Deliver { payload, subscribers, backlog, streams, .. } => {
                format!("deliver {} to {subscribers}, backlog {backlog}, {streams} a connection", size(payload))
            }
            Self::Idle { connections, .. } => format!("idle, {connections} connections"),
            Self::Quiet { connections, .. } => format!("quiet, {connections} connections"),
            Self::Publish { payload, subscribers } => format!("publish {}, {subscribers} subscribers", size(payload)),
            Self::Stalled { subscribers } => format!("stalled, a fifth of {subscribers}"),
        };
        if self.tls() { label + TLS } else { label }
    }

    /// Measures a fresh server.
    pub(crate) fn measure(self, kind: Kind, terms: Terms<'_>) -> Result<Figures, Fault> {
        let Terms { span, identity, logs, headers, pinning, program } = terms;
        let tls = Some(identity).filter(|_| self.tls());
        let others = Others::watch()?;
        let hurried = matches!(self, Self::Quiet { .. });
        let server = Server::start(kind, Setup { tls, hurried, pinning, program }, logs)?;
        let mut load = Load::new(kind.wire(), headers, tls)?;
        let mut figures = match self {
            Self::Deliver { payload, subscribers, backlog, streams, .. } => {
                let crowd = Crowd { streams, ..Crowd::of(subscribers / streams) };
                deliver(&server, &mut load, &self::payload(payload), backlog, crowd, span)
            }
            Self::Idle { connections, .. } => idle(&server, &mut load, kind, connections),
            Self::Quiet { connections, .. } => quiet(&server, &mut load, connections),
            Self::Publish { payload, subscribers } => {
                publish(&server, &mut load, &self::payload(payload), subscribers, span)
            }
            Self::Stalled { subscribers } => stalled(&server, &mut load, subscribers, span),
        }?;
        figures.insert(OTHERS, others.processors(cost::cpu(server.pid())?)?);
        Ok(figures)
    }
}

fn deliver(
    server: &Server,
    load: &mut Load<'_>,
    payload: &[u8],
    backlog: u64,
    crowd: Crowd,
    span: Duration,
) -> Result<Figures, Fault> {
    load.join(server.subscribe, crowd)?;
    load.publish_to(server.publish)?;
    load.run(payload, backlog, span / 3)?;
    let before = cost::cpu(server.pid())?;
    let run = load.run(payload, backlog, span)?;
    let cpu = cost::cpu(server.pid())? - before;
    let mut figures = delivery(&run, cpu);
    figures.insert("resident_mib", cost::resident(server.pid())? / f64::from(1 << 20));
    Ok(figures)
}

fn delivery(run: &Run, cpu: Duration) -> Figures {
    Figures::from([
        ("cpu_us_per_delivery", micros(cpu) / run.delivered as f64),
        ("deliveries_per_s", run.delivered as f64 / run.took.as_secs_f64()),
        ("p50_us", run.latency.value_at_quantile(0.5) as f64),
        ("p99_us", run.latency.value_at_quantile(0.99) as f64),
    ])
}

/// What a connection with a stream, one more stream, and one more interest hold; and what coming costs.
fn idle(server: &Server, load: &mut Load<'_>, kind: Kind, connections: usize) -> Result<Figures, Fault> {
    let pid = server.pid();
    // What the first connections of all bring about isn't theirs.
    load.join(server.subscribe, Crowd::of(20))?;
    let grown = |load: &mut Load<'_>, crowd: Crowd| -> Result<(f64, f64), Fault> {
        load.rest(SETTLE)?;
        let (resident, kernel) = (cost::resident(pid)?, cost::kernel()?);
        load.join(server.subscribe, crowd)?;
        load.rest(SETTLE)?;
        Ok((cost::resident(pid)? - resident, cost::kernel()? - kernel))
    };
    let before = cost::cpu(pid)?;
    let (one_each, kernel) = grown(load, Crowd::of(connections))?;
    let cpu = cost::cpu(pid)? - before;
    let each = one_each / connections as f64;
    let mut figures = Figures::from([
        ("bytes_per_connection", each),
        // Both ends of a connection are on this machine.
        ("kernel_bytes_per_socket", kernel / (2 * connections) as f64),
        ("cpu_us_per_subscribe", micros(cpu) / connections as f64),
    ]);
    let few = (connections / 10).max(1);
    if kind.has_streams() {
        let more = 10;
        let (bytes, _) = grown(load, Crowd { streams: 1 + more, ..Crowd::of(few) })?;
        figures.insert("bytes_per_extra_stream", (bytes / few as f64 - each) / more as f64);
    }
    let more = 99;
    let (bytes, _) = grown(load, Crowd { interests: 1 + more, distinct: true, ..Crowd::of(few) })?;
    figures.insert("bytes_per_interest", (bytes / few as f64 - each) / more as f64);
    Ok(figures)
}

/// What a stream costs a second with nothing to say, at the default intervals.
fn quiet(server: &Server, load: &mut Load<'_>, connections: usize) -> Result<Figures, Fault> {
    load.join(server.subscribe, Crowd::of(connections))?;
    load.rest(SETTLE)?;
    let (before, heard) = (cost::cpu(server.pid())?, load.heartbeats());
    load.rest(QUIET)?;
    let (cpu, heard) = (cost::cpu(server.pid())? - before, load.heartbeats() - heard);
    if heard < 2 * connections as u64 {
        return Err(format!("{heard} heartbeats on {connections} streams").into());
    }
    let hurried = micros(cpu) / connections as f64 / QUIET.as_secs_f64();
    Ok(Figures::from([("cpu_us_per_quiet_stream_s", hurried / f64::from(HURRY))]))
}

fn publish(
    server: &Server,
    load: &mut Load<'_>,
    payload: &[u8],
    subscribers: usize,
    span: Duration,
) -> Result<Figures, Fault> {
    load.join(server.subscribe, Crowd::of(subscribers))?;
    load.publish_to(server.publish)?;
    load.flood(payload, PENDING, span / 3)?;
    let before = cost::cpu(server.pid())?;
    let run = load.flood(payload, PENDING, span)?;
    let cpu = cost::cpu(server.pid())? - before;
    let published = run.published as f64;
    Ok(Figures::from([
        ("publishes_per_core_s", 1e6 / (micros(cpu) / published)),
        ("publishes_per_s", published / run.took.as_secs_f64()),
    ]))
}

/// The latency of those who read, without and with others who don't.
fn stalled(server: &Server, load: &mut Load<'_>, subscribers: usize, span: Duration) -> Result<Figures, Fault> {
    let pid = server.pid();
    let payload = payload(1024);
    let others = subscribers / 5;
    load.join(server.subscribe, Crowd::of(subscribers - others))?;
    load.publish_to(server.publish)?;
    load.run(&payload, 1, span / 3)?;
    let alone = load.run(&payload, 1, span)?;
    load.join_stalled(server.subscribe, others)?;
    load.rest(SETTLE)?;
    let resident = cost::resident(pid)?;
    // More than a window and the buffers of a socket hold, and more than is retained of an interest.
    load.fill(&payload, 200)?;
    load.rest(SETTLE)?;
    let held = cost::resident(pid)? - resident;
    let beside = load.run(&payload, 1, span)?;
    let p99 = |run: &Run| run.latency.value_at_quantile(0.99) as f64;
    Ok(Figures::from([
        ("p99_us_alone", p99(&alone)),
        ("p99_us_beside_stalled", p99(&beside)),
        ("p99_ratio", p99(&beside) / p99(&alone)),
        ("bytes_per_stalled", held / others as f64),
    ]))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn size(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KiB", bytes / 1024) }
}
