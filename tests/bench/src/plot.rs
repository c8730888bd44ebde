//! What things cost by what they cost naive tonic, as one SVG that the README shows.

use std::fmt::Write as _;

use crate::{
    case::TLS,
    figure::{Spread, short},
    pinning::PINNED,
    report::Report,
    server::Kind,
};

const WIDTH: f64 = 900.0;
/// Where the axis begins and ends.
const LEFT: f64 = 306.0;
const RIGHT: f64 = 780.0;
const ROW: f64 = 30.0;
/// The servers of a row stand below each other by this, so that equal ones are seen.
const LANE: f64 = 4.4;

/// Rows that share an axis.
struct Panel {
    title: &'static str,
    /// The figures that have a row for each case, and what they are called; by nothing, the case names the row.
    figures: &'static [(&'static str, &'static str)],
    /// The unit of what stands at the right.
    unit: &'static str,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Processor time of a delivery: bytes, subscribers, pokes under way, streams a connection",
        figures: &[("cpu_us_per_delivery", "")],
        unit: " \u{b5}s",
    },
    Panel {
        title: "Memory while nothing happens",
        figures: &[
            ("bytes_per_connection", "a connection with a stream"),
            ("bytes_per_extra_stream", "one more stream"),
            ("bytes_per_interest", "one more interest"),
        ],
        unit: " B",
    },
    Panel {
        title: "Processor time to connect and subscribe",
        figures: &[("cpu_us_per_subscribe", "a connection with a stream")],
        unit: " \u{b5}s",
    },
    Panel { title: "Processor time of a publish", figures: &[("publishes_per_core_s", "")], unit: "/core s" },
];

/// One case of a figure, as ratios to naive tonic's.
struct Row {
    label: String,
    costs: Vec<(Kind, Spread)>,
    /// The product's figure itself.
    own: f64,
}

/// Dots of ratios on a logarithmic axis, with the spread as a line. It brings its own background, for light pages and
/// for dark ones.
pub(crate) fn draw(report: &Report) -> String {
    let mut body = String::new();
    let mut y = 26.0;
    text(&mut body, (16.0, y), "start", "title", "Cost by naive tonic's: further left is cheaper");
    y += 24.0;
    legend(&mut body, report, y);
    y += 26.0;
    for panel in &PANELS {
        let rows = rows(report, panel);
        if !rows.is_empty() {
            y = draw_panel(&mut body, panel, &rows, y) + 22.0;
        }
    }
    for line in [&report.origin()[..1], &report.origin()[1..]] {
        text(&mut body, (16.0, y), "start", "small", &line.join("; "));
        y += 15.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" font-family=\"system-ui, sans-serif\">\n\
         <style>{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n{body}</svg>\n"
    )
}

/// Colours that people with any colour vision tell apart (Okabe and Ito).
const STYLE: &str = "
text { font-size: 12px; fill: #24292f } .title { font-size: 15px; font-weight: 600 } .head { font-weight: 600 }
.small { font-size: 10.5px; fill: #57606a } .page { fill: #ffffff } .stripe { fill: #f3f5f8 } .grid { stroke: #d0d7de } .one { stroke: #8c959f }
.poke { fill: #0072b2; stroke: #0072b2 } .naive { fill: #d55e00; stroke: #d55e00 } .floor { fill: #8c959f; stroke: #8c959f }
.nats { fill: #009e73; stroke: #009e73 } .centrifugo { fill: #cc79a7; stroke: #cc79a7 } .mosquitto { fill: #b8860b; stroke: #b8860b }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117 } .stripe { fill: #161b22 } .grid { stroke: #30363d } .one { stroke: #6e7681 }
.poke { fill: #58b4f0; stroke: #58b4f0 } .naive { fill: #ff8533; stroke: #ff8533 } .nats { fill: #2ecc9b; stroke: #2ecc9b }
.mosquitto { fill: #e3b341; stroke: #e3b341 }
}";

fn rows(report: &Report, panel: &Panel) -> Vec<Row> {
    let row = |figure: &str, name: &str, case: &str| {
        let own = report.spread(case, figure, Kind::Poke)?.median;
        let cost = |kind| {
            let ratio = report.ratio(case, figure, kind, Kind::Naive)?;
            // More publishes in the same time cost less each.
            let cost = if figure == "publishes_per_core_s" { inverse(ratio) } else { ratio };
            Some((kind, cost)).filter(|(_, cost)| cost.low > 0.0)
        };
        let label = match case.split_once(' ') {
            Some((_, rest)) if name.is_empty() => rest.to_owned(),
            _ if case.ends_with(TLS) => format!("{name}{TLS}"),
            _ => name.to_owned(),
        };
        Some(Row { label, costs: Kind::ALL.into_iter().filter_map(cost).collect(), own })
    };
    let free = || report.cases().filter(|case| !case.ends_with(PINNED));
    let cases = |figure, name| free().filter_map(move |case| row(figure, name, case));
    panel.figures.iter().flat_map(|&(figure, name)| cases(figure, name)).collect()
}

fn inverse(Spread { low, median, high }: Spread) -> Spread {
    Spread { low: 1.0 / high, median: 1.0 / median, high: 1.0 / low }
}

fn legend(body: &mut String, report: &Report, y: f64) {
    let seen = |kind: &Kind| report.cases().any(|case| report.has(case, *kind));
    for (index, kind) in Kind::ALL.into_iter().filter(seen).enumerate() {
        let x = 22.0 + 135.0 * index as f64;
        mark(body, kind, x, y - 4.0);
        text(body, (x + 11.0, y), "start", "label", kind.name());
    }
}

/// Answers where it ends.
fn draw_panel(body: &mut String, panel: &Panel, rows: &[Row], y: f64) -> f64 {
    let axis = Axis::around(rows);
    let (top, bottom) = (y + 24.0, y + 24.0 + ROW * rows.len() as f64);
    text(body, (16.0, y + 4.0), "start", "head", panel.title);
    for index in (0..rows.len()).step_by(2) {
        let y = top + ROW * index as f64;
        // Writing to a string can't fail.
        let _ =
            writeln!(body, "<rect class=\"stripe\" x=\"8\" y=\"{y:.1}\" width=\"{}\" height=\"{ROW}\"/>", WIDTH - 16.0);
    }
    for tick in axis.ticks() {
        let (x, class) = (axis.x(tick), if tick == 1.0 { "one" } else { "grid" });
        let _ = writeln!(body, "<path class=\"{class}\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>");
        text(body, (x, top - 5.0), "middle", "small", &format!("{tick}"));
    }
    text(body, (WIDTH - 16.0, top - 5.0), "end", "small", Kind::Poke.name());
    for (index, row) in rows.iter().enumerate() {
        let middle = top + ROW * (index as f64 + 0.5);
        text(body, (LEFT - 12.0, middle + 4.0), "end", "label", &row.label);
        for &(kind, cost) in row.costs.iter().rev() {
            let y = middle + LANE * (kind as usize as f64 - 2.5);
            let (low, x, high) = (axis.x(cost.low), axis.x(cost.median), axis.x(cost.high));
            let _ = writeln!(
                body,
                "<path class=\"{}\" stroke-opacity=\".55\" stroke-width=\"2\" d=\"M{low:.1} {y:.1}H{high:.1}\"/>",
                class(kind)
            );
            mark(body, kind, x, y);
        }
        text(body, (WIDTH - 16.0, middle + 4.0), "end", "label", &format!("{}{}", short(row.own), panel.unit));
    }
    bottom
}

/// A logarithmic axis.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// From one tick to another, with all costs between them.
    fn around(rows: &[Row]) -> Self {
        let costs = || rows.iter().flat_map(|row| &row.costs);
        let low = costs().map(|(_, cost)| cost.low).fold(0.5, f64::min);
        let high = costs().map(|(_, cost)| cost.high).fold(2.0, f64::max);
        let (below, above) = (steps().filter(|&step| step <= low).last(), steps().find(|&step| step >= high));
        Self { low: below.unwrap_or(low), high: above.unwrap_or(high) }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let (low, high) = (self.low, self.high);
        steps().filter(move |step| (low..=high).contains(step))
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (value / self.low).ln() / (self.high / self.low).ln()
    }
}

/// Where ticks can be: 0.001, 0.002, 0.005, 0.01 and so on.
fn steps() -> impl Iterator<Item = f64> {
    let decades = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0];
    // Rounded, since 0.1 times 2 isn't what people write as 0.2 everywhere.
    decades.into_iter().flat_map(|decade| [1.0, 2.0, 5.0].map(|step: f64| (step * decade * 1e6).round() / 1e6))
}

/// A dot; the product's is a diamond, and larger.
fn mark(body: &mut String, kind: Kind, x: f64, y: f64) {
    let class = class(kind);
    let _ = if kind == Kind::Poke {
        writeln!(body, "<path class=\"{class}\" d=\"M{x:.1} {:.1}l6 6l-6 6l-6 -6z\"/>", y - 6.0)
    } else {
        writeln!(body, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.6\"/>")
    };
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, class: &str, text: &str) {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ =
        writeln!(body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{escaped}</text>");
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Poke => "poke",
        Kind::Naive => "naive",
        Kind::Floor => "floor",
        Kind::Nats => "nats",
        Kind::Centrifugo => "centrifugo",
        Kind::Mosquitto => "mosquitto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_ticks_and_holds_one() {
        let row = |low, high| Row {
            label: String::new(),
            costs: vec![(Kind::Poke, Spread { low, median: low, high })],
            own: 0.0,
        };
        let axis = Axis::around(&[row(0.012, 0.9)]);
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        assert_eq!((axis.x(0.01), axis.x(2.0)), (LEFT, RIGHT));
    }
}
