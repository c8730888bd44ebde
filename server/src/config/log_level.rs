//! What is logged.

use std::{
    fmt::{self, Display},
    str::FromStr,
};

use tracing_subscriber::{EnvFilter, filter::ParseError};

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

impl FromStr for LogLevel {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        EnvFilter::try_new(text).map(|_| Self(text.into()))
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
    fn libraries_of_http_speak_when_they_are_named() {
        let directives = |level: &str| level.parse::<LogLevel>().unwrap().filter().to_string();
        for level in ["info", "trace"] {
            assert!(directives(level).contains("h2=error"), "{level}");
        }
        let named = directives("info,h2=debug");
        assert!(named.contains("h2=debug") && !named.contains("h2=error"), "{named}");
    }
}
