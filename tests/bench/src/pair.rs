//! Two builds of the server against each other: measured in turn, pinned, and compared pair by pair.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use serde_json::{Value, json};

use crate::{
    Fault,
    case::{Case, Terms},
    figure::{COLUMNS, Column, Figures, short},
    interval::Interval,
    server::Kind,
};

/// What two builds showed in one case.
#[derive(Debug)]
pub(crate) struct Comparison {
    case: String,
    /// For each figure, the base's and the new build's, pair by pair.
    pairs: BTreeMap<&'static str, Vec<[f64; 2]>>,
}

/// A figure of the whole machine, in which the builds' difference is lost.
const UNPAIRED: &str = "kernel_bytes_per_socket";

/// The situations in which builds are compared: a delivery, a publish, and an idle connection.
pub(crate) fn cases(quick: bool) -> Vec<Case> {
    let many = if quick { 200 } else { 1000 };
    let deliver = |streams, tls| Case::Deliver { payload: 1 << 10, subscribers: many, backlog: 1, streams, tls };
    vec![
        deliver(1, false),
        deliver(100, false),
        deliver(1, true),
        Case::Publish { payload: 100, subscribers: 1 },
        Case::Idle { connections: many, tls: false },
        Case::Idle { connections: many, tls: true },
    ]
}

impl Comparison {
    pub(crate) fn new(case: &str) -> Self {
        Self { case: case.to_owned(), pairs: BTreeMap::new() }
    }

    /// Measures a pair. Every second one begins with the new build.
    ///
    /// # Errors
    /// When a measurement failed. The pair is left out.
    pub(crate) fn measure(
        &mut self,
        case: Case,
        number: usize,
        [base, new]: [&Path; 2],
        terms: Terms<'_>,
    ) -> Result<(), Fault> {
        let measure = |program| case.measure(Kind::Poke, Terms { program: Some(program), ..terms });
        let (base, new) = if number.is_multiple_of(2) {
            (measure(base)?, measure(new)?)
        } else {
            let new = measure(new)?;
            (measure(base)?, new)
        };
        self.add(&base, &new);
        Ok(())
    }

    /// Adds a pair. Figures without a ratio are left out: those that aren't positive, as the difference of two readings of
    /// memory may be.
    fn add(&mut self, base: &Figures, new: &Figures) {
        for column in COLUMNS.iter().filter(|column| column.name != UNPAIRED) {
            let values = [base, new].map(|figures| figures.get(column.name).copied().unwrap_or_default());
            if values.iter().all(|&value| value > 0.0) {
                self.pairs.entry(column.name).or_default().push(values);
            }
        }
    }

    fn ratio(&self, figure: &str) -> Option<Interval> {
        Interval::of(self.pairs.get(figure)?.iter().map(|[base, new]| new / base))
    }

    /// For people: the figures of both builds, and the new one's by the base's.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("\n{}\n", self.case);
        for column in &COLUMNS {
            let Some(line) = self.line(column) else { continue };
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn line(&self, column: &Column) -> Option<String> {
        let of = |build: usize| Interval::of(self.pairs.get(column.name)?.iter().map(|pair| pair[build] / column.unit));
        let (base, new, ratio) = (of(0)?.median, of(1)?.median, self.ratio(column.name)?);
        let bounds = ratio.bounds.map_or_else(
            || "too few pairs for an interval".to_owned(),
            |(low, high)| format!("{low:.3} to {high:.3} at 95 %"),
        );
        let heading = column.heading;
        Some(format!(
            "  {heading:<22} base {:>8}  new {:>8}  ratio {:.3} ({bounds})",
            short(base),
            short(new),
            ratio.median
        ))
    }

    pub(crate) fn to_json(&self) -> Value {
        let figures = self.pairs.iter().map(|(name, pairs)| {
            let ratio = self.ratio(name);
            let ratio = ratio.map(|ratio| json!({ "median": ratio.median, "interval": ratio.bounds }));
            ((*name).to_owned(), json!({ "ratio": ratio, "pairs": pairs }))
        });
        json!({ "case": self.case, "figures": figures.collect::<serde_json::Map<_, _>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURE: &str = "cpu_us_per_delivery";

    fn comparison(pairs: impl IntoIterator<Item = [f64; 2]>) -> Comparison {
        let mut comparison = Comparison::new("a case");
        for [base, new] in pairs {
            comparison.add(&Figures::from([(FIGURE, base)]), &Figures::from([(FIGURE, new)]));
        }
        comparison
    }

    #[test]
    fn a_ratio_is_taken_within_each_pair() {
        // The machine became twice as slow half-way: the ratio of medians would not see that the builds are equal.
        let comparison = comparison((0..20).map(|n| if n < 10 { [1.0, 1.0] } else { [2.0, 2.0] }));
        assert_eq!(comparison.ratio(FIGURE).expect("a ratio").bounds, Some((1.0, 1.0)));
        assert!(comparison.table().contains("ratio 1.000 (1.000 to 1.000 at 95 %)"), "{}", comparison.table());
    }

    #[test]
    fn figures_without_a_ratio_are_left_out() {
        let comparison = comparison([[2.0, 1.0], [0.0, 1.0], [1.0, -1.0]]);
        assert_eq!(comparison.ratio(FIGURE).map(|ratio| ratio.median), Some(0.5));
        assert!(comparison.table().contains("too few pairs"), "{}", comparison.table());
    }
}
