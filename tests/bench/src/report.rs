//! What was measured, as tables for people and as JSON.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use crate::{
    figure::{COLUMNS, Column, Figures, OTHERS, Spread, short},
    goal, machine,
    server::Kind,
};

/// What one kind of server showed in one case, by the repeat that it showed it in.
type Samples = BTreeMap<usize, Figures>;

/// Everything that was measured so far.
#[derive(Debug)]
pub(crate) struct Report {
    repeats: usize,
    seconds: f64,
    /// How clients were set up.
    clients: Value,
    machine: Value,
    versions: BTreeMap<Kind, String>,
    /// In the order in which they were measured.
    cases: Vec<(String, BTreeMap<Kind, Samples>)>,
    faults: Vec<(String, Kind, String)>,
}

impl Report {
    pub(crate) fn new(kinds: &[Kind], repeats: usize, seconds: f64, clients: Value) -> Self {
        let versions = kinds.iter().map(|&kind| (kind, kind.version())).collect();
        Self {
            repeats,
            seconds,
            clients,
            machine: machine::describe(),
            versions,
            cases: Vec::new(),
            faults: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, case: &str, kind: Kind, repeat: usize, figures: Figures) {
        if self.cases.last().is_none_or(|(last, _)| last != case) {
            self.cases.push((case.to_owned(), BTreeMap::new()));
        }
        if let Some((_, kinds)) = self.cases.last_mut() {
            kinds.entry(kind).or_default().insert(repeat, figures);
        }
    }

    #[expect(clippy::print_stderr, reason = "the bench talks to who started it")]
    pub(crate) fn fault(&mut self, case: &str, kind: Kind, fault: &str) {
        eprintln!("{case}: {}: {fault}", kind.name());
        self.faults.push((case.to_owned(), kind, fault.to_owned()));
    }

    pub(crate) fn faults(&self) -> usize {
        self.faults.len()
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().map(|(name, _)| name.as_str())
    }

    fn samples(&self, case: &str, kind: Kind) -> Option<&Samples> {
        self.cases.iter().find(|(name, _)| name == case)?.1.get(&kind)
    }

    pub(crate) fn has(&self, case: &str, kind: Kind) -> bool {
        self.samples(case, kind).is_some()
    }

    pub(crate) fn spread(&self, case: &str, figure: &str, kind: Kind) -> Option<Spread> {
        spread(self.samples(case, kind)?, figure)
    }

    /// One kind's figure by another's, each taken within a repeat: what the machine does meanwhile meets both.
    pub(crate) fn ratio(&self, case: &str, figure: &str, kind: Kind, by: Kind) -> Option<Spread> {
        let (samples, others) = (self.samples(case, kind)?, self.samples(case, by)?);
        let ratios = samples
            .iter()
            .filter_map(|(repeat, figures)| Some(figures.get(figure)? / others.get(repeat)?.get(figure)?));
        Spread::of(ratios)
    }

    /// The machine and the versions, in parts.
    pub(crate) fn origin(&self) -> Vec<String> {
        let text = |name: &str| match &self.machine[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let machine = format!("{} x {}, Linux {}", text("cores"), text("processor"), text("kernel"));
        let mut parts = vec![machine];
        parts.extend(self.versions.values().filter(|version| !version.is_empty()).cloned());
        parts.dedup();
        parts
    }

    /// The most processors that others kept busy during a measurement.
    fn others(&self) -> f64 {
        let samples = self.cases.iter().flat_map(|(_, kinds)| kinds.values()).flat_map(BTreeMap::values);
        samples.filter_map(|figures| figures.get(OTHERS)).copied().fold(0.0, f64::max)
    }

    /// A case as a table: medians, and from where to where they go.
    pub(crate) fn table(&self, case: &str) -> String {
        let Some((_, kinds)) = self.cases.iter().find(|(name, _)| name == case) else { return String::new() };
        let has = |column: &&Column| kinds.values().any(|samples| spread(samples, column.name).is_some());
        let columns: Vec<_> = COLUMNS.iter().filter(has).collect();
        let first = columns.first().map_or("", |column| column.name);
        let mut rows = vec![vec![String::new(), "to naive".to_owned()]];
        rows[0].extend(columns.iter().map(|column| column.heading.to_owned()));
        for (&kind, samples) in kinds {
            let ratio = self.ratio(case, first, kind, Kind::Naive);
            let mut row = vec![kind.name().to_owned(), ratio.map_or_else(String::new, |ratio| short(ratio.median))];
            let cell =
                |column: &&Column| spread(samples, column.name).map_or_else(String::new, |it| it.show(column.unit));
            row.extend(columns.iter().map(cell));
            rows.push(row);
        }
        format!("\n{case}\n{}", aligned(&rows))
    }

    /// What the run comes to.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!("\n{}\n", self.origin().join("; "));
        let _ = writeln!(text, "others kept up to {} processors busy during a measurement", short(self.others()));
        for outcome in goal::outcomes(self) {
            let _ = writeln!(text, "{}", outcome.line());
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        let cases = self.cases.iter().map(|(name, kinds)| {
            let kinds = kinds.iter().map(|(kind, samples)| (kind.name().to_owned(), figures(samples)));
            json!({ "case": name, "servers": Value::Object(kinds.collect()) })
        });
        let faults = self
            .faults
            .iter()
            .map(|(case, kind, fault)| json!({ "case": case, "server": kind.name(), "fault": fault }));
        let versions = self.versions.iter().map(|(kind, version)| (kind.name().to_owned(), version.clone().into()));
        json!({
            "machine": self.machine,
            "versions": Value::Object(versions.collect()),
            "repeats": self.repeats,
            "seconds": self.seconds,
            "clients": self.clients,
            "goals": goal::outcomes(self).iter().map(goal::Outcome::to_json).collect::<Vec<_>>(),
            "cases": cases.collect::<Vec<_>>(),
            "faults": faults.collect::<Vec<_>>(),
        })
    }
}

fn spread(samples: &Samples, figure: &str) -> Option<Spread> {
    Spread::of(samples.values().filter_map(|figures| figures.get(figure).copied()))
}

/// Each figure's spread, and the samples that it comes from.
fn figures(samples: &Samples) -> Value {
    let names: std::collections::BTreeSet<_> = samples.values().flat_map(BTreeMap::keys).collect();
    let figure = |name: &&str| {
        let values: Vec<_> = samples.values().filter_map(|figures| figures.get(name)).collect();
        let Spread { low, median, high } = spread(samples, name)?;
        Some(((*name).to_owned(), json!({ "median": median, "low": low, "high": high, "samples": values })))
    };
    Value::Object(names.into_iter().filter_map(figure).collect())
}

/// Rows in columns: the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let _ = write!(text, "  {:<width$}", row[0], width = width(0));
        for (column, cell) in row.iter().enumerate().skip(1) {
            let _ = write!(text, "  {cell:>width$}", width = width(column));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(samples: &[(Kind, usize, f64)]) -> Report {
        let mut report = Report::new(&[], 3, 1.0, Value::Null);
        for &(kind, repeat, value) in samples {
            report.add("a case", kind, repeat, Figures::from([("cpu_us_per_delivery", value)]));
        }
        report
    }

    #[test]
    fn a_ratio_is_taken_within_a_repeat() {
        // The machine was twice as slow the second time, and the naive server failed the third time.
        let report = report(&[
            (Kind::Poke, 0, 5.0),
            (Kind::Naive, 0, 10.0),
            (Kind::Poke, 1, 10.0),
            (Kind::Naive, 1, 20.0),
            (Kind::Poke, 2, 1.0),
        ]);
        let ratio = report.ratio("a case", "cpu_us_per_delivery", Kind::Poke, Kind::Naive);
        assert_eq!(ratio, Some(Spread { low: 0.5, median: 0.5, high: 0.5 }));
    }

    #[test]
    fn a_table_has_a_row_for_each_server() {
        let table = report(&[(Kind::Poke, 0, 5.0), (Kind::Poke, 1, 6.0), (Kind::Naive, 0, 10.0)]).table("a case");
        let rows: Vec<_> = table.lines().collect();
        assert_eq!(
            rows[3..],
            ["  poke-server      0.50  5.00 (5.00-6.00)", "  naive tonic      1.00              10.0"]
        );
    }
}
