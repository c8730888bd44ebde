//! What `/metrics` says.

/// One reading of the server's metrics, in the Prometheus text format.
#[derive(Clone, Debug)]
pub struct Metrics(Vec<Series>);

#[derive(Clone, Debug)]
struct Series {
    name: String,
    labels: String,
    value: f64,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(series).collect())
    }

    /// The sum over all series of a name, 0 when there is none.
    ///
    /// # Panics
    /// When no series has the name: a misspelt name would pass for "nothing happened".
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        self.sum_where(name, "")
    }

    /// As [`Metrics::sum`], over the series whose labels contain the text, for example `code="ABORTED"`.
    ///
    /// # Panics
    /// When no series has the name.
    #[must_use]
    pub fn sum_where(&self, name: &str, label: &str) -> f64 {
        let mut of_name = self.0.iter().filter(|series| series.name == name).peekable();
        assert!(of_name.peek().is_some(), "no metric {name}; there are {:?}", self.names());
        of_name.filter(|series| series.labels.contains(label)).map(|series| series.value).sum()
    }

    /// The number of series.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.iter().map(|series| series.name.as_str()).collect();
        names.dedup();
        names
    }
}

/// `name{labels} value`, or `name value`.
fn series(line: &str) -> Option<Series> {
    let (key, value) = line.rsplit_once(' ')?;
    let (name, labels) = key.split_once('{').unwrap_or((key, ""));
    Some(Series { name: name.into(), labels: labels.trim_end_matches('}').into(), value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_with_and_without_labels_are_read() {
        let metrics = Metrics::parse("# TYPE a counter\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"2\"} 4\nb 5\n");
        assert_eq!(metrics.sum("a_total"), 7.0);
        assert_eq!(metrics.sum_where("a_total", "x=\"1\""), 3.0);
        assert_eq!(metrics.sum("b"), 5.0);
        assert_eq!(metrics.count(), 3);
    }
}
