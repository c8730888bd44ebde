//! What it took.

use std::{fs, time::Duration};

use poke_tests::Server;
use tokio::time::Instant;

use crate::{Args, publisher::Published, subscriber::Subscribers};

/// Processor time of the server and of this process since an instant.
pub(crate) struct Usage {
    since: Instant,
    server: Duration,
    load: Duration,
}

impl Usage {
    /// From now on.
    pub(crate) fn now(server: &Server) -> Self {
        Self { since: Instant::now(), server: processor_time(server.pid()), load: processor_time(std::process::id()) }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// What was used since.
    pub(crate) fn until_now(&self, server: &Server) -> Self {
        let now = Self::now(server);
        Self { since: self.since, server: now.server - self.server, load: now.load - self.load }
    }
}

/// Of all threads of a process, from /proc/PID/stat (proc(5)): fields 14 and 15, in hundredths of a second.
fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let after_name = stat.rsplit_once(')').expect("the name is in parentheses").1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

pub(crate) fn print(
    args: &Args,
    server: &Server,
    usage: &Usage,
    took: Duration,
    published: &Published,
    subscribers: &Subscribers,
) {
    let publishes = published.own + published.common;
    let delivered = subscribers.received();
    let wall = usage.elapsed();
    let share = |time: Duration, of: Duration| time.as_secs_f64() / of.as_secs_f64();
    println!(
        "{publishes} publishes in {took:.1?}: {:.2} a second to each stream, of {} asked for; {} refused",
        publishes as f64 / took.as_secs_f64() / (args.streams + 1) as f64,
        args.rate,
        published.refused,
    );
    println!(
        "{delivered} of {} deliveries, {:.0} a second; p50 {:?}, p99 {:?}",
        published.deliveries(args),
        delivered as f64 / wall.as_secs_f64(),
        subscribers.latency(0.5),
        subscribers.latency(0.99),
    );
    println!(
        "server: {:.0} % of a core, {:.1} us a delivery; memory {} MiB, at most {} MiB",
        share(usage.server, wall) * 100.0,
        usage.server.as_secs_f64() * 1e6 / delivered as f64,
        server.rss() >> 20,
        server.peak_rss() >> 20,
    );
    println!("load: {:.0} % of a core", share(usage.load, wall) * 100.0);
    if let Some(faults) = subscribers.faults() {
        println!("faults: {faults}");
    }
}
