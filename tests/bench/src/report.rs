//! What was measured, as a table for people and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{case::Figures, machine, server::Kind};

/// The figures of one kind of server in one case: a sample for each repeat.
type Samples = BTreeMap<&'static str, Vec<f64>>;

/// Everything that was measured so far.
#[derive(Debug)]
pub(crate) struct Report {
    repeats: usize,
    seconds: f64,
    machine: Value,
    versions: Value,
    /// In the order in which they were measured.
    cases: Vec<(String, BTreeMap<Kind, Samples>)>,
    faults: Vec<(String, Kind, String)>,
}

impl Report {
    pub(crate) fn new(kinds: &[Kind], repeats: usize, seconds: f64) -> Self {
        let versions = kinds.iter().map(|kind| (kind.name().to_owned(), kind.version().into()));
        let versions = Value::Object(versions.collect());
        Self { repeats, seconds, machine: machine::describe(), versions, cases: Vec::new(), faults: Vec::new() }
    }

    pub(crate) fn add(&mut self, case: &str, kind: Kind, figures: Figures) {
        if self.cases.last().is_none_or(|(last, _)| last != case) {
            self.cases.push((case.to_owned(), BTreeMap::new()));
        }
        if let Some((_, kinds)) = self.cases.last_mut() {
            let samples = kinds.entry(kind).or_default();
            figures.into_iter().for_each(|(name, value)| samples.entry(name).or_default().push(value));
        }
    }

    #[expect(clippy::print_stderr, reason = "the bench talks to who started it")]
    pub(crate) fn fault(&mut self, case: &str, kind: Kind, fault: &str) {
        eprintln!("{case}: {}: {fault}", kind.name());
        self.faults.push((case.to_owned(), kind, fault.to_owned()));
    }

    /// The median of a figure.
    pub(crate) fn median(&self, case: &str, kind: Kind, figure: &str) -> Option<f64> {
        let (_, kinds) = self.cases.iter().find(|(name, _)| name == case)?;
        Some(spread(kinds.get(&kind)?.get(figure)?).1)
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().map(|(name, _)| name.as_str())
    }

    /// The machine and the versions, on a line.
    pub(crate) fn origin(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let versions = self.versions.as_object().into_iter().flatten().map(|(_, version)| text(version));
        let Value::Object(machine) = &self.machine else { return String::new() };
        let machine = format!(
            "{} x {}, Linux {}",
            text(&machine["cores"]),
            text(&machine["processor"]),
            text(&machine["kernel"])
        );
        let mut parts: Vec<_> = std::iter::once(machine).chain(versions).filter(|part| !part.is_empty()).collect();
        parts.dedup();
        parts.join("; ")
    }

    /// Prints a case.
    #[expect(clippy::print_stdout, reason = "the bench talks to who started it")]
    pub(crate) fn show(&self, case: &str) {
        let Some((_, kinds)) = self.cases.iter().find(|(name, _)| name == case) else { return };
        println!("\n{case}");
        for (kind, samples) in kinds {
            let figures = samples.iter().map(|(name, values)| {
                let (low, median, high) = spread(values);
                format!("{name} {} [{} - {}]", short(median), short(low), short(high))
            });
            println!("  {:<12} {}", kind.name(), figures.collect::<Vec<_>>().join("  "));
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let figures = |samples: &Samples| -> Value {
            let figure = |(name, values): (&&str, &Vec<f64>)| {
                let (low, median, high) = spread(values);
                ((*name).to_owned(), json!({ "median": median, "low": low, "high": high, "samples": values.len() }))
            };
            Value::Object(samples.iter().map(figure).collect())
        };
        let cases = self.cases.iter().map(|(name, kinds)| {
            let kinds = kinds.iter().map(|(kind, samples)| (kind.name().to_owned(), figures(samples)));
            json!({ "case": name, "servers": Value::Object(kinds.collect()) })
        });
        let faults = self
            .faults
            .iter()
            .map(|(case, kind, fault)| json!({ "case": case, "server": kind.name(), "fault": fault }));
        json!({
            "machine": self.machine,
            "versions": self.versions,
            "repeats": self.repeats,
            "seconds": self.seconds,
            "cases": cases.collect::<Vec<_>>(),
            "faults": faults.collect::<Vec<_>>(),
        })
    }
}

/// The lowest, the median and the highest.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

/// Three digits.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_order() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (1.0, 2.0, 3.0));
        assert_eq!(spread(&[4.0]), (4.0, 4.0, 4.0));
    }
}
