//! Which situations are measured, in which order.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Parser;

use crate::{
    Fault,
    case::{Case, Terms},
    goal, machine, pair,
    pair::Comparison,
    pinning::Pinning,
    plot,
    report::Report,
    server::Kind,
    tls::Identity,
    wire::Library,
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
    /// The client library whose header blocks are sent.
    #[arg(long, value_enum, default_value_t)]
    headers: Library,
    /// Give the server one processor and the load another one. Figures vary less; the server has one worker.
    #[arg(long)]
    pin: bool,
    /// Compare two builds of poke-server, pinned: this one is the base.
    #[arg(long, value_name = "PROGRAM")]
    pair: Option<PathBuf>,
    /// The new build; by default the poke-server beside this program.
    #[arg(long, value_name = "PROGRAM", requires = "pair")]
    new: Option<PathBuf>,
    /// How many times both builds are measured in each case.
    #[arg(long, default_value_t = 20, requires = "pair")]
    pairs: usize,
    /// Where results.json and results.svg go.
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
    let pinning = (arguments.pin || arguments.pair.is_some()).then(Pinning::new).transpose()?;
    let terms = Terms {
        span: Duration::from_secs_f64(arguments.seconds),
        identity: &identity,
        logs: &arguments.out,
        library: arguments.headers,
        pinning: pinning.as_ref(),
        program: None,
    };
    if let Some(base) = &arguments.pair {
        return compare(base, &arguments, terms);
    }
    let wanted = |kind: &Kind| arguments.only.is_empty() || arguments.only.contains(kind);
    let (kinds, missing): (Vec<_>, Vec<_>) =
        Kind::ALL.into_iter().filter(wanted).partition(|kind| kind.find().is_some());
    let mut report = Report::new(&kinds, arguments.repeats, arguments.seconds);
    for kind in missing {
        eprintln!("{} isn't installed, so it isn't measured", kind.name());
    }
    let cases = if arguments.quick { quick() } else { full() };
    for case in cases.into_iter().filter(|case| arguments.wants(*case)) {
        measure(case, &kinds, arguments.repeats, terms, &mut report);
        print!("{}", report.table(&case.label()));
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
    fn wants(&self, case: Case) -> bool {
        self.case.is_empty() || self.case.iter().any(|part| case.label().contains(part.as_str()))
    }
}

/// Compares two builds. Writes pairs.json.
#[expect(clippy::print_stdout, reason = "the bench talks to who started it")]
fn compare(base: &Path, arguments: &Arguments, terms: Terms<'_>) -> Result<(), Fault> {
    let new =
        arguments.new.clone().or_else(|| Kind::Poke.find()).ok_or("there is no poke-server beside this program")?;
    println!("base {}, new {}, {} pairs", base.display(), new.display(), arguments.pairs);
    let mut comparisons = Vec::new();
    for case in pair::cases().into_iter().filter(|case| arguments.wants(*case)) {
        let comparison = Comparison::measure(case, [base, &new], arguments.pairs, terms)?;
        print!("{}", comparison.table());
        comparisons.push(comparison.to_json());
        fs::write(arguments.out.join("pairs.json"), format!("{:#}\n", serde_json::Value::from(comparisons.clone())))?;
    }
    Ok(())
}

/// Measures one case of each server in turn, so that whatever else the machine does meets all of them; and each repeat
/// begins with another one. What goals are stated for is measured twice as often.
fn measure(case: Case, kinds: &[Kind], repeats: usize, terms: Terms<'_>, report: &mut Report) {
    let mut kinds: Vec<_> = kinds.iter().copied().filter(|&kind| case.suits(kind)).collect();
    let repeats = if goal::concerns(&case.label()) { 2 * repeats } else { repeats };
    for repeat in 0..repeats {
        for &kind in &kinds {
            match case.measure(kind, terms) {
                Ok(figures) => report.add(&case.label(), kind, repeat, figures),
                Err(fault) => report.fault(&case.label(), kind, &fault.to_string()),
            }
        }
        let first = kinds.len().min(1);
        kinds.rotate_left(first);
    }
}

/// One factor is varied at a time, around the situation that the goals are stated for.
fn full() -> Vec<Case> {
    let deliver =
        |payload, subscribers, backlog, streams| Case::Deliver { payload, subscribers, backlog, streams, tls: false };
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
        Case::Deliver { payload: 1 << 10, subscribers: 1000, backlog: 1, streams: 1, tls: true },
        Case::Deliver { payload: 1 << 10, subscribers: 1000, backlog: 16, streams: 1, tls: true },
        Case::Idle { connections: 2000, tls: false },
        Case::Idle { connections: 2000, tls: true },
        Case::Quiet { connections: 2000, tls: false },
        Case::Quiet { connections: 2000, tls: true },
        Case::Stalled { subscribers: 1000 },
    ];
    cases.extend(publishes);
    cases
}

fn quick() -> Vec<Case> {
    let deliver = |backlog, streams, tls| Case::Deliver { payload: 1 << 10, subscribers: 200, backlog, streams, tls };
    vec![
        deliver(1, 1, false),
        deliver(16, 10, false),
        deliver(1, 1, true),
        Case::Idle { connections: 200, tls: false },
        Case::Quiet { connections: 200, tls: false },
        Case::Stalled { subscribers: 100 },
        Case::Publish { payload: 100, subscribers: 1 },
    ]
}
