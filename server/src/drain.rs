//! Going away: nothing new comes in, every client is asked to move, what is left is ended, and then cut.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{
    admin::port::AdminPort,
    backplane::Backplane,
    config::{self, Config},
    connection::Connections,
    metrics::Metrics,
    readiness::Readiness,
    stream::{self, Streams},
    supervisor::Supervisor,
};

/// Everything that a drain has to reach, in the order in which it does.
pub(crate) struct Drain<B> {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) admin: Option<AdminPort>,
    /// The tasks that accept connections. They hold the listeners.
    pub(crate) accepting: Supervisor,
    pub(crate) connections: Arc<Connections>,
    pub(crate) streams: Arc<Streams<B>>,
}

impl<B: Backplane> Drain<B> {
    /// Drains. Returns as soon as every client has left, and at the deadline whatever hangs.
    pub(crate) async fn run(mut self, config: &Config) {
        let deadline = Instant::now() + config.drain.deadline;
        tracing::info!(streams = self.streams.count(), connections = self.connections.count(), "draining");
        self.metrics.draining.set(1);
        // Load balancers must not send clients here any more, before the first of them is refused.
        self.readiness.drain().await;
        sleep(config.drain.grace).await;
        // The admin port first: a successor that gets the main address finds it free.
        if let Some(admin) = &mut self.admin {
            admin.leave().await;
        }
        self.accepting.shutdown().await;
        // GOAWAY first: a client that is asked to move before it would come back on the same connection.
        self.connections.retire_all();
        let left = deadline.saturating_duration_since(Instant::now());
        self.streams.drain(moves(&config.drain, config.stream.move_timeout, self.streams.count(), left));
        if timeout_at(deadline, self.everyone_gone()).await.is_err() {
            tracing::warn!(connections = self.connections.count(), "cutting what has not left in time");
        }
        self.connections.close_all();
        self.connections.gone().await;
        tracing::info!("drained");
    }

    /// Waits until everyone has left, or what is left isn't worth waiting for.
    async fn everyone_gone(&mut self) {
        tokio::select! {
            () = self.connections.gone() => return,
            () = self.streams.gone() => {}
        }
        self.readiness.end_watches().await;
        let _ = timeout(FAREWELL, self.connections.gone()).await;
    }
}

/// How long a connection may still live when no stream is left: for the answers to the last calls.
const FAREWELL: Duration = Duration::from_secs(3);

/// Shortest time over which clients' moves are spread: a successor takes the address over in a small part of it.
const SHORTEST_WINDOW: Duration = Duration::from_millis(500);

/// Longest time that a client has for opening its new stream: with TLS that takes four round trips, so 3 s is long for a
/// phone. Nobody can publish here any more, so a stream that stays longer is of no use.
const MOVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns how `streams` streams move. The window in which they are asked to follows their number. Then each has
/// `move_timeout` at most; but half of the time that is `left` after the window is kept for the ends of the streams to
/// reach the clients that didn't move.
fn moves(settings: &config::Drain, move_timeout: Duration, streams: usize, left: Duration) -> stream::Drain {
    let at_rate = Duration::from_secs(1).saturating_mul(u32::try_from(streams).unwrap_or(u32::MAX))
        / u32::try_from(settings.rate).unwrap_or(u32::MAX);
    let window = at_rate.max(SHORTEST_WINDOW).min(settings.window).min(left);
    stream::Drain { window, closes_after: window + move_timeout.min(MOVE_TIMEOUT).min((left - window) / 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: config::Drain = config::Drain {
        grace: Duration::ZERO,
        rate: 1000,
        window: Duration::from_secs(20),
        deadline: Duration::from_secs(28),
    };

    #[test]
    fn the_window_follows_the_number_of_streams() {
        let window = |streams| moves(&SETTINGS, Duration::from_secs(30), streams, SETTINGS.deadline).window.as_millis();
        assert_eq!([0, 1, 500, 5_000, 20_000, usize::MAX].map(window), [500, 500, 500, 5_000, 20_000, 20_000]);
        let none = config::Drain { window: Duration::ZERO, ..SETTINGS };
        assert_eq!(moves(&none, Duration::from_secs(30), 1, SETTINGS.deadline).window, Duration::ZERO);
    }

    #[test]
    fn streams_close_between_the_window_and_the_deadline() {
        let closes_after = |streams, move_timeout, left| {
            moves(&SETTINGS, Duration::from_secs(move_timeout), streams, Duration::from_secs(left))
                .closes_after
                .as_millis()
        };
        assert_eq!(closes_after(1, 30, 28), 3_500);
        assert_eq!(closes_after(1, 1, 28), 1_500);
        assert_eq!(closes_after(100_000, 30, 28), 23_000);
        assert_eq!(closes_after(100_000, 30, 24), 22_000);
        assert_eq!(closes_after(100_000, 30, 20), 20_000);
        assert_eq!(closes_after(100_000, 30, 5), 5_000);
    }
}
