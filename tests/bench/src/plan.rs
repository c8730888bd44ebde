//! Which situations are measured, in which order.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Parser, ValueEnum as _, builder::PossibleValue};
use serde_json::{Value, json};

use crate::{
    Fault,
    case::{Case, Terms},
    goal, machine, pair,
    pinning::{PINNED, Pinning},
    plot,
    report::Report,
    server::Kind,
    tls::Identity,
    wire::{Headers, Library},
};

/// Measures what a delivery costs, of all servers that are installed, in turn.
#[derive(Debug, Parser)]
struct Arguments {
    /// About a minute: enough to see that everything works, too noisy to compare.
    #[arg(long)]
    quick: bool,
    /// Only these servers.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Kind>,
    /// Only cases whose name contains this. It may be given several times.
    #[arg(long)]
    case: Vec<String>,
    /// How often each case is measured, and twice as often those of the goals; the report shows medians.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// The client library whose header blocks gRPC clients send.
    #[arg(long, value_enum, default_value_t)]
    headers: Library,
    /// Bytes of the token that gRPC clients send in `authorization`; with 0 they send none.
    #[arg(long, default_value_t = 700)]
    token_bytes: usize,
    /// Give the server one processor and the load another one in all cases. The server then has one worker.
    #[arg(long)]
    pin: bool,
    /// Compare two builds of poke-server, pinned. The new one is by default the poke-server beside this program.
    #[arg(long, value_names = ["BASE", "NEW"], num_args = 1..=2)]
    pair: Vec<PathBuf>,
    /// How many times both builds are measured in each case: 20, or 6 with --quick.
    #[arg(long, requires = "pair")]
    pairs: Option<usize>,
    /// Where results.json and results.svg go, or pairs.json.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

/// Runs the bench as the command line says.
///
/// # Errors
/// When a measurement failed, or the results can't be written. What was measured is there all the same.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the bench talks to who started it")]
pub fn bench() -> Result<(), Fault> {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        (arguments.repeats, arguments.seconds) = (1, 0.3);
    }
    machine::raise_descriptors()?;
    fs::create_dir_all(&arguments.out)?;
    let identity = Identity::make(&arguments.out)?;
    let pinning = Pinning::new();
    let terms = Terms {
        span: Duration::from_secs_f64(arguments.seconds),
        identity: &identity,
        logs: &arguments.out,
        headers: Headers { library: arguments.headers, token_bytes: arguments.token_bytes },
        pinning: None,
        program: None,
    };
    if let Some(base) = arguments.pair.first() {
        return compare(base, &arguments, Terms { pinning: Some(&pinning?), ..terms });
    }
    let wanted = |kind: &Kind| arguments.only.is_empty() || arguments.only.contains(kind);
    let (kinds, missing): (Vec<_>, Vec<_>) =
        Kind::ALL.into_iter().filter(wanted).partition(|kind| kind.find().is_some());
    let mut report = Report::new(&kinds, arguments.repeats, arguments.seconds, arguments.clients());
    for kind in missing {
        eprintln!("{} isn't installed, so it isn't measured", kind.name());
    }
    let cases = if arguments.quick { quick() } else { full() };
    for (case, beside) in cases {
        let label = case.label() + if beside { PINNED } else { "" };
        if !arguments.wants(&label) {
            continue;
        }
        let pinning = match (&pinning, beside || arguments.pin) {
            (_, false) => None,
            (Ok(pinning), true) => Some(pinning),
            (Err(fault), true) => {
                eprintln!("{label} isn't measured: {fault}");
                continue;
            }
        };
        measure(case, &label, &kinds, arguments.repeats, Terms { pinning, ..terms }, &mut report);
        print!("{}", report.table(&label));
        fs::write(arguments.out.join("results.json"), format!("{:#}\n", report.to_json()))?;
    }
    fs::write(arguments.out.join("results.svg"), plot::draw(&report))?;
    print!("{}", report.summary());
    match report.faults() {
        0 => Ok(()),
        faults => Err(format!("{faults} measurements failed").into()),
    }
}

impl Arguments {
    /// How clients are set up, for the results.
    fn clients(&self) -> Value {
        let headers = self.headers.to_possible_value();
        let headers = headers.as_ref().map(PossibleValue::get_name);
        json!({ "headers": headers, "token_bytes": self.token_bytes, "all_pinned": self.pin || !self.pair.is_empty() })
    }

    /// Returns true if `--case` chooses the case of this name.
    fn wants(&self, label: &str) -> bool {
        self.case.is_empty() || self.case.iter().any(|part| label.contains(part.as_str()))
    }
}

/// Compares two builds and writes pairs.json.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the bench talks to who started it")]
fn compare(base: &Path, arguments: &Arguments, terms: Terms<'_>) -> Result<(), Fault> {
    let new = arguments.pair.get(1).cloned().or_else(|| Kind::Poke.find());
    let new = new.ok_or("there is no poke-server beside this program")?;
    let count = arguments.pairs.unwrap_or(if arguments.quick { 6 } else { 20 });
    println!("base {}, new {}, {count} pairs", base.display(), new.display());
    let (mut comparisons, mut faults) = (Vec::new(), 0);
    for case in pair::cases(arguments.quick).into_iter().filter(|case| arguments.wants(&case.label())) {
        let mut comparison = pair::Comparison::new(&case.label());
        for number in 0..count {
            if let Err(fault) = comparison.measure(case, number, [base, &new], terms) {
                eprintln!("{}, pair {number}: {fault}", case.label());
                faults += 1;
            }
        }
        print!("{}", comparison.table());
        comparisons.push(comparison.to_json());
        let results = json!({
            "machine": machine::describe(),
            "base": base,
            "new": new,
            "seconds": arguments.seconds,
            "clients": arguments.clients(),
            "cases": comparisons,
        });
        fs::write(arguments.out.join("pairs.json"), format!("{results:#}\n"))?;
    }
    if faults == 0 { Ok(()) } else { Err(format!("{faults} of the pairs failed").into()) }
}

/// Measures one case of each server in turn, so that whatever else the machine does meets all of them; and each repeat
/// begins with another one. What goals are stated for is measured twice as often.
fn measure(case: Case, label: &str, kinds: &[Kind], repeats: usize, terms: Terms<'_>, report: &mut Report) {
    let mut kinds: Vec<_> = kinds.iter().copied().filter(|&kind| case.suits(kind)).collect();
    let repeats = if goal::concerns(label) { 2 * repeats } else { repeats };
    for repeat in 0..repeats {
        for &kind in &kinds {
            match case.measure(kind, terms) {
                Ok(figures) => report.add(label, kind, repeat, figures),
                Err(fault) => report.fault(label, kind, &fault.to_string()),
            }
        }
        let first = kinds.len().min(1);
        kinds.rotate_left(first);
    }
}

/// Cases, and whether each is measured pinned. One factor is varied at a time, around the situation that the goals are
/// stated for.
fn full() -> Vec<(Case, bool)> {
    let deliver =
        |payload, subscribers, backlog, streams| Case::Deliver { payload, subscribers, backlog, streams, tls: false };
    let encrypted = |backlog| Case::Deliver { payload: 1 << 10, subscribers: 1000, backlog, streams: 1, tls: true };
    let publishes = [100, 1024]
        .into_iter()
        .flat_map(|payload| [0, 1, 100].map(|subscribers| Case::Publish { payload, subscribers }));
    let mut cases = vec![
        deliver(1 << 10, 1000, 1, 1),
        deliver(100, 1000, 1, 1),
        deliver(16 << 10, 1000, 1, 1),
        deliver(128 << 10, 1000, 1, 1),
        deliver(1 << 10, 100, 1, 1),
        deliver(1 << 10, 10_000, 1, 1),
        deliver(1 << 10, 1000, 16, 1),
        deliver(100, 1000, 16, 1),
        deliver(16 << 10, 1000, 16, 1),
        deliver(1 << 10, 1000, 1, 10),
        deliver(1 << 10, 1000, 1, 100),
        deliver(1 << 10, 1000, 16, 100),
        encrypted(1),
        encrypted(16),
        Case::Idle { connections: 2000, tls: false },
        Case::Idle { connections: 2000, tls: true },
        Case::Quiet { connections: 2000, tls: false },
        Case::Quiet { connections: 2000, tls: true },
        Case::Stalled { subscribers: 1000 },
    ];
    cases.extend(publishes);
    let pinned = [
        deliver(1 << 10, 1000, 1, 1),
        deliver(1 << 10, 1000, 16, 1),
        encrypted(1),
        Case::Publish { payload: 100, subscribers: 1 },
    ];
    cases.into_iter().map(|case| (case, false)).chain(pinned.map(|case| (case, true))).collect()
}

fn quick() -> Vec<(Case, bool)> {
    let deliver = |backlog, streams, tls| Case::Deliver { payload: 1 << 10, subscribers: 200, backlog, streams, tls };
    let free = [
        deliver(1, 1, false),
        deliver(16, 10, false),
        deliver(1, 1, true),
        Case::Idle { connections: 200, tls: false },
        Case::Quiet { connections: 200, tls: false },
        Case::Stalled { subscribers: 100 },
        Case::Publish { payload: 100, subscribers: 1 },
    ];
    free.map(|case| (case, false)).into_iter().chain([(deliver(1, 1, false), true)]).collect()
}
