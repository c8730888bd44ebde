//! Kinds of values that are text, or have a text form of their own.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use super::{Kind, Wrong, quoted};

/// Anything with a text form of its own; the string says what it looks like.
pub(in crate::config) struct Text(pub(in crate::config) &'static str);

impl<T: FromStr + Display> Kind<T> for Text {
    fn form(&self) -> String {
        self.0.into()
    }

    fn read(&self, text: &str) -> Result<T, Wrong> {
        text.parse().map_err(|_| Wrong)
    }

    fn write(&self, value: &T) -> String {
        quoted(&value.to_string())
    }
}

impl Text {
    /// The same, of at least one character.
    pub(in crate::config) fn filled(self) -> Filled {
        Filled(self)
    }
}

/// A text that isn't empty.
pub(in crate::config) struct Filled(Text);

impl<T: FromStr + Display> Kind<T> for Filled {
    fn form(&self) -> String {
        Kind::<T>::form(&self.0)
    }

    fn read(&self, text: &str) -> Result<T, Wrong> {
        if text.trim().is_empty() { Err(Wrong) } else { self.0.read(text) }
    }

    fn write(&self, value: &T) -> String {
        self.0.write(value)
    }
}

/// As [`Text`], for a type whose parsing error is advice to the user.
pub(in crate::config) struct Advised(pub(in crate::config) &'static str);

impl<T: FromStr<Err: Display> + Display> Kind<T> for Advised {
    fn form(&self) -> String {
        Kind::<T>::form(&Text(self.0))
    }

    fn read(&self, text: &str) -> Result<T, Wrong> {
        Text(self.0).read(text)
    }

    fn write(&self, value: &T) -> String {
        Text(self.0).write(value)
    }

    fn hint(&self, wrong: &str) -> String {
        match wrong.parse::<T>().err().map(|error| error.to_string()) {
            Some(advice) if !advice.is_empty() => format!(" {advice}"),
            _ => String::new(),
        }
    }
}

/// A path. A relative one starts where the process was started.
pub(in crate::config) struct FilePath;

impl Kind<PathBuf> for FilePath {
    fn form(&self) -> String {
        "a file's path".into()
    }

    fn read(&self, text: &str) -> Result<PathBuf, Wrong> {
        if text.is_empty() || is_content(text) { Err(Wrong) } else { Ok(text.into()) }
    }

    fn write(&self, value: &PathBuf) -> String {
        quoted(&value.display().to_string())
    }

    fn hint(&self, wrong: &str) -> String {
        if is_content(wrong) {
            " This is the content of a file: write it to one, and name that".into()
        } else {
            String::new()
        }
    }
}

/// Returns true for what somebody gave in place of a path: PEM, JSON, or several lines.
fn is_content(text: &str) -> bool {
    text.starts_with('{') || text.contains("-----") || text.contains(char::is_control)
}
