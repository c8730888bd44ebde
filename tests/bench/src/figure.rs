//! What can be measured, and how people read it.

/// Figures by their names.
pub(crate) type Figures = std::collections::BTreeMap<&'static str, f64>;

/// A figure of the report.
#[derive(Debug)]
pub(crate) struct Column {
    /// Its name among [`Figures`], and in the JSON.
    pub(crate) name: &'static str,
    /// What stands over it.
    pub(crate) heading: &'static str,
    /// What it is divided by to be shown.
    pub(crate) unit: f64,
}

const fn column(name: &'static str, heading: &'static str, unit: f64) -> Column {
    Column { name, heading, unit }
}

/// All, in the order in which they are shown. A case's first is the one that servers are compared by.
pub(crate) const COLUMNS: [Column; 17] = [
    column("cpu_us_per_delivery", "CPU us/delivery", 1.0),
    column("publishes_per_core_s", "publishes/core s", 1.0),
    column("p99_ratio", "p99 stalled/alone", 1.0),
    column("bytes_per_connection", "B/connection", 1.0),
    column("bytes_per_extra_stream", "B/extra stream", 1.0),
    column("bytes_per_interest", "B/interest", 1.0),
    column("cpu_us_per_subscribe", "CPU us/subscribe", 1.0),
    column("kernel_bytes_per_socket", "kernel B/socket", 1.0),
    column("cpu_us_per_quiet_stream_s", "CPU us/quiet stream s", 1.0),
    column("deliveries_per_s", "deliveries/s", 1.0),
    column("publishes_per_s", "publishes/s", 1.0),
    column("p50_us", "p50 ms", 1000.0),
    column("p99_us", "p99 ms", 1000.0),
    column("p99_us_alone", "p99 ms alone", 1000.0),
    column("p99_us_beside_stalled", "p99 ms beside", 1000.0),
    column("bytes_per_stalled", "B/stalled", 1.0),
    column("resident_mib", "RSS MiB", 1.0),
];

/// Processors that others kept busy meanwhile. The report gives its worst, and no column.
pub(crate) const OTHERS: &str = "others_processors";

/// The lowest, the median and the highest of what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Nothing, if nothing was measured. Of an even number the lower middle one is the median.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<_> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        Some(Self { low, median: sorted[(sorted.len() - 1) / 2], high })
    }

    /// For people: the median, and in brackets how far it goes.
    pub(crate) fn show(self, unit: f64) -> String {
        let [low, median, high] = [self.low, self.median, self.high].map(|value| short(value / unit));
        if low == high { median } else { format!("{median} ({low}-{high})") }
    }
}

/// Three digits or so.
pub(crate) fn short(value: f64) -> String {
    let rounded = value.round();
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        size if size < 10_000.0 => format!("{rounded}"),
        size if size < 100_000.0 => format!("{:.1}k", value / 1000.0),
        size if size < 1e6 => format!("{}k", (value / 1000.0).round()),
        _ => format!("{:.2}M", value / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_order() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { low: 1.0, median: 2.0, high: 3.0 }));
        assert_eq!(spread(&[4.0, 2.0]), Some(Spread { low: 2.0, median: 2.0, high: 4.0 }));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 1.234, 12.34, 1234.4, 123_456.0, 1.5e6].map(short),
            ["0", "1.23", "12.3", "1234", "123k", "1.50M"]
        );
    }
}
