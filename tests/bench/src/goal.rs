//! What the server is to reach, as ratios within one run.

use serde_json::{Value, json};

use crate::{case::TLS, figure::short, report::Report, server::Kind};

/// A figure of the server that has a bound.
struct Goal {
    what: &'static str,
    /// How the name of the case begins.
    case: &'static str,
    figure: &'static str,
    /// Whose figure it is divided by.
    by: Option<Kind>,
    at_most: f64,
}

/// The situation that the goals of a delivery are stated for.
const FAN_OUT: &str = "deliver 1 KiB to 1000, backlog 1, 1 a connection";

/// An interest's own key has 16 bytes in the bench.
const GOALS: [Goal; 5] = [
    goal("CPU of a delivery, by naive tonic's", FAN_OUT, "cpu_us_per_delivery", Some(Kind::Naive), 0.75),
    goal("CPU of a delivery, by nats-server's", FAN_OUT, "cpu_us_per_delivery", Some(Kind::Nats), 0.62),
    goal("memory of an idle connection, by naive tonic's", "idle", "bytes_per_connection", Some(Kind::Naive), 0.85),
    goal("bytes of an idle interest, its key included", "idle", "bytes_per_interest", None, 512.0 + 16.0),
    goal("p99 beside stalled readers, by p99 without", "stalled", "p99_ratio", None, 1.5),
];

const fn goal(what: &'static str, case: &'static str, figure: &'static str, by: Option<Kind>, at_most: f64) -> Goal {
    Goal { what, case, figure, by, at_most }
}

/// Whether a goal is stated for this case.
pub(crate) fn concerns(case: &str) -> bool {
    !case.ends_with(TLS) && GOALS.iter().any(|goal| case.starts_with(goal.case))
}

/// A goal, and what was measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    what: &'static str,
    measured: f64,
    at_most: f64,
}

impl Outcome {
    pub(crate) fn line(&self) -> String {
        let verdict = if self.measured <= self.at_most { "reached" } else { "missed" };
        format!("  {:<48} {:>6}, at most {:>5}: {verdict}", self.what, short(self.measured), short(self.at_most))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "goal": self.what, "measured": self.measured, "at_most": self.at_most })
    }
}

/// The goals that this run says something of.
pub(crate) fn outcomes(report: &Report) -> Vec<Outcome> {
    let measured = |goal: &Goal| {
        let case = report.cases().find(|case| case.starts_with(goal.case))?;
        let spread = match goal.by {
            Some(by) => report.ratio(case, goal.figure, Kind::Poke, by)?,
            None => report.spread(case, goal.figure, Kind::Poke)?,
        };
        Some(Outcome { what: goal.what, measured: spread.median, at_most: goal.at_most })
    };
    GOALS.iter().filter_map(measured).collect()
}
