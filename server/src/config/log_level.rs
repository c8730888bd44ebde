//! What is logged.

use std::{
    fmt::{self, Display},
    str::FromStr,
};

use tracing_subscriber::EnvFilter;

/// The levels, and the word for nothing at all.
pub(super) const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Directives that come first; a later one of the same target takes their place.
const QUIET: &str = "h2=error,hyper=error,hyper_util=error";

/// A level such as `info`, or directives for single parts such as `info,poke_server::connection=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// As `tracing` takes it. What libraries of HTTP have to say below an error is left out unless it is asked for by
    /// name: clients can provoke it at will.
    #[must_use]
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::new(format!("{QUIET},{}", self.0))
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".into())
    }
}

/// A directive that says no level, with what stands in its place.
#[derive(Debug, thiserror::Error)]
#[error("not a level")]
pub struct NoLevel(pub(super) String);

impl FromStr for LogLevel {
    type Err = NoLevel;

    /// Stricter than `tracing`, to which any word is a part of the program, and which would be silent about the rest.
    fn from_str(text: &str) -> Result<Self, NoLevel> {
        for directive in text.split(',') {
            let (part, level) = directive.split_once('=').unwrap_or(("all", directive));
            let is_known = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
            let is_path = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'-'));
            if !is_known || !is_path || part.is_empty() {
                return Err(NoLevel(level.into()));
            }
        }
        Ok(Self(text.into()))
    }
}

impl Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

    use super::*;

    #[test]
    fn every_directive_says_a_level() {
        for right in ["info", "OFF", "info,poke_server::connection=debug", "h2=trace", "warn,a=off,b-c=error"] {
            assert!(right.parse::<LogLevel>().is_ok(), "{right}");
        }
        for wrong in
            ["", "debugg", "info,h2=debugg", "info,h2", "h2=", "=info", "info,", "3", "info,[span]=debug", "a=b=info"]
        {
            assert!(wrong.parse::<LogLevel>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn libraries_of_http_speak_when_they_are_named() {
        let directives = |level: &str| level.parse::<LogLevel>().unwrap().filter().to_string();
        for level in ["info", "trace"] {
            assert!(directives(level).contains("h2=error"), "{level}");
        }
        let named = directives("info,h2=debug");
        assert!(named.contains("h2=debug") && !named.contains("h2=error"), "{named}");
    }
}
