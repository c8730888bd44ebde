//! Proxies that put the calls of many clients on few connections: HAProxy and Envoy, HTTP/2 on both sides.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use poke_client::{Client, Event, Interest, Publish, Subscription};
use poke_tests::{Config, Server, eventually, tools::envoy, within};
use tokio::task::JoinSet;

/// More than two connections take by default.
const SUBSCRIBERS: usize = 260;
const PUBLISHERS: usize = 20;

/// A running proxy. Dropping it ends it.
struct Proxy {
    child: Child,
    socket: PathBuf,
}

impl Proxy {
    /// Starts `command`, whose last argument is a file of this name with this configuration. It listens on `front.sock` in
    /// the server's folder.
    async fn start(server: &Server, mut command: Command, name: &str, configuration: &str) -> Self {
        let file = server.folder().join(name);
        fs::write(&file, configuration).unwrap();
        let child = command.arg(file).stdin(Stdio::null()).spawn().expect("the proxy can be started");
        let proxy = Self { child, socket: socket(server) };
        eventually("the proxy to listen", async || UnixStream::connect(&proxy.socket).ok()).await;
        proxy
    }

    fn client(&self) -> Client {
        Client::builder(format!("unix:{}", self.socket.display())).build().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both can fail only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket(server: &Server) -> PathBuf {
    server.folder().join("front.sock")
}

/// HAProxy, whose clients share connections from their first call on, with as many streams as the server allows: by its own
/// default it would stop at 100. It demands the timeouts, which are those of its examples.
async fn haproxy(server: &Server) -> Proxy {
    let (socket, address) = (socket(server), server.address());
    let configuration = format!(
        "global\n  tune.h2.max-concurrent-streams 1000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend clients\n  bind unix@{} proto h2\n  default_backend poke\n\
         backend poke\n  http-reuse always\n  server poke {address} proto h2\n",
        socket.display()
    );
    let mut command = Command::new("haproxy");
    command.args(["-q", "-db", "-f"]);
    Proxy::start(server, command, "haproxy.cfg", &configuration).await
}

/// Envoy with its own defaults, but for the route's timeout, which would end each stream after 15 s.
async fn envoy_before(server: &Server) -> Proxy {
    let configuration = envoy_configuration(&socket(server), server.address().port());
    let mut command = envoy();
    command.args(["--use-dynamic-base-id", "--log-level", "error", "--config-path"]);
    Proxy::start(server, command, "envoy.yaml", &configuration).await
}

fn envoy_configuration(socket: &Path, port: u16) -> String {
    const TEMPLATE: &str = include_str!("envoy.yaml");
    let socket = socket.to_str().expect("the folder's name is ASCII");
    TEMPLATE.replace("SOCKET", socket).replace("PORT", &port.to_string())
}

async fn next(pokes: &mut Subscription) -> Event {
    within("an event", pokes.next()).await.expect("the subscription goes on").expect("no final error")
}

async fn next_poke(pokes: &mut Subscription) -> String {
    loop {
        match next(pokes).await {
            Event::Poke(poke) => return poke.text().expect("a string"),
            Event::Gap(gap) => panic!("{gap:?}"),
            _ => {}
        }
    }
}

/// Each subscriber is a client with a connection of its own to the proxy.
async fn carries_many_subscribers_and_calls_beside_them(server: &Server, proxy: &Proxy) {
    let clients: Vec<_> = (0..SUBSCRIBERS).map(|_| proxy.client()).collect();
    let interest = Interest::new("PLAYLIST", "behind a proxy");
    let mut subscriptions: Vec<_> = clients.iter().map(|client| client.subscribe([interest.clone()])).collect();
    for pokes in &mut subscriptions {
        while !matches!(next(pokes).await, Event::Live(_)) {}
    }
    let mut publishing = JoinSet::new();
    for n in 0..PUBLISHERS {
        let client = proxy.client();
        publishing.spawn(async move {
            let publish = Publish::new("PLAYLIST", format!("beside {n}")).data("unary");
            client.publish(publish).await.expect("a call finds a connection with room");
        });
    }
    within("the publishers", publishing.join_all()).await;
    let sender = proxy.client();
    sender.publish(Publish::new("PLAYLIST", "behind a proxy").data("to all")).await.unwrap();
    for pokes in &mut subscriptions {
        assert_eq!(next_poke(pokes).await, "to all");
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("poke_streams_open"), SUBSCRIBERS as f64);
    let connections = metrics.sum("poke_connections_open");
    assert!((3.0..SUBSCRIBERS as f64).contains(&connections), "the proxy shares connections: {connections}");
    println!("figure: {connections} connections, {} streams refused", metrics.sum("poke_requests_refused_total"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs HAProxy: tests/run foreign"]
async fn behind_haproxy_more_clients_than_a_connection_takes_are_live() {
    let server = Server::start(Config::new()).await;
    let proxy = haproxy(&server).await;
    carries_many_subscribers_and_calls_beside_them(&server, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Envoy: tests/run foreign"]
async fn behind_envoy_more_clients_than_a_connection_takes_are_live() {
    let server = Server::start(Config::new()).await;
    let proxy = envoy_before(&server).await;
    carries_many_subscribers_and_calls_beside_them(&server, &proxy).await;
}
