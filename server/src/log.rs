//! The log: set up once, bounded where outsiders could fill it, and never in the way of what it tells about.

mod queue;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use queue::LineQueue;
use tokio::time::Instant;

use crate::{
    config::{Log, LogFormat},
    metrics::{BackgroundTask, Metrics},
};

/// Longest wait for the last lines to be written when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The running log. Dropping it writes what is queued; what is logged afterwards is dropped.
#[must_use = "dropping it ends the log"]
pub struct Running(Arc<LineQueue>);

/// Starts logging to standard error: human lines, with colours on a terminal, or one JSON object a line. A thread of its
/// own writes, so that nothing else ever waits for the log's reader or fails with it. Panics are logged as errors.
/// Call it once.
///
/// # Errors
/// When the system gives no thread.
pub fn start(settings: &Log, metrics: &Arc<Metrics>) -> io::Result<Running> {
    let is_terminal = io::stderr().is_terminal();
    let is_human = settings.format == LogFormat::Human || (settings.format == LogFormat::Auto && is_terminal);
    let queue = Arc::new(LineQueue::new(settings.buffer, Arc::clone(metrics)));
    let log = tracing_subscriber::fmt()
        .with_env_filter(settings.level.filter())
        .with_writer(Arc::clone(&queue))
        // It would print its own errors to standard error, and panic if that fails.
        .log_internal_errors(false);
    if is_human {
        log.with_target(false).with_ansi(is_terminal).init();
    } else {
        log.json().flatten_event(true).init();
    }
    log_panics(Arc::clone(metrics));
    let (lines, metrics) = (Arc::clone(&queue), Arc::clone(metrics));
    thread::Builder::new().name("log".into()).spawn(move || {
        // It has no state that a panic could leave half changed.
        while catch_unwind(AssertUnwindSafe(|| lines.write_all_to(&mut io::stderr()))).is_err() {
            metrics.task_failures.inc(BackgroundTask::Log);
        }
    })?;
    Ok(Running(queue))
}

impl Running {
    /// Writes text that isn't a line of the log, such as the reason why the process ends.
    pub fn write(&self, text: &str) {
        self.0.push(text.as_bytes());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.close(FLUSH_TIMEOUT);
    }
}

/// Has each panic logged as an error. The standard hook writes to standard error itself, and waits if that is full.
fn log_panics(metrics: Arc<Metrics>) {
    panic::set_hook(Box::new(move |panic| {
        metrics.panics.inc();
        let message = panic.payload_as_str().unwrap_or("no message").replace('\n', " ");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
        tracing::error!(backtrace, "panicked at {place}: {message}");
    }));
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
