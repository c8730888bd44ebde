//! The Prometheus text format, which every scraper and `promtool` read.

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns a page of OpenMetrics, the only format of the registry, in the Prometheus text format. The two differ in how
/// they name a counter's family, and in the last line.
pub(super) fn from_openmetrics(page: &str) -> String {
    let mut text = String::with_capacity(page.len() + page.len() / 16);
    // The type of a family follows its help.
    let mut help = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let total = if kind == "counter" { "_total" } else { "" };
            if let Some((_, help)) = help.take() {
                push(&mut text, &["# HELP ", name, total, " ", help]);
            }
            push(&mut text, &["# TYPE ", name, total, " ", kind]);
        } else if !line.starts_with('#') {
            push(&mut text, &[line]);
        }
    }
    text
}

fn push(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_counters_have_the_names_of_their_series() {
        let page =
            "# HELP a Some text.\n# TYPE a counter\na_total{x=\"1\"} 2\n# HELP b Other.\n# TYPE b gauge\nb 3\n# EOF\n";
        let expected = "# HELP a_total Some text.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n# HELP b Other.\n# TYPE b gauge\nb 3\n";
        assert_eq!(from_openmetrics(page), expected);
    }
}
