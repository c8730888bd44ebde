//! The log: set up once, and bounded where outsiders could fill it.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use tokio::time::Instant;

use crate::config::{Log, LogFormat};

/// Starts logging to standard error: human lines, with colours on a terminal, or one JSON object a line. Call it once.
pub fn start(settings: &Log) {
    let is_terminal = io::stderr().is_terminal();
    let is_human = settings.format == LogFormat::Human || (settings.format == LogFormat::Auto && is_terminal);
    let log = tracing_subscriber::fmt().with_env_filter(settings.level.filter()).with_writer(io::stderr);
    if is_human {
        log.with_target(false).with_ansi(is_terminal).init();
    } else {
        log.json().flatten_event(true).init();
    }
}

/// Lets a recurring complaint through once a second, and counts the rest.
#[derive(Debug, Default)]
pub struct Seldom {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// Whether to complain now: then how often it wasn't done since the last time.
    pub fn speak(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now < last + Duration::from_secs(1)) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_complaint_a_second_says_how_many_were_swallowed() {
        let mut seldom = Seldom::default();
        assert_eq!(seldom.speak(), Some(0));
        assert_eq!([seldom.speak(), seldom.speak()], [None, None]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(seldom.speak(), Some(2));
        advance(Duration::from_secs(9)).await;
        assert_eq!(seldom.speak(), Some(0));
    }
}
