//! Kinds of values: how a setting is written, read, and bounded.

mod text;

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use toml::de::DeValue;

pub(super) use self::text::{Advised, FilePath, Text};
use super::{
    log_level::{LEVELS, LogLevel},
    mistake::hint,
};
use crate::limits::Bound;

/// How values of one kind are read from text (environment, flags) and from TOML, and how they are written as TOML.
pub(super) trait Kind<T> {
    /// What a value looks like, with its bounds: the end of "must be".
    fn form(&self) -> String;
    /// Reads what `write` writes, without the quotes.
    fn read(&self, text: &str) -> Result<T, Wrong>;
    /// Reads a value of the file. Most kinds are strings there.
    fn read_toml(&self, value: &DeValue<'_>) -> Result<T, Wrong> {
        self.read(value.as_str().ok_or(Wrong)?)
    }
    /// Writes a value as TOML.
    fn write(&self, value: &T) -> String;
    /// ` Did you mean ...?`, or another sentence with a space in front, if there is more to say of a wrong value than the form
    /// does. It repeats no more of the value than people need.
    fn hint(&self, _wrong: &str) -> String {
        String::new()
    }
    /// The same of a value of the file.
    fn hint_toml(&self, wrong: &DeValue<'_>) -> String {
        wrong.as_str().map(|text| self.hint(text)).unwrap_or_default()
    }
}

/// The value isn't of the kind's form, or out of its bounds. `form` says what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong;

/// A whole number.
pub(super) struct Count<T>(pub(super) RangeInclusive<T>);

impl<T: Copy + Display + PartialOrd + FromStr> Kind<T> for Count<T> {
    fn form(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, text: &str) -> Result<T, Wrong> {
        within(&self.0, text.parse().map_err(|_| Wrong)?)
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<T, Wrong> {
        self.read(&whole(value).ok_or(Wrong)?.to_string())
    }

    fn write(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A size in bytes: a whole number with or without a unit of 1024.
pub(super) struct Bytes(pub(super) RangeInclusive<usize>);

const SIZES: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

impl Kind<usize> for Bytes {
    fn form(&self) -> String {
        format!("a size from {} to {}", size(*self.0.start()), size(*self.0.end()))
    }

    fn read(&self, text: &str) -> Result<usize, Wrong> {
        let (number, unit) =
            SIZES.iter().find_map(|&(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or(Wrong)?;
        let number: usize = number.trim_end().parse().map_err(|_| Wrong)?;
        within(&self.0, number.checked_mul(unit).ok_or(Wrong)?)
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<usize, Wrong> {
        match value {
            DeValue::String(text) => self.read(text),
            _ => self.read(&whole(value).ok_or(Wrong)?.to_string()),
        }
    }

    fn write(&self, value: &usize) -> String {
        quoted(&size(*value))
    }
}

/// A length of time: a whole number and a unit.
pub(super) struct Span(pub(super) RangeInclusive<Duration>);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Kind<Duration> for Span {
    fn form(&self) -> String {
        format!("a duration from {} to {}", span(*self.0.start()), span(*self.0.end()))
    }

    fn read(&self, text: &str) -> Result<Duration, Wrong> {
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or(Wrong)?;
        let (number, unit) = text.split_at(split);
        let &(_, millis) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).ok_or(Wrong)?;
        let number: u64 = number.parse().map_err(|_| Wrong)?;
        within(&self.0, Duration::from_millis(number.checked_mul(millis).ok_or(Wrong)?))
    }

    fn write(&self, value: &Duration) -> String {
        quoted(&span(*value))
    }
}

/// A part of a whole, from 0 to 1.
pub(super) struct Share(pub(super) RangeInclusive<f64>);

impl Kind<f64> for Share {
    fn form(&self) -> String {
        format!("a number from {} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, text: &str) -> Result<f64, Wrong> {
        within(&self.0, text.parse().map_err(|_| Wrong)?)
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<f64, Wrong> {
        match value {
            DeValue::Float(number) => self.read(number.as_str()),
            _ => self.read(&whole(value).ok_or(Wrong)?.to_string()),
        }
    }

    fn write(&self, value: &f64) -> String {
        format!("{value:?}")
    }
}

/// Yes or no.
pub(super) struct Switch;

impl Kind<bool> for Switch {
    fn form(&self) -> String {
        "true or false".into()
    }

    fn read(&self, text: &str) -> Result<bool, Wrong> {
        text.parse().map_err(|_| Wrong)
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<bool, Wrong> {
        value.as_bool().ok_or(Wrong)
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// One of a few names.
pub(super) struct Choice<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Kind<T> for Choice<T> {
    fn form(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(name, _)| quoted(name)).collect();
        names.join(" or ")
    }

    fn read(&self, text: &str) -> Result<T, Wrong> {
        self.0.iter().find(|(name, _)| *name == text).map(|&(_, value)| value).ok_or(Wrong)
    }

    fn write(&self, value: &T) -> String {
        let name = self.0.iter().find(|(_, v)| v == value).map(|(name, _)| *name);
        quoted(name.expect("every value of a choice has a name"))
    }

    fn hint(&self, wrong: &str) -> String {
        hint(wrong, self.0.iter().map(|(name, _)| *name))
    }
}

/// What is logged.
pub(super) struct Level;

impl Kind<LogLevel> for Level {
    fn form(&self) -> String {
        "a level such as \"info\", or \"info,poke_server::connection=debug\"".into()
    }

    fn read(&self, text: &str) -> Result<LogLevel, Wrong> {
        text.parse().map_err(|_| Wrong)
    }

    fn write(&self, value: &LogLevel) -> String {
        quoted(&value.to_string())
    }

    fn hint(&self, wrong: &str) -> String {
        wrong.parse::<LogLevel>().err().map_or_else(String::new, |error| hint(&error.0, LEVELS.into_iter()))
    }
}

/// A value or the word "off".
pub(super) struct OrOff<K>(pub(super) K);

impl<T, K: Kind<T>> Kind<Option<T>> for OrOff<K> {
    fn form(&self) -> String {
        format!("{} or \"off\"", self.0.form())
    }

    fn read(&self, text: &str) -> Result<Option<T>, Wrong> {
        if text == "off" { Ok(None) } else { self.0.read(text).map(Some) }
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<Option<T>, Wrong> {
        if value.as_str() == Some("off") { Ok(None) } else { self.0.read_toml(value).map(Some) }
    }

    fn write(&self, value: &Option<T>) -> String {
        value.as_ref().map_or_else(|| quoted("off"), |value| self.0.write(value))
    }

    fn hint(&self, wrong: &str) -> String {
        self.0.hint(wrong)
    }

    fn hint_toml(&self, wrong: &DeValue<'_>) -> String {
        self.0.hint_toml(wrong)
    }
}

/// A bound on memory: a size, or one of two words.
pub(super) struct MemoryBound(pub(super) Bytes);

impl Kind<Bound> for MemoryBound {
    fn form(&self) -> String {
        format!("{}, \"auto\" or \"off\"", self.0.form())
    }

    fn read(&self, text: &str) -> Result<Bound, Wrong> {
        match text {
            "auto" => Ok(Bound::Auto),
            "off" => Ok(Bound::Off),
            size => self.0.read(size).map(Bound::Bytes),
        }
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<Bound, Wrong> {
        match value.as_str() {
            Some(word @ ("auto" | "off")) => self.read(word),
            _ => self.0.read_toml(value).map(Bound::Bytes),
        }
    }

    fn write(&self, value: &Bound) -> String {
        match value {
            Bound::Auto => quoted("auto"),
            Bound::Off => quoted("off"),
            Bound::Bytes(bytes) => self.0.write(bytes),
        }
    }
}

/// An array; in the environment and in flags with commas in between.
pub(super) struct List<K>(pub(super) K);

impl<T, K: Kind<T>> Kind<Vec<T>> for List<K> {
    fn form(&self) -> String {
        format!("a list of {}", self.0.form())
    }

    fn read(&self, text: &str) -> Result<Vec<T>, Wrong> {
        parts(text).map(|part| self.0.read(part)).collect()
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<Vec<T>, Wrong> {
        match value {
            DeValue::Array(values) => values.iter().map(|value| self.0.read_toml(value.get_ref())).collect(),
            _ => Ok(vec![self.0.read_toml(value)?]),
        }
    }

    fn write(&self, values: &Vec<T>) -> String {
        let values: Vec<_> = values.iter().map(|value| self.0.write(value)).collect();
        format!("[{}]", values.join(", "))
    }

    fn hint(&self, wrong: &str) -> String {
        let mut hints = parts(wrong).filter(|part| self.0.read(part).is_err()).map(|part| self.0.hint(part));
        hints.find(|hint| !hint.is_empty()).unwrap_or_default()
    }

    fn hint_toml(&self, wrong: &DeValue<'_>) -> String {
        let DeValue::Array(values) = wrong else { return self.0.hint_toml(wrong) };
        let wrong = values.iter().map(toml::Spanned::get_ref).filter(|value| self.0.read_toml(value).is_err());
        wrong.map(|value| self.0.hint_toml(value)).find(|hint| !hint.is_empty()).unwrap_or_default()
    }
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn within<T: PartialOrd>(bounds: &RangeInclusive<T>, value: T) -> Result<T, Wrong> {
    if bounds.contains(&value) { Ok(value) } else { Err(Wrong) }
}

fn whole(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn size(bytes: usize) -> String {
    let (name, unit) =
        SIZES.into_iter().find(|&(_, unit)| bytes >= unit && bytes.is_multiple_of(unit)).unwrap_or(("", 1));
    format!("{}{name}", bytes / unit)
}

/// The longest unit that divides it and stays readable: 90 s is "90s", 3600 s is "1h".
fn span(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let (name, unit) = UNITS.into_iter().rfind(|&(_, unit)| millis.is_multiple_of(unit)).unwrap_or(("ms", 1));
    format!("{}{name}", millis / unit)
}

/// As a TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Address;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let spans = Span(Duration::ZERO..=secs(86_400 * 365));
        for (duration, text) in [
            (secs(20), "20s"),
            (secs(90), "90s"),
            (secs(600), "10m"),
            (secs(3600), "1h"),
            (secs(86_400), "1d"),
            (Duration::from_millis(1500), "1500ms"),
            (Duration::ZERO, "0s"),
        ] {
            assert_eq!(spans.write(&duration), quoted(text));
            assert_eq!(spans.read(text), Ok(duration));
        }
        let sizes = Bytes(0..=usize::MAX);
        for (bytes, text) in [(4 << 20, "4MiB"), (1 << 30, "1GiB"), (1536, "1536"), (0, "0"), (131_072, "128KiB")] {
            assert_eq!(sizes.write(&bytes), quoted(text));
            assert_eq!(sizes.read(text), Ok(bytes));
        }
        let addresses = List(Text("addresses"));
        let text = "127.0.0.1:8080, [::]:0,unix:/run/poke.sock";
        let list: Vec<Address> = addresses.read(text).unwrap();
        assert_eq!(addresses.write(&list), r#"["127.0.0.1:8080", "[::]:0", "unix:/run/poke.sock"]"#);
        assert_eq!(quoted("a\"b\\"), r#"'a"b\'"#);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let spans = Span(secs(1)..=secs(60));
        for wrong in
            ["", "20", "s", "20 sec", "-1s", "1.5s", "61s", "0s", "99999999999999999999s", "20000000000000000d"]
        {
            assert_eq!(spans.read(wrong), Err(Wrong), "{wrong}");
        }
        let sizes = Bytes(1..=1 << 40);
        for wrong in ["", "MiB", "1MB", "1 TiB", "-1", "18446744073709551615GiB", "0"] {
            assert_eq!(sizes.read(wrong), Err(Wrong), "{wrong}");
        }
        assert_eq!(Share(0.0..=0.5).read("NaN"), Err(Wrong));
        assert_eq!(Count(1..=100_u32).read("101"), Err(Wrong));
    }
}
