//! Events as lines for people: time, what, filter, and what it says.

use std::time::SystemTime;

use jiff::{Timestamp, tz::TimeZone};
use poke_client::{Code, Data, Event, GapReason, Interest, Position};

use crate::{
    output::{Paint, Palette},
    server::code_name,
    text,
};

/// A filter longer than this doesn't push all other lines to the right.
const WIDEST: usize = 40;

/// How wide the columns are, and which there are.
pub(crate) struct Columns {
    filter: usize,
    positions: bool,
    zone: TimeZone,
}

impl Columns {
    pub(crate) fn new(filters: &[String], positions: bool) -> Self {
        let widest = filters.iter().map(|filter| text::width(&text::escape(filter))).max();
        Self { filter: widest.unwrap_or_default().min(WIDEST), positions, zone: TimeZone::system() }
    }
}

/// What people want to see among the pokes, before it is laid out.
struct Row<'a> {
    time: SystemTime,
    what: &'static str,
    paint: Paint,
    interest: &'a Interest,
    position: Option<&'a Position>,
    says: String,
}

/// The line of an event; none for what the connection does. It begins with `now`, when the event came: only a poke has
/// another time, and that is of another clock.
pub(crate) fn line(event: &Event, columns: &Columns, now: SystemTime, palette: Palette) -> Option<String> {
    Row::of(event, now, palette).map(|row| row.lay_out(columns, palette))
}

impl<'a> Row<'a> {
    fn of(event: &'a Event, now: SystemTime, palette: Palette) -> Option<Self> {
        Some(match event {
            Event::Poke(poke) => Self {
                time: now,
                what: "poke",
                paint: Paint::Good,
                interest: &poke.interest,
                position: Some(&poke.position),
                says: data(poke.data.as_ref(), palette),
            },
            Event::Gap(gap) => Self {
                time: now,
                what: "gap",
                paint: Paint::Warning,
                interest: &gap.interest,
                position: Some(&gap.position),
                says: gap_says(gap.reason, gap.missed_count),
            },
            Event::Ended(ended) => Self {
                time: now,
                what: "ended",
                paint: Paint::Name,
                interest: &ended.interest,
                position: Some(&ended.position),
                says: data(ended.data.as_ref(), palette),
            },
            Event::Rejected(rejected) => Self {
                time: now,
                what: "rejected",
                paint: Paint::Bad,
                interest: &rejected.interest,
                position: None,
                says: rejected_says(rejected.code, &rejected.reason, &rejected.message, rejected.is_final),
            },
            _ => return None,
        })
    }

    fn lay_out(&self, columns: &Columns, palette: Palette) -> String {
        let time = palette.paint(Paint::Dim, &clock(self.time, &columns.zone));
        let what = palette.paint(self.paint, &format!("{:8}", self.what));
        let filter = text::pad(&text::escape(&self.interest.filter), columns.filter);
        let mut line = format!("{time}  {what}  {filter}  ");
        if columns.positions {
            let position = self.position.map_or_else(|| "-".to_owned(), ToString::to_string);
            line.push_str(&palette.paint(Paint::Dim, &text::escape(&position)));
            line.push_str("  ");
        }
        line.push_str(&self.says);
        line
    }
}

fn data(data: Option<&Data>, palette: Palette) -> String {
    let shown = text::data(data);
    if data.is_none() { palette.paint(Paint::Dim, &shown) } else { shown }
}

fn clock(time: SystemTime, zone: &TimeZone) -> String {
    match Timestamp::try_from(time) {
        Ok(time) => time.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S.%3f").to_string(),
        Err(_) => "--:--:--.---".to_owned(),
    }
}

fn gap_says(reason: GapReason, missed: Option<i64>) -> String {
    let missed = match missed.map(u64::try_from) {
        Some(Ok(missed)) => format!("{} lost", text::count(missed, "poke")),
        _ => "pokes may be lost".to_owned(),
    };
    let why = match reason {
        GapReason::EpochChanged => "the server has another history",
        GapReason::Evicted => "the server no longer retains them",
        GapReason::Lagged => "this client read too slowly",
        GapReason::Backplane => "the servers lost touch with each other",
        GapReason::Undecodable => "a message could not be read",
        _ => "for a reason that this version doesn't know",
    };
    format!("{missed}: {why}")
}

fn rejected_says(code: Code, reason: &str, message: &str, is_final: bool) -> String {
    let later = if is_final { "" } else { "; asking again later" };
    format!("{} ({}, {}){later}", text::escape(message), code_name(code), text::escape(reason))
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
