//! Going away: nothing new comes in, every client is asked to move, what is left is ended, and then cut.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use tonic::server::NamedService;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    admin::Readiness,
    backplane::Backplane,
    config::{self, Config},
    connection::Connections,
    metrics::Metrics,
    service::PokeService,
    stream::{self, Streams},
};

/// Everything that a drain has to reach, in the order in which it does.
pub(crate) struct Drain<B> {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: HealthReporter,
    pub(crate) readiness: watch::Sender<Readiness>,
    /// The tasks that accept connections. Each holds its listener.
    pub(crate) accepting: JoinSet<()>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) streams: Arc<Streams<B>>,
}

impl<B: Backplane> Drain<B> {
    /// Drains. Returns as soon as every client has left, and at the deadline whatever hangs.
    pub(crate) async fn run(mut self, config: &Config) {
        let deadline = Instant::now() + config.drain.deadline;
        tracing::info!(streams = self.streams.count(), connections = self.connections.count(), "draining");
        self.metrics.draining.set(1);
        // Who looks at either must not send clients here any more, before the first of them is turned away.
        self.health.set_not_serving::<PokeService<B>>().await;
        self.health.set_service_status("", ServingStatus::NotServing).await;
        // Nobody looks if there is no operators' port.
        let _ = self.readiness.send(Readiness::Draining);
        sleep(config.drain.grace).await;
        self.accepting.shutdown().await;
        // GOAWAY first: a client that is asked to move before it would come back on the same connection.
        self.connections.retire_all();
        let left = deadline.saturating_duration_since(Instant::now());
        self.streams.drain(moves(&config.drain, config.stream.move_timeout, left));
        if timeout_at(deadline, self.everyone_gone()).await.is_err() {
            tracing::warn!(connections = self.connections.count(), "cutting what has not left in time");
        }
        self.connections.close_all();
        self.connections.gone().await;
        tracing::info!("drained");
    }
}

impl<B: Backplane> Drain<B> {
    /// Waits until everyone has left, or what is left isn't worth waiting for.
    async fn everyone_gone(&mut self) {
        tokio::select! {
            () = self.connections.gone() => return,
            () = self.streams.gone() => {}
        }
        // Watches of health have said all that there is to say, and would go on for ever.
        self.health.clear_service_status(PokeService::<B>::NAME).await;
        self.health.clear_service_status("").await;
        let _ = timeout(FAREWELL, self.connections.gone()).await;
    }
}

/// How long a connection may still live when no stream is left: for the answers to the last calls.
const FAREWELL: Duration = Duration::from_secs(3);

/// Clients move within the window, and have `move_timeout` for it as ever; but half of what is `left` after the window is
/// kept for the ends of the streams to reach those who didn't.
fn moves(settings: &config::Drain, move_timeout: Duration, left: Duration) -> stream::Drain {
    let window = settings.window.min(left);
    stream::Drain { window, closes_after: window + move_timeout.min((left - window) / 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_close_between_the_window_and_the_deadline() {
        let secs = Duration::from_secs;
        let settings = config::Drain { grace: secs(0), window: secs(20), deadline: secs(28) };
        let closes_after = |move_timeout, left| moves(&settings, move_timeout, left).closes_after;
        assert_eq!(closes_after(secs(30), secs(28)), secs(24));
        assert_eq!(closes_after(secs(1), secs(28)), secs(21));
        assert_eq!(closes_after(secs(30), secs(20)), secs(20));
        assert_eq!(closes_after(secs(30), secs(5)), secs(5));
    }
}
