//! The whole server: bound, run until a future says so, and drained.

use std::{error::Error, future::Future, sync::Arc};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    admin::{self, Readiness},
    backplane::Memory,
    config::{self, Address, Config},
    connection::{Acceptor, BindError, Connections, Listener},
    domain::Domains,
    drain::Drain,
    limits::Limits,
    metrics::Metrics,
    routes,
    service::PokeService,
    stream::Streams,
};

/// Connections to the operators' port: a few scrapers and people.
const ADMIN_CONNECTIONS: usize = 64;

/// A server that listens and isn't served yet.
pub struct Server {
    config: Config,
    listeners: Vec<Listener>,
    admin: Option<Listener>,
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
        let streams = Streams::new(Arc::clone(&backplane), config.stream, window, Arc::clone(&metrics));
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

        let pokes = PokeService::new(domains, Arc::clone(&streams), config.limits.request_timeout);
        let front = routes::front(&config, pokes, health_service)?;
        let acceptor = Acceptor::new(&config.limits, Arc::clone(&connections), Arc::clone(&metrics), front);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let acceptor = acceptor.clone();
            accepting.spawn(async move { acceptor.run(&listener).await });
        }
        shutdown.await;
        Drain { metrics, health, readiness, accepting, connections, streams }.run(&config).await;
        Ok(())
    }
}

fn domains(settings: &config::Domains) -> Domains {
    let named = Domains::configured(settings.named.iter().map(|(name, domain)| (name.as_str(), domain)));
    match &settings.others {
        Some(others) => named.with_others(others),
        None => named,
    }
}
