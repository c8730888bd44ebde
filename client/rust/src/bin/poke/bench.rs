//! `poke bench`: load on a server, and what comes of it.

mod plan;
mod progress;
mod publishers;
mod report;
mod subscribers;
mod tally;
mod wire;

use std::{sync::Arc, time::Duration};

use clap::builder::NonEmptyStringValueParser;
use tokio::{task::JoinSet, time::Instant};

use self::{plan::Plan, progress::Progress, report::Report, tally::Tally};
use crate::{Context, Exit, Failure, duration, output::Output, server::Server, text};

const AFTER_HELP: &str = "\
Every poke carries the time at which it was sent, so latency is from the start of Publish to the delivery, on one clock.
Exit code 1 says that pokes are missing without a gap, or that calls or streams failed.

Examples:
  poke bench                                         100 subscribers of one interest, 100 pokes/s, 10 s
  poke bench --subscribers 10000 --rate 5            wide fan-out
  poke bench --subscribers 10000 --interests 10000 --rate 5000 --publishers 8
  poke bench --rate 0 --publishers 16 --json         as fast as it goes
";

/// Puts load on a server and measures throughput and latency
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Number of subscribers
    #[arg(long, short = 's', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    subscribers: u32,
    /// Number of publish calls in flight
    #[arg(long, short = 'p', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: u32,
    /// Number of interests among which pokes and subscribers are divided
    #[arg(long, short = 'i', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    interests: u32,
    /// Size of each poke's data, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(16..=131_072))]
    size: u32,
    /// Pokes per second of all publishers together; 0 means as many as possible
    #[arg(long, short = 'r', value_name = "N", default_value_t = 100.0, value_parser = rate)]
    rate: f64,
    /// Duration of the measurement
    #[arg(long, short = 'd', value_name = "DURATION", value_parser = duration::parse, default_value = "10s")]
    duration: Duration,
    /// Number of subscribers on each connection
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    streams_per_connection: u32,
    /// Domain to use; each run takes new filters
    #[arg(long, value_name = "DOMAIN", default_value = "BENCH", value_parser = NonEmptyStringValueParser::new())]
    domain: String,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
        _ => Err("a rate is a number of pokes a second, like 100 or 0.5".to_owned()),
    }
}

/// For how long streams may take to become live, and late deliveries to arrive, without any of them doing so.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the progress is looked at.
const TICK: Duration = Duration::from_millis(100);

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<(), Failure> {
    let server = context.server()?;
    let plan = Arc::new(Plan::new(&args));
    server.reach(PATIENCE).await?;
    context.output.note(&format!("{} at {}", plan.summary(), server.url));
    let (report, interrupted) = measure(&plan, &server, &context.output).await?;
    if context.json() {
        context.output.json(&report)?;
    } else {
        for line in report.lines(context.output.palette()) {
            context.output.line(&line)?;
        }
    }
    if interrupted { Err(Failure::Silent(Exit::Interrupted)) } else { report.verdict() }
}

/// Runs the load. True: it was interrupted.
async fn measure(plan: &Arc<Plan>, server: &Server, output: &Output) -> Result<(Report, bool), Failure> {
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let tally = Arc::new(Tally::new(plan));
    let mut streams = subscribers::start(plan, server, &tally)?;
    tokio::select! {
        () = all_live(plan, &tally, output) => {}
        _ = &mut interrupt => return Err(Failure::Silent(Exit::Interrupted)),
    }
    let wanted = u64::from(plan.subscribers);
    if tally.live() < wanted {
        let failed = text::thousands(wanted - tally.live());
        output.warning(&format!("{failed} of {} did not become live", text::count(wanted, "subscriber")));
    }
    tally.start();
    let started = Instant::now();
    let mut senders = publishers::start(plan, server, &tally)?;
    let mut interrupted = tokio::select! {
        () = all_sent(&mut senders, plan, &tally, output) => false,
        _ = &mut interrupt => true,
    };
    senders.abort_all();
    let sending = started.elapsed();
    if !interrupted {
        interrupted = tokio::select! {
            () = all_delivered(&tally) => false,
            _ = tokio::signal::ctrl_c() => true,
        };
    }
    let report = Report::new(plan, &tally, sending);
    streams.abort_all();
    Ok((report, interrupted))
}

async fn all_live(plan: &Plan, tally: &Tally, output: &Output) {
    let progress = Progress::new(output, "subscribing", u64::from(plan.subscribers));
    let settled = || tally.live() + tally.failed_streams();
    watch(|| settled() >= u64::from(plan.subscribers), settled, || progress.show(settled(), "")).await;
}

async fn all_sent(senders: &mut JoinSet<()>, plan: &Plan, tally: &Tally, output: &Output) {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let progress = Progress::new(output, "running", millis(plan.duration));
    let started = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            joined = senders.join_next() => if joined.is_none() { return },
            _ = tick.tick() => {
                let rate = tally.deliveries() as f64 / started.elapsed().as_secs_f64().max(0.1);
                let says = format!("{} deliveries/s", text::rate(rate));
                progress.show(millis(started.elapsed()), &says);
            }
        }
    }
}

async fn all_delivered(tally: &Tally) {
    watch(|| tally.undelivered() == 0, || tally.deliveries(), || {}).await;
}

/// Looks again until it is `done`, or until `measure` has stood still for too long.
async fn watch(done: impl Fn() -> bool, measure: impl Fn() -> u64, show: impl Fn()) {
    let (mut last, mut since) = (measure(), Instant::now());
    let mut tick = tokio::time::interval(TICK);
    while !done() && since.elapsed() < PATIENCE {
        tick.tick().await;
        show();
        let now = measure();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}
