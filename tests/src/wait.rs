//! Waiting for conditions.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long a condition may take. Nothing in a healthy run comes near it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits the future, and fails the test if that takes longer than [`PATIENCE`].
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

/// Asks again and again until the answer is `Some`, and fails the test after [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        // The pause between two questions to another process; the condition ends the wait.
        sleep(Duration::from_millis(20)).await;
    }
}
