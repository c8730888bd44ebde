//! The whole server: bound, run until a future says so, and drained.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use hyper::body::Incoming;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tonic::body::Body;
use tonic_health::server::HealthReporter;
use tower::ServiceExt as _;

use crate::{
    admin::{self, Readiness},
    backplane::{Backplane, Memory},
    config::{self, Address, Config},
    connection::{Acceptor, BindError, Connections, Listener},
    domain::Domains,
    limits::Limits,
    metrics::Metrics,
    routes,
    service::PokeService,
    stream::{self, Streams},
};

/// How long a unary call, or the reading of any request, takes at most: a slow phone on a bad network needs seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections to the operators' port: a few scrapers and people.
const ADMIN_CONNECTIONS: usize = 64;

/// A server that listens and isn't served yet.
pub struct Server {
    config: Config,
    listeners: Vec<Listener>,
    admin: Option<Listener>,
}

/// Everything that a drain has to reach.
struct Parts<B> {
    streams: Arc<Streams<B>>,
    connections: Arc<Connections>,
    metrics: Arc<Metrics>,
    readiness: watch::Sender<Readiness>,
    health: HealthReporter,
}

impl Server {
    /// Binds every address of the configuration.
    ///
    /// # Errors
    /// When one of them can't be bound.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for address in &config.listen.addresses {
            listeners.push(Listener::bind(address, config.listen.reuse_port).await?);
        }
        let admin = match &config.admin.listen {
            Some(address) => Some(Listener::bind(address, false).await?),
            None => None,
        };
        Ok(Self { config, listeners, admin })
    }

    /// Where clients connect, with the ports that the system chose.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.listeners.iter().map(Listener::address)
    }

    /// Where operators look.
    #[must_use]
    pub fn admin_address(&self) -> Option<&Address> {
        self.admin.as_ref().map(Listener::address)
    }

    /// Serves until `shutdown` is ready, then drains.
    ///
    /// # Errors
    /// When what is built in can't be read.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Self { config, listeners, admin } = self;
        let metrics = Arc::new(Metrics::new());
        let domains = Arc::new(domains(&config.domains));
        let backplane = Arc::new(Memory::new(config.registry));
        let window = backplane.window();
        let streams = Streams::new(Arc::clone(&backplane), stream_settings(&config), window, Arc::clone(&metrics));
        let connections = Arc::new(Connections::new(config.limits.connections, Arc::clone(&metrics)));
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<PokeService<Memory>>().await;
        let (readiness, ready) = watch::channel(Readiness::Ready);

        let mut always = JoinSet::new();
        always.spawn(Arc::clone(&streams).run());
        always.spawn(backplane.run(Arc::clone(&domains), Arc::clone(&metrics)));
        if let Some(listener) = admin {
            let limits = Limits { connections: ADMIN_CONNECTIONS, ..config.limits.clone() };
            // Counted apart: operators' connections aren't clients.
            let counts = Arc::new(Metrics::new());
            let table = Arc::new(Connections::new(limits.connections, Arc::clone(&counts)));
            let service = admin::service(Arc::clone(&metrics), ready);
            let acceptor = Acceptor::new(&limits, table, counts, service);
            always.spawn(async move { acceptor.run(&listener).await });
        }

        let pokes = PokeService::new(domains, Arc::clone(&streams), REQUEST_TIMEOUT);
        let front = routes::front(&config, pokes, health_service)?;
        let front = front.map_request(|request: http::Request<Incoming>| request.map(Body::new));
        let acceptor = Acceptor::new(&config.limits, Arc::clone(&connections), Arc::clone(&metrics), front);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let acceptor = acceptor.clone();
            accepting.spawn(async move { acceptor.run(&listener).await });
        }
        shutdown.await;
        Parts { streams, connections, metrics, readiness, health }.drain(&config.drain, accepting).await;
        Ok(())
    }
}

impl<B: Backplane> Parts<B> {
    /// Goes away: nothing new comes in, every client is asked to move, what is left is ended, and then cut.
    async fn drain(self, settings: &config::Drain, mut accepting: JoinSet<()>) {
        let deadline = Instant::now() + settings.deadline;
        tracing::info!(streams = self.streams.count(), connections = self.connections.count(), "draining");
        self.metrics.draining.set(1);
        self.health.set_not_serving::<PokeService<B>>().await;
        self.health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        // Nobody listens if there is no operators' port.
        let _ = self.readiness.send(Readiness::Draining);
        sleep(settings.grace).await;
        accepting.shutdown().await;
        self.connections.retire_all();
        self.streams.drain(stream::Drain {
            window: settings.window,
            // The last of the time is for the ends of the streams to reach their clients.
            closes_after: (deadline - Instant::now()).mul_f64(0.9),
        });
        let left = timeout_at(deadline, self.connections.gone()).await;
        if left.is_err() {
            tracing::warn!(connections = self.connections.count(), "cutting what has not left in time");
            self.connections.close_all();
        }
        tracing::info!("drained");
    }
}

fn domains(settings: &config::Domains) -> Domains {
    let named = Domains::configured(settings.named.iter().map(|(name, domain)| (name.as_str(), domain)));
    match &settings.others {
        Some(others) => named.with_others(others),
        None => named,
    }
}

fn stream_settings(config: &Config) -> stream::Settings {
    let stream = &config.stream;
    stream::Settings {
        heartbeat_interval: stream.heartbeat_interval,
        max_age: stream.max_age,
        max_age_jitter: stream.max_age_jitter,
        move_window: stream.move_timeout / 3,
        move_deadline: stream.move_timeout,
        stall_timeout: stream.stall_timeout,
        reconnect_spread: stream.reconnect_spread,
        reload_spread: stream.reload_spread,
        max_interests: stream.max_interests,
        replay_bytes: stream.replay_bytes,
        max_streams: config.limits.streams,
        max_streams_per_connection: config.limits.streams_per_connection,
        ..stream::Settings::default()
    }
}
