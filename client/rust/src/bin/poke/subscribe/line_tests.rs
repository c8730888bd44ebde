#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn columns(filters: &[&str], positions: bool) -> Columns {
    let filters: Vec<_> = filters.iter().map(|&filter| filter.to_owned()).collect();
    Columns { zone: TimeZone::UTC, ..Columns::new(&filters, positions) }
}

fn row<'a>(interest: &'a Interest, position: Option<&'a Position>, says: String) -> Row<'a> {
    let time = UNIX_EPOCH + Duration::from_millis(50_624_123);
    Row { time, what: "poke", paint: Paint::Good, interest, position, says }
}

#[test]
fn columns_are_as_wide_as_the_widest_filter() {
    let columns = columns(&["p1", "playlist-2"], false);
    let (short, long) = (Interest::new("P", "p1"), Interest::new("P", "playlist-2"));
    let show = |interest, says: &str| row(interest, None, says.to_owned()).lay_out(&columns, Palette::PLAIN);
    assert_eq!(show(&short, "\"Updated\""), "14:03:44.123  poke      p1          \"Updated\"");
    assert_eq!(show(&long, "null"), "14:03:44.123  poke      playlist-2  null");
}

#[test]
fn positions_are_shown_when_asked_for() {
    let columns = columns(&["p1"], true);
    let (interest, position) = (Interest::new("P", "p1"), Position::new("e\u{1b}", 42));
    let with = row(&interest, Some(&position), "1".to_owned()).lay_out(&columns, Palette::PLAIN);
    assert_eq!(with, r"14:03:44.123  poke      p1  e\u001b:42  1");
    let without = row(&interest, None, "1".to_owned()).lay_out(&columns, Palette::PLAIN);
    assert_eq!(without, "14:03:44.123  poke      p1  -  1");
}

#[test]
fn a_filter_that_drives_a_terminal_is_escaped() {
    let interest = Interest::new("P", "a\u{202e}b");
    let line = row(&interest, None, String::new()).lay_out(&columns(&["x"], false), Palette::PLAIN);
    assert!(line.contains(r"a\u202eb"), "{line}");
}

#[test]
fn data_is_one_line_of_json_or_undefined() {
    let show = |json: &str| data(Some(&Data::from_json(json).unwrap()), Palette::PLAIN);
    assert_eq!(data(None, Palette::PLAIN), "undefined");
    assert_eq!(show("null"), "null");
    assert_eq!(show("\"undefined\""), "\"undefined\"");
    assert_eq!(show("{ \"a\": [1, 2.5, \"x\\ny\"] }"), r#"{"a":[1,2.5,"x\ny"]}"#);
    assert_eq!(data(Some(&Data::string("\u{9b}2J\u{7f}")), Palette::PLAIN), r#""\u009b2J\u007f""#);
    assert_eq!(data(Some(&Data::default()), Palette::PLAIN), "<not readable: a google.protobuf.Value without a kind>");
}

#[test]
fn a_gap_says_what_is_known_about_the_loss() {
    assert_eq!(gap_says(GapReason::Lagged, Some(1_200)), "1,200 pokes lost: this client read too slowly");
    assert_eq!(gap_says(GapReason::Evicted, None), "pokes may be lost: the server no longer retains them");
}

#[test]
fn a_refusal_shows_the_servers_words_but_not_its_escapes() {
    assert_eq!(
        rejected_says(Code::NotFound, "UNKNOWN_DOMAIN", "no such domain\u{1b}[0m", false),
        r"no such domain\u001b[0m (NOT_FOUND, UNKNOWN_DOMAIN); asking again later"
    );
}
