//! Two builds of the server against each other: measured in turn, pinned, and compared pair by pair.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use serde_json::{Value, json};

use crate::{
    Fault,
    case::{Case, Terms},
    figure::{COLUMNS, Column, short},
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

/// The situations in which builds are compared by default: a delivery, a publish, and what an idle connection holds.
pub(crate) fn cases() -> Vec<Case> {
    let deliver = |streams, tls| Case::Deliver { payload: 1 << 10, subscribers: 1000, backlog: 1, streams, tls };
    vec![
        deliver(1, false),
        deliver(100, false),
        deliver(1, true),
        Case::Publish { payload: 100, subscribers: 1 },
        Case::Idle { connections: 1000, tls: false },
        Case::Idle { connections: 1000, tls: true },
    ]
}

impl Comparison {
    /// Measures a case of both builds, `pairs` times. Each pair begins with the other build.
    ///
    /// # Errors
    /// When a measurement failed.
    pub(crate) fn measure(case: Case, [base, new]: [&Path; 2], pairs: usize, terms: Terms<'_>) -> Result<Self, Fault> {
        let mut comparison = Self { case: case.label(), pairs: BTreeMap::new() };
        for pair in 0..pairs {
            let measure = |program| case.measure(Kind::Poke, Terms { program: Some(program), ..terms });
            let (base, new) = if pair % 2 == 0 {
                (measure(base)?, measure(new)?)
            } else {
                let new = measure(new)?;
                (measure(base)?, new)
            };
            for column in &COLUMNS {
                if let (Some(&base), Some(&new)) = (base.get(column.name), new.get(column.name)) {
                    comparison.pairs.entry(column.name).or_default().push([base, new]);
                }
            }
        }
        Ok(comparison)
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

    #[test]
    fn a_ratio_is_taken_within_each_pair() {
        // The machine became twice as slow half-way: the ratio of medians would not see that the builds are equal.
        let pairs = (0..20).map(|n| if n < 10 { [1.0, 1.0] } else { [2.0, 2.0] }).collect();
        let comparison = Comparison { case: "a case".into(), pairs: BTreeMap::from([("cpu_us_per_delivery", pairs)]) };
        assert_eq!(comparison.ratio("cpu_us_per_delivery").expect("a ratio").bounds, Some((1.0, 1.0)));
        assert!(comparison.table().contains("ratio 1.000 (1.000 to 1.000 at 95 %)"), "{}", comparison.table());
    }
}
