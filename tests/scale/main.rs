//! Many streams on one server: `cargo run --release -p poke-tests --bin scale`.
//!
//! Half of the streams hold one common interest, the other half one each. Every stream gets so many pokes a second for
//! so long, and must get all of them: no error, no gap. It prints what that took. The load is made on one thread by
//! hand-written HTTP/2, so that it leaves the machine to the server.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "a measurement that fails by panicking")]

mod publisher;
mod report;
mod subscriber;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use poke_tests::{Config, Server, eventually};
use tokio::time::Instant;

use crate::{report::Usage, subscriber::Subscribers};

/// Holds many streams and pokes all of them
#[derive(Clone, Debug, Parser)]
struct Args {
    /// Streams on the common interest; as many more hold an interest each
    #[arg(long, default_value_t = 10_000)]
    streams: usize,
    /// Pokes a second to each stream
    #[arg(long, default_value_t = 5)]
    rate: u32,
    /// For how long
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Bytes of a poke's data
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// Streams on one connection
    #[arg(long, default_value_t = 100)]
    per_connection: usize,
    /// Connections of publishers
    #[arg(long, default_value_t = 8)]
    publishers: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tokio::task::LocalSet::new().run_until(run(Args::parse())).await
}

async fn run(args: Args) -> ExitCode {
    let server =
        Server::start(Config::new().set("limits.streams", args.streams * 2).text("rates.publisher", "off")).await;
    let empty = server.rss();

    let start = Instant::now();
    let subscribers = Subscribers::open(&server, &args).await;
    eventually("all interests to be live", async || subscribers.all_live().then_some(())).await;
    let idle = server.rss();
    println!(
        "{} streams on {} connections were live after {:.1?}; the server has {} MiB, {} B a stream",
        args.streams * 2,
        subscribers.connections(),
        start.elapsed(),
        idle >> 20,
        idle.saturating_sub(empty) / (args.streams as u64 * 2),
    );

    let before = Usage::now(&server);
    let published = publisher::publish(&server, &args).await;
    let took = before.elapsed();
    let expected = published.deliveries(&args);
    // A server that fell behind is given time to catch up; a poke that is lost never comes.
    let caught_up = tokio::time::timeout(Duration::from_secs(60), subscribers.have_received(expected)).await.is_ok();
    let usage = before.until_now(&server);
    report::print(&args, &server, &usage, took, &published, &subscribers);
    let complete = caught_up && published.refused == 0 && subscribers.faults().is_none();
    println!("{}", if complete { "complete: no error, no gap" } else { "FAILED" });
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
