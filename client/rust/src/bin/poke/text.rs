//! Text that is safe on a terminal and easy on the eye.

use std::{borrow::Cow, fmt::Write as _, time::Duration};

use poke_proto::Data;
use unicode_width::UnicodeWidthStr as _;

/// Escapes what could move the cursor, change colours, break a line or reorder it: control characters, line and
/// paragraph separators, and the bidirectional controls. The escapes are JSON's, so escaped JSON stays the same JSON.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(unsafe_on_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if unsafe_on_a_terminal(c) => {
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn unsafe_on_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Data as one line of JSON, safe on a terminal; `undefined` when absent.
pub(crate) fn data(data: Option<&Data>) -> String {
    let Some(data) = data else { return "undefined".to_owned() };
    match data.to_json() {
        Ok(json) => escape(&json).into_owned(),
        Err(error) => format!("<not readable: {}>", escape(&error.to_string())),
    }
}

/// `text` with spaces behind it up to `width` columns of a terminal.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(text.width());
    format!("{text}{:spaces$}", "")
}

/// The columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A count with its noun: `1 poke`, `2 pokes`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(n: u64) -> String {
    grouped(&n.to_string())
}

/// A rate without digits that say nothing: `12,346`, `5.0`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.1}") } else { grouped(&format!("{per_second:.0}")) }
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A duration with the unit that suits it: `412 µs`, `3.21 ms`, `1.50 s`, `10 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let (seconds, whole) = (duration.as_secs_f64(), duration.as_secs());
    match whole {
        0 if seconds < 0.001 => format!("{:.0} µs", seconds * 1e6),
        0 if seconds < 0.1 => format!("{:.2} ms", seconds * 1e3),
        0 => format!("{:.0} ms", seconds * 1e3),
        1..60 if duration.subsec_nanos() == 0 => format!("{whole} s"),
        1..60 => format!("{seconds:.2} s"),
        _ if whole.is_multiple_of(3600) => format!("{} h", whole / 3600),
        _ if whole.is_multiple_of(60) => format!("{} min", whole / 60),
        _ => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped() {
        assert_eq!(escape("a\u{1b}[31m\u{7}\r\n\tb\u{9b}\u{7f}"), "a\\u001b[31m\\u0007\\r\\n\\tb\\u009b\\u007f");
        assert_eq!(escape("\u{202e}evil\u{2066}\u{2028}"), "\\u202eevil\\u2066\\u2028");
    }

    #[test]
    fn ordinary_text_is_not_touched() {
        let text = "Mötley 日本 🎵 \"x\" \\n";
        assert!(matches!(escape(text), Cow::Borrowed(t) if t == text));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(pad("abc", 6), "abc   ");
        assert_eq!(pad("too long", 3), "too long");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(rate(12_345.6), "12,346");
        assert_eq!(rate(4.96), "5.0");
        assert_eq!(count(1, "poke"), "1 poke");
        assert_eq!(count(1_200, "poke"), "1,200 pokes");
    }

    #[test]
    fn durations_take_the_unit_that_suits() {
        let show = |micros| duration(Duration::from_micros(micros));
        assert_eq!(show(412), "412 µs");
        assert_eq!(show(3_210), "3.21 ms");
        assert_eq!(show(321_000), "321 ms");
        assert_eq!(show(1_500_000), "1.50 s");
        assert_eq!(show(20_000_000), "20 s");
        assert_eq!(show(600_000_000), "10 min");
        assert_eq!(show(3_600_000_000), "1 h");
        assert_eq!(show(200_000_000), "3 min 20 s");
    }
}
