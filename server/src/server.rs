//! The whole server: bound, run until a future says so, and drained.

use std::{convert::Infallible, error::Error, future::Future, sync::Arc};

use http::{Request, Response};
use tokio::sync::{Mutex, watch};
use tonic::{body::Body, server::NamedService, service::Routes};
use tower::Service;

use crate::{
    admin::{
        self,
        port::{AdminAddress, AdminPort, Serve},
    },
    backplane::Memory,
    changes::Changes,
    config::{Address, Config, Source},
    connection::{
        Acceptor, BindError, Connections, Listener,
        tls::{Flaws, Tls},
    },
    console::{Console, Viewers},
    drain::Drain,
    hosts::LocalNames,
    limits::{self, Limits},
    metrics::{BackgroundTask, Metrics},
    readiness::Readiness,
    reload::Reload,
    routes,
    service::PokeService,
    stream::Streams,
    supervisor::Supervisor,
};

/// Connections to the operators' port: a few scrapers and people.
const ADMIN_CONNECTIONS: usize = 64;

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The files of TLS can't be used any more.
    #[error(transparent)]
    Tls(#[from] Flaws),
}

/// A server that listens and isn't served yet.
pub struct Server {
    config: Config,
    metrics: Arc<Metrics>,
    tls: Option<Arc<Tls>>,
    listeners: Vec<Listener>,
    admin: Option<AdminAddress>,
    /// Whether clients over TCP must call it by a name of this machine.
    local_names: bool,
    /// What is served beside the product.
    others: Routes,
    /// What the configuration is read from again.
    source: Option<Source>,
}

impl Server {
    /// Binds the addresses of the configuration, and reads its certificate. If another process has them, waits for the
    /// main ones for `listen.wait`, and takes that of the admin port later, when it is free.
    ///
    /// # Errors
    /// When one of them can't be bound or read.
    pub async fn bind(config: Config, metrics: Arc<Metrics>) -> Result<Self, StartError> {
        let tls = Tls::new(&config.tls, Arc::clone(&metrics))?.map(Arc::new);
        let listeners = Listener::bind_all(&config.listen.addresses, config.listen.wait).await?;
        let admin = match &config.admin.listen {
            Some(address) => Some(AdminAddress::bind(address, config.listen.wait).await?),
            None => None,
        };
        Ok(Self { config, metrics, tls, listeners, admin, local_names: false, others: Routes::default(), source: None })
    }

    /// Refuses clients over TCP who call it by any other name than `localhost` or a loopback address: what is open to its
    /// machine mustn't be to every web page that is looked at there.
    #[must_use]
    pub fn with_local_names_only(self) -> Self {
        Self { local_names: true, ..self }
    }

    /// Serves another service of tonic's as well, behind all that stands before the product's own: suites that judge a
    /// server bring one.
    #[must_use]
    pub fn with_service<S>(self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self { others: routes::add(self.others, service), ..self }
    }

    /// Reads the configuration again while it runs.
    #[must_use]
    pub fn with_source(self, source: Option<Source>) -> Self {
        Self { source, ..self }
    }

    /// Where clients connect, with the ports that the system chose.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.listeners.iter().map(Listener::address)
    }

    /// Whether the console is served.
    #[must_use]
    pub fn has_console(&self) -> bool {
        self.config.console.enabled
    }

    /// Whether clients over TCP must speak TLS.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Where operators look.
    #[must_use]
    pub fn admin_address(&self) -> Option<&Address> {
        self.admin.as_ref().map(|admin| &admin.address)
    }

    /// Returns true if the admin port's address is bound, and not still another process's.
    #[must_use]
    pub fn has_admin_address(&self) -> bool {
        self.admin.as_ref().is_some_and(|admin| admin.listener.is_some())
    }

    /// Serves until `shutdown` is ready, then drains. When `reload` says so, what can be replaced while it runs is read
    /// again: the certificate, and the configuration if its source is known.
    ///
    /// # Errors
    /// When what is built in can't be read.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()>,
        reload: watch::Receiver<()>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Self { config, metrics, tls, listeners, admin, local_names, others, source } = self;
        let domains = Arc::new(config.open_domains());
        let auth = Arc::new(config.open_auth());
        let backplane = Arc::new(Memory::new(config.registry));
        let window = backplane.window();
        let streams = Streams::new(Arc::clone(&backplane), config.stream, window, Arc::clone(&metrics));
        let memory = Arc::new(limits::Memory::new(config.limits.memory, Arc::clone(&metrics)));
        let connections = Connections::new(config.limits.connections, Arc::clone(&metrics))
            .with_limit_per_address(config.limits.connections_per_address)
            .with_memory(Arc::clone(&memory));
        let connections = Arc::new(connections);
        let (health, health_service) = tonic_health::server::health_reporter();
        let readiness = Arc::new(Readiness::new(health).await);
        let supervisor = || Supervisor::new(Arc::clone(&metrics), Arc::clone(&readiness));

        let mut always = supervisor();
        always.spawn(BackgroundTask::StreamClock, Arc::clone(&streams), Streams::run);
        let state = (Arc::clone(&auth), Arc::clone(&metrics));
        always.spawn(BackgroundTask::IssuerKeys, state, |(auth, metrics)| auth.run(metrics));
        always.spawn(BackgroundTask::Memory, Arc::clone(&memory), limits::Memory::run);
        let state = (backplane, Arc::clone(&domains), Arc::clone(&metrics));
        always.spawn(BackgroundTask::Retention, state, |(backplane, domains, metrics)| backplane.run(domains, metrics));
        if let Some(source) = source {
            let changes = Changes::new(source.fingerprint());
            let (config, domains, auth, streams) =
                (config.clone(), Arc::clone(&domains), Arc::clone(&auth), Arc::clone(&streams));
            // What it knows outlives a failure, so that a file on which it failed is still new.
            let known = Arc::new(Mutex::new(Reload { source, config, domains, auth, streams, changes }));
            let state = (known, reload.clone());
            always.spawn(BackgroundTask::ConfigReload, state, |(known, reload)| async move {
                known.lock().await.run(reload).await;
            });
        }
        if let Some(tls) = tls.clone() {
            always.spawn(BackgroundTask::TlsReload, (tls, reload), |(tls, reload)| tls.run(reload));
        }
        let admin = admin.map(|address| {
            let limits = Limits { connections: ADMIN_CONNECTIONS, ..config.limits.clone() };
            // Counted apart: operators' connections aren't clients.
            let counts = Arc::new(Metrics::new());
            let table = Arc::new(Connections::new(limits.connections, Arc::clone(&counts)));
            let (metrics, readiness) = (Arc::clone(&metrics), Arc::clone(&readiness));
            let service = admin::service(metrics, readiness, Arc::clone(&auth), Arc::clone(&streams));
            let acceptor = Arc::new(Acceptor::new(&limits, table, counts, service));
            let serve: Serve = Arc::new(move |listener| {
                let acceptor = Arc::clone(&acceptor);
                Box::pin(async move { acceptor.run(&listener).await })
            });
            AdminPort::open(address, serve, supervisor())
        });

        let console = config.console.enabled.then(|| {
            // A server that is called by its machine's own names alone is for whoever is on it.
            let viewers = if local_names { Viewers::Anyone } else { Viewers::Admins };
            let (domains, auth) = (Arc::clone(&domains), Arc::clone(&auth));
            Console::new(&config, viewers, domains, auth, Arc::clone(&streams), Arc::clone(&memory))
        });
        let pokes = PokeService::new(domains, auth, Arc::clone(&streams), &config.limits, memory);
        let front = routes::front(&config, pokes, health_service, others, console)?;
        let mut accepting = supervisor();
        for listener in listeners {
            // No page reaches a UNIX socket, and its clients have no name to call it by.
            let front = LocalNames::new(front.clone(), local_names && matches!(listener.address(), Address::Tcp(_)));
            let acceptor = Acceptor::new(&config.limits, Arc::clone(&connections), Arc::clone(&metrics), front);
            let state = (Arc::new(acceptor.with_tls(tls.clone())), Arc::new(listener));
            accepting.spawn(BackgroundTask::Accept, state, |(acceptor, listener)| async move {
                acceptor.run(&listener).await;
            });
        }
        shutdown.await;
        Drain { metrics, readiness, admin, accepting, connections, streams }.run(&config).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::{net::SocketAddr, time::Duration};

    use bytes::Bytes;
    use http::Request;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        task::JoinHandle,
        time::{Instant, timeout},
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config;

    /// A server of a test, embedded as a library.
    struct Embedded {
        address: SocketAddr,
        admin: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<Result<(), Box<dyn Error + Send + Sync>>>,
    }

    impl Embedded {
        async fn start(drain: config::Drain) -> Self {
            let mut config = Config { drain, ..Config::dev() };
            config.listen.addresses = vec!["127.0.0.1:0".parse().unwrap()];
            config.admin.listen = Some("127.0.0.1:0".parse().unwrap());
            let server = Server::bind(config, Arc::new(Metrics::new())).await.unwrap();
            let address = tcp(server.addresses().next().unwrap());
            let admin = tcp(server.admin_address().unwrap());
            let stop = CancellationToken::new();
            let task = tokio::spawn(server.run(stop.clone().cancelled_owned(), watch::channel(()).1));
            Self { address, admin, stop, task }
        }

        /// The first line of what the operators' port answers.
        async fn admin(&self, path: &str) -> String {
            let mut socket = TcpStream::connect(self.admin).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            answer.lines().next().unwrap_or_default().to_owned()
        }

        /// Watches the server's health: a stream that nobody asks to move, and that never ends by itself.
        async fn watch(&self) -> h2::RecvStream {
            let answer = self.call("grpc.health.v1.Health/Watch", Bytes::from_static(&[0; 5]), true).await;
            answer.await.unwrap().into_body()
        }

        /// Calls a method on a connection of its own, with this much of a body.
        async fn call(&self, method: &str, body: Bytes, is_whole: bool) -> h2::client::ResponseFuture {
            let socket = TcpStream::connect(self.address).await.unwrap();
            let (mut send, connection) = h2::client::handshake(socket).await.unwrap();
            let uri = format!("http://{}/{method}", self.address);
            let request = Request::post(uri).header("content-type", "application/grpc").body(()).unwrap();
            let (answer, mut stream) = send.send_request(request, false).unwrap();
            stream.send_data(body, is_whole).unwrap();
            // What is dropped before its end would be reset.
            tokio::spawn(async move { (connection.await, stream) });
            answer
        }
    }

    fn tcp(address: &Address) -> SocketAddr {
        match address {
            Address::Tcp(address) => *address,
            Address::Unix(_) => unreachable!("it listens on TCP"),
        }
    }

    /// The status in a `HealthCheckResponse`, in its envelope.
    async fn status(watch: &mut h2::RecvStream) -> u8 {
        let message = timeout(Duration::from_secs(20), watch.data()).await.unwrap().unwrap().unwrap();
        *message.last().unwrap()
    }

    #[tokio::test]
    async fn in_development_it_answers_to_names_of_this_machine_alone() {
        let folder = std::env::temp_dir().join(format!("poke-names-{}", std::process::id()));
        let mut config = Config::dev();
        config.admin.listen = None;
        config.listen.addresses = vec!["127.0.0.1:0".parse().unwrap(), Address::Unix(folder.clone())];
        let server = Server::bind(config, Arc::new(Metrics::new())).await.unwrap().with_local_names_only();
        let address = tcp(server.addresses().next().unwrap());
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.run(stop.clone().cancelled_owned(), watch::channel(()).1));
        let request = |host: &str| {
            let body = r#"{"domain":"PLAYLIST","filter":"f"}"#;
            format!(
                "POST /poke.v1.PokeService/Publish HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        };
        for (host, accepted) in
            [("localhost", true), ("[::1]:1", true), ("rebind.evil.example", false), ("evil.example:80", false)]
        {
            let mut answer = String::new();
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(request(host).as_bytes()).await.unwrap();
            socket.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer.starts_with("HTTP/1.1 200"), accepted, "{host}: {answer}");
            assert_eq!(answer.contains("localhost or by a loopback address"), !accepted, "{host}: {answer}");
            // A process that has the socket is of this machine, whatever it says.
            let mut answer = String::new();
            let mut socket = tokio::net::UnixStream::connect(&folder).await.unwrap();
            socket.write_all(request(host).as_bytes()).await.unwrap();
            socket.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        }
        stop.cancel();
        task.await.unwrap().unwrap();
    }

    const SERVING: u8 = 1;
    const NOT_SERVING: u8 = 2;

    #[tokio::test]
    async fn health_and_readiness_go_off_before_the_listener_closes() {
        let grace = Duration::from_secs(2);
        let window = Duration::ZERO;
        let server = Embedded::start(config::Drain {
            grace,
            window,
            deadline: Duration::from_secs(20),
            ..config::Drain::default()
        })
        .await;
        let mut watch = server.watch().await;
        assert_eq!(status(&mut watch).await, SERVING);
        assert_eq!(server.admin("/readyz").await, "HTTP/1.1 200 OK");

        let told = Instant::now();
        server.stop.cancel();
        assert_eq!(status(&mut watch).await, NOT_SERVING);
        assert_eq!(server.admin("/readyz").await, "HTTP/1.1 503 Service Unavailable");
        assert_eq!(server.admin("/healthz").await, "HTTP/1.1 200 OK");
        // Within its grace it still takes whom a load balancer sends.
        assert_eq!(status(&mut server.watch().await).await, NOT_SERVING);
        drop(watch);
        let address = server.address;
        server.task.await.unwrap().unwrap();
        assert!(told.elapsed() >= grace);
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn who_only_watches_health_holds_up_no_drain() {
        let deadline = Duration::from_secs(60);
        let server =
            Embedded::start(config::Drain { window: Duration::ZERO, deadline, ..config::Drain::default() }).await;
        let mut watch = server.watch().await;
        assert_eq!(status(&mut watch).await, SERVING);
        server.stop.cancel();
        assert_eq!(status(&mut watch).await, NOT_SERVING);
        assert!(watch.data().await.is_none());
        assert_eq!(watch.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        timeout(Duration::from_secs(20), server.task).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_hangs_is_cut() {
        for (window, deadline) in [(0, 1), (0, 60)] {
            let [window, deadline] = [window, deadline].map(Duration::from_secs);
            let server = Embedded::start(config::Drain { window, deadline, ..config::Drain::default() }).await;
            let mut answer =
                server.call("poke.v1.PokeService/Publish", Bytes::from_static(&[0, 0, 0, 0, 99]), false).await;
            server.stop.cancel();
            timeout(Duration::from_secs(20), server.task).await.unwrap().unwrap().unwrap();
            assert!((&mut answer).await.is_err());
        }
    }
}
