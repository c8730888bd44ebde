//! Background tasks that are started again when they die, and never die in silence.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    metrics::{BackgroundTask, Label as _, Metrics},
    readiness::Readiness,
};

/// Pause before a task is started again. It doubles with each failure, so that a task that always fails costs little.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Time that a task has to run before it counts as well again.
const PROBATION: Duration = Duration::from_secs(10);

/// Tasks that run until this is dropped or shut down. Each keeps its state outside its future, so that it can be started
/// again: every part of the server goes on as well as it can while one has failed.
///
/// A task that panics or returns is an error in the log, counts in `poke_task_failures_total`, and fails readiness until
/// it has run for ten seconds again.
pub(crate) struct Supervisor {
    tasks: JoinSet<()>,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

impl Supervisor {
    /// Without tasks.
    pub(crate) fn new(metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Self {
        Self { tasks: JoinSet::new(), metrics, readiness }
    }

    /// Starts a task. `run` makes a future that never ends by itself from a clone of `state`, and another one after each
    /// failure.
    pub(crate) fn spawn<S, F>(&mut self, task: BackgroundTask, state: S, run: impl Fn(S) -> F + Send + Sync + 'static)
    where
        S: Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let run = move || run(state.clone());
        self.tasks.spawn(supervise(task, run, Arc::clone(&self.metrics), Arc::clone(&self.readiness)));
    }

    /// Ends all tasks. What they held is released when this returns.
    pub(crate) async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }
}

async fn supervise<F>(
    task: BackgroundTask,
    run: impl Fn() -> F + Send + Sync + 'static,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    let mut has_failed = false;
    loop {
        // Within the task itself and not in one of its own, so that it ends with this one.
        let mut life = Box::pin(AssertUnwindSafe(async { run().await }).catch_unwind());
        let end = tokio::select! {
            end = &mut life => end,
            () = sleep(PROBATION), if has_failed => {
                readiness.recover(task).await;
                tracing::info!(task = task.name(), "a background task is well again");
                (has_failed, pause) = (false, FIRST_PAUSE);
                life.await
            }
        };
        metrics.task_failures.inc(task);
        let (task_name, cause) = (task.name(), cause(end));
        tracing::error!(
            task = task_name,
            cause,
            ?pause,
            "a background task has failed: it is started again after a pause"
        );
        if !std::mem::replace(&mut has_failed, true) {
            readiness.fail(task).await;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn cause(end: Result<(), Box<dyn Any + Send>>) -> String {
    match end {
        Ok(()) => "it ended by itself".into(),
        Err(panic) => {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("it panicked: {}", message.unwrap_or("no message"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use tokio::time::{Instant, advance};
    use tonic_health::server::HealthReporter;

    use super::*;

    async fn supervisor() -> (Supervisor, Arc<Metrics>, Arc<Readiness>) {
        let metrics = Arc::new(Metrics::new());
        let readiness = Arc::new(Readiness::new(HealthReporter::new()).await);
        (Supervisor::new(Arc::clone(&metrics), Arc::clone(&readiness)), metrics, readiness)
    }

    async fn until(condition: impl AsyncFn() -> bool) {
        while !condition().await {
            sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_or_returns_is_seen_and_started_again() {
        let (mut tasks, metrics, readiness) = supervisor().await;
        let lives = Arc::new(AtomicUsize::new(0));
        tasks.spawn(BackgroundTask::Retention, Arc::clone(&lives), |lives| {
            let life = lives.fetch_add(1, Relaxed);
            async move {
                match life {
                    0 => panic!("a bug"),
                    1 => {}
                    _ => pending().await,
                }
            }
        });
        tasks.spawn(BackgroundTask::StreamClock, (), |()| pending());
        until(async || !readiness.reasons().await.is_empty()).await;
        assert_eq!(readiness.reasons().await, "the background task retention has failed\n");
        until(async || lives.load(Relaxed) == 3).await;
        assert!(!readiness.reasons().await.is_empty(), "it may fail again at once");
        until(async || readiness.reasons().await.is_empty()).await;
        assert_eq!(metrics.task_failures.get(BackgroundTask::Retention), 2);
        assert_eq!(metrics.task_failures.total(), 2, "the others go on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_always_fails_is_tried_less_and_less_often_and_never_counts_as_well() {
        let (mut tasks, metrics, readiness) = supervisor().await;
        tasks.spawn(BackgroundTask::Memory, (), |()| async { panic!("a bug") });
        let start = Instant::now();
        until(async || metrics.task_failures.total() == 10).await;
        assert!(start.elapsed() >= Duration::from_secs(1 + 2 + 4 + 8 + 16 + 32 + 60 + 60));
        assert!(!readiness.reasons().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_task_holds_is_released_when_shutdown_returns() {
        let (mut tasks, ..) = supervisor().await;
        let held = Arc::new(());
        tasks.spawn(BackgroundTask::Accept, Arc::clone(&held), |held| async move {
            pending::<()>().await;
            drop(held);
        });
        advance(Duration::from_secs(1)).await;
        tasks.shutdown().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_recovers_makes_no_draining_server_ready() {
        let (_tasks, _, readiness) = supervisor().await;
        readiness.fail(BackgroundTask::Admin).await;
        readiness.drain().await;
        readiness.recover(BackgroundTask::Admin).await;
        assert_eq!(readiness.reasons().await, "draining\n");
    }
}
