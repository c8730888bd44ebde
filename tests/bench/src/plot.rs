//! The figures that the README shows, as one SVG.

use std::fmt::Write as _;

use crate::{report::Report, server::Kind};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 290.0;
const ROW: f64 = 14.0;
const BAR: f64 = WIDTH - LEFT - 90.0;

/// One group of bars: the figure that it shows, and its title.
const PANELS: [(&str, &str); 3] = [
    ("cpu_us_per_delivery", "CPU per delivery, microseconds (less is better)"),
    ("bytes_per_connection", "Resident memory of an idle connection with one stream, bytes (less is better)"),
    ("publishes_per_core_s", "Publishes per second and core (more is better)"),
];

/// Bars of the medians. Each case is scaled by its own longest bar, since cases differ a hundredfold.
pub(crate) fn draw(report: &Report) -> String {
    let mut body = String::new();
    let mut y = 24.0;
    for (figure, title) in PANELS {
        let cases: Vec<_> = report.cases().filter(|case| bars(report, case, figure).next().is_some()).collect();
        if cases.is_empty() {
            continue;
        }
        text(&mut body, 10.0, y, "start", "bold 13px", title);
        y += 20.0;
        for case in cases {
            y = group(&mut body, report, case, figure, y) + 8.0;
        }
        y += 12.0;
    }
    text(&mut body, 10.0, y, "start", "10px", &report.origin().join("; "));
    y += 14.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" font-family=\"system-ui, sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

fn bars<'a>(report: &'a Report, case: &'a str, figure: &'a str) -> impl Iterator<Item = (Kind, f64)> + 'a {
    Kind::ALL.into_iter().filter_map(move |kind| Some((kind, report.spread(case, figure, kind)?.median)))
}

fn group(body: &mut String, report: &Report, case: &str, figure: &str, mut y: f64) -> f64 {
    let longest = bars(report, case, figure).map(|(_, value)| value).fold(0.0, f64::max);
    text(body, 10.0, y + ROW, "start", "11px", case);
    for (kind, value) in bars(report, case, figure) {
        let width = if longest > 0.0 { BAR * value.max(0.0) / longest } else { 0.0 };
        let colour = colour(kind);
        // Writing to a string can't fail.
        let _ = writeln!(
            body,
            "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
            y + 3.0,
            ROW - 3.0
        );
        let label = format!("{} {}", number(value), kind.name());
        let (x, anchor, style) = if width > BAR / 2.0 {
            (LEFT + width - 4.0, "end", "10px;white")
        } else {
            (LEFT + width + 4.0, "start", "10px")
        };
        text(body, x, y + ROW - 2.0, anchor, style, &label);
        y += ROW;
    }
    y
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, style: &str, text: &str) {
    let (font, fill) = match style.split_once(';') {
        Some((font, fill)) => (font, fill),
        None => (style, "#222"),
    };
    let (weight, size) = font.split_once(' ').unwrap_or(("normal", font));
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\" font-size=\"{size}\" \
         fill=\"{fill}\">{escaped}</text>"
    );
}

fn number(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// Colours that people with any colour vision tell apart (Okabe and Ito).
fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Poke => "#0072b2",
        Kind::Naive => "#d55e00",
        Kind::Floor => "#999999",
        Kind::Nats => "#009e73",
        Kind::Centrifugo => "#cc79a7",
        Kind::Mosquitto => "#56b4e9",
    }
}
