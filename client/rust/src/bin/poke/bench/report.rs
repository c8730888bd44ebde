//! What a run came to, for people and for programs.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    plan::Plan,
    tally::{Percentiles, Tally},
};
use crate::{
    Exit, Failure, duration,
    output::{Paint, Palette},
    text,
};

/// The result of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) subscribers: u32,
    pub(crate) live_subscribers: u64,
    pub(crate) connections: u32,
    pub(crate) interests: u32,
    pub(crate) publishers: u32,
    pub(crate) data_bytes: usize,
    pub(crate) duration_seconds: f64,
    pub(crate) asked_publishes_per_second: Option<f64>,
    pub(crate) published: u64,
    pub(crate) publishes_per_second: f64,
    pub(crate) delivered: u64,
    pub(crate) deliveries_per_second: f64,
    pub(crate) delivery_latency: Latency,
    pub(crate) publish_latency: Latency,
    pub(crate) gaps: u64,
    pub(crate) missed: u64,
    /// Accepted, but neither delivered nor within a gap.
    pub(crate) missing: u64,
    pub(crate) errors: BTreeMap<String, u64>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Latency {
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    p999_ms: Option<f64>,
    max_ms: Option<f64>,
}

impl From<Percentiles> for Latency {
    fn from(Percentiles { p50, p99, p999, max }: Percentiles) -> Self {
        let millis = |time: Option<Duration>| time.map(duration::millis);
        Self { p50_ms: millis(p50), p99_ms: millis(p99), p999_ms: millis(p999), max_ms: millis(max) }
    }
}

impl Report {
    /// Reads the counters; `sending` is how long the publishers worked.
    pub(crate) fn new(plan: &Plan, tally: &Tally, sending: Duration) -> Self {
        Self {
            subscribers: plan.subscribers,
            live_subscribers: tally.live(),
            connections: plan.connections(),
            interests: plan.interests,
            publishers: plan.publishers,
            data_bytes: plan.size,
            duration_seconds: rounded(sending.as_secs_f64()),
            asked_publishes_per_second: plan.rate,
            published: tally.all_published(),
            publishes_per_second: per_second(tally.all_published(), sending),
            delivered: tally.deliveries(),
            deliveries_per_second: per_second(tally.deliveries(), tally.delivering().max(sending)),
            delivery_latency: tally.delivery_latency().into(),
            publish_latency: tally.publish_latency().into(),
            gaps: tally.gaps(),
            missed: tally.missed(),
            missing: tally.undelivered(),
            errors: tally.errors(),
        }
    }

    /// A line for each thing.
    pub(crate) fn lines(&self, palette: Palette) -> Vec<String> {
        let asked = match self.asked_publishes_per_second {
            Some(asked) if self.publishes_per_second < asked * 0.95 => format!(" ({asked}/s wanted)"),
            _ => String::new(),
        };
        let live = (u64::from(self.subscribers) != self.live_subscribers)
            .then(|| format!("{} of ", text::thousands(self.live_subscribers)));
        let connections = text::count(self.connections.into(), "connection");
        let subscribers = text::count(self.subscribers.into(), "subscriber");
        let missed = if self.missed > 0 { format!(", {} lost", text::thousands(self.missed)) } else { String::new() };
        let errors = self.errors.values().sum();
        let mut lines = vec![
            ("listened", format!("{}{subscribers} on {connections}", live.unwrap_or_default())),
            (
                "published",
                format!("{}, {}/s{asked}", text::count(self.published, "poke"), text::rate(self.publishes_per_second)),
            ),
            (
                "delivered",
                format!("{}, {}/s", text::count(self.delivered, "poke"), text::rate(self.deliveries_per_second)),
            ),
            ("latency", format!("{}  from publish to delivery", self.delivery_latency)),
            ("", format!("{}  of the publish call", self.publish_latency)),
            ("gaps", good_if_none(self.gaps, palette, Paint::Warning) + &missed),
            ("missing", good_if_none(self.missing, palette, Paint::Bad)),
            ("errors", good_if_none(errors, palette, Paint::Bad)),
        ];
        lines.extend(
            self.errors.iter().map(|(why, n)| ("", format!("{} × {}", text::thousands(*n), text::escape(why)))),
        );
        if self.errors.keys().any(|why| why.contains("Too many open files")) {
            lines.push(("", "`ulimit -n` allows more connections; --streams-per-connection needs fewer".to_owned()));
        }
        let name = |name| palette.paint(Paint::Dim, &format!("{name:10}"));
        lines.into_iter().map(|(what, says)| format!("{}  {says}", name(what))).collect()
    }

    /// Whether all went as it should. A gap is loss that was told, and no fault of the run.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        let clean = self.missing == 0 && self.errors.is_empty();
        if clean { Ok(()) } else { Err(Failure::Silent(Exit::Unexpected)) }
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [("p50", self.p50_ms), ("p99", self.p99_ms), ("max", self.max_ms)];
        for (i, (name, millis)) in names.into_iter().enumerate() {
            let value =
                millis.map_or_else(|| "-".to_owned(), |millis| text::duration(Duration::from_secs_f64(millis / 1e3)));
            write!(f, "{}{name} {value:9}", if i > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

fn good_if_none(n: u64, palette: Palette, otherwise: Paint) -> String {
    palette.paint(if n == 0 { Paint::Good } else { otherwise }, &text::thousands(n))
}

fn per_second(n: u64, duration: Duration) -> f64 {
    if duration.is_zero() { 0.0 } else { rounded(n as f64 / duration.as_secs_f64()) }
}

/// To three digits behind the point.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests::plan, *};

    fn report(change: impl FnOnce(&mut Report)) -> Report {
        let plan = plan();
        let mut report = Report::new(&plan, &Tally::new(&plan), Duration::from_secs(10));
        let millis = |millis| Some(Duration::from_micros(millis));
        report.live_subscribers = 10;
        report.published = 1_000;
        report.publishes_per_second = 100.0;
        report.delivered = 2_500;
        report.deliveries_per_second = 250.0;
        report.delivery_latency =
            Percentiles { p50: millis(312), p99: millis(1_210), p999: millis(3_000), max: millis(4_020) }.into();
        report.publish_latency =
            Percentiles { p50: millis(200), p99: millis(900), p999: millis(3_000), max: millis(3_000) }.into();
        change(&mut report);
        report
    }

    #[test]
    fn people_read_a_table() {
        assert_eq!(
            report(|_| {}).lines(Palette::PLAIN).join("\n"),
            "\
listened    10 subscribers on 3 connections
published   1,000 pokes, 100/s
delivered   2,500 pokes, 250/s
latency     p50 312 µs    p99 1.21 ms   max 4.02 ms    from publish to delivery
            p50 200 µs    p99 900 µs    max 3.00 ms    of the publish call
gaps        0
missing     0
errors      0"
        );
    }

    #[test]
    fn what_fell_short_is_said() {
        let report = report(|report| {
            report.live_subscribers = 8;
            report.publishes_per_second = 50.0;
            report.gaps = 2;
            report.missed = 1_200;
            report.errors.insert("a stream: UNAVAILABLE Too many open files".to_owned(), 2);
        });
        let lines = report.lines(Palette::PLAIN).join("\n");
        for part in ["8 of 10 subscribers", "50/s (100/s wanted)", "2, 1,200 lost", "2 × a stream", "ulimit -n"] {
            assert!(lines.contains(part), "{part} is not in\n{lines}");
        }
        assert_eq!(report.verdict(), Err(Failure::Silent(Exit::Unexpected)));
    }

    #[test]
    fn told_loss_is_no_failure_and_silent_loss_is() {
        assert_eq!(report(|report| report.gaps = 3).verdict(), Ok(()));
        assert!(report(|report| report.missing = 1).verdict().is_err());
    }

    #[test]
    fn programs_read_numbers() {
        let json = serde_json::json!(report(|_| {}));
        assert_eq!(json["deliveryLatency"]["p99Ms"], serde_json::json!(1.21));
        assert_eq!(json["askedPublishesPerSecond"], serde_json::json!(100.0));
    }
}
