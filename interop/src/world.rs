//! What is around a client: the server, the network to it, or a scripted peer.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use poke_tests::{
    Config, Data, Proxy, Publisher, Server, eventually,
    token::{Issuer, seconds},
    v1::{Audience, EndInterestRequest, PublishRequest},
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle, time::Duration};

use crate::{
    case::{Case, Fate, Fault, Setup, Via},
    peer::Peer,
    play::Failure,
};

/// The world of one cell.
pub(crate) struct World {
    config: Config,
    issuer: Option<Issuer>,
    server: Option<Server>,
    /// Those that have been replaced, and still leave.
    leaving: Vec<Server>,
    /// The path of its UNIX socket, if the case has one.
    socket: Option<PathBuf>,
    proxy: Option<Proxy>,
    peer: Option<Peer>,
    publisher: Option<Publisher>,
    traffic: Option<(oneshot::Sender<()>, JoinHandle<i64>)>,
    last_number: Option<i64>,
}

impl World {
    /// Starts what the case needs.
    pub(crate) async fn start(case: &Case) -> Self {
        let issuer = case.server.issuer.then(|| Issuer::new("app"));
        let socket = (case.via == Via::Socket).then(new_socket);
        let config = config(&case.server, issuer.as_ref());
        let config = match &socket {
            Some(path) => config.listen(format_args!("127.0.0.1:0,unix:{}", path.display())),
            None => config,
        };
        let (mut server, mut proxy, mut peer) = (None, None, None);
        if case.via == Via::Peer {
            peer = Some(Peer::start(case.peer.clone()).await);
        } else {
            let started = Server::start(config.clone()).await;
            if case.via == Via::Proxy {
                proxy = Some(Proxy::start(started.address()).await);
            }
            server = Some(started);
        }
        let (leaving, publisher, traffic, last_number) = (Vec::new(), None, None, None);
        Self { config, issuer, server, leaving, socket, proxy, peer, publisher, traffic, last_number }
    }

    /// Where a client connects.
    pub(crate) fn url(&self, via: Via) -> String {
        match via {
            Via::Server => self.server().url(),
            Via::Proxy => self.proxy.as_ref().expect("the case has a proxy").url(),
            Via::Socket => format!("unix:{}", self.socket.as_ref().expect("the case has a socket").display()),
            Via::Peer => self.peer().url(),
            // The port that nobody may listen on without being asked to.
            Via::Nowhere => "http://127.0.0.1:1".into(),
        }
    }

    /// A token of the case's issuer. `life` is in seconds; the other claims are as they are. Text is a token itself.
    pub(crate) fn token(&self, claims: &Value) -> String {
        if let Some(token) = claims.as_str() {
            return token.into();
        }
        let mut claims = claims.clone();
        if let Some(life) = claims.as_object_mut().and_then(|claims| claims.remove("life")) {
            claims["exp"] = json!(seconds().saturating_add_signed(life.as_i64().expect("seconds")));
        }
        self.issuer.as_ref().expect("the case has an issuer").token_with(claims)
    }

    pub(crate) fn peer(&self) -> &Peer {
        self.peer.as_ref().expect("the case has a peer")
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("the case has a server that runs")
    }

    /// Publishes as a back end does that shares nothing with the client. `numbers` publishes each of a range,
    /// with a text of `pad` bytes beside it.
    pub(crate) async fn publish(&mut self, fields: &Value) -> Result<(), Failure> {
        let Some(range) = fields.get("numbers").and_then(Value::as_array) else {
            return self.publish_one(fields).await;
        };
        let bounds: Vec<_> = range.iter().filter_map(Value::as_i64).collect();
        for number in bounds[0]..=bounds[1] {
            let mut fields = fields.clone();
            fields["data"] = match fields.get("pad").and_then(Value::as_u64) {
                Some(bytes) => json!([number, "x".repeat(usize::try_from(bytes).unwrap_or_default())]),
                None => json!(number),
            };
            self.publish_one(&fields).await?;
        }
        Ok(())
    }

    async fn publish_one(&mut self, fields: &Value) -> Result<(), Failure> {
        let (domain, filter, data, customer_id) = letter(fields)?;
        let audience = audience(&customer_id);
        let request = PublishRequest { domain, filter, data, audience, customer_id, idempotency_key: String::new() };
        let answer = self.publisher().await.send(request).await;
        answer.map(drop).map_err(|status| Failure::Failed(format!("the other publisher was refused: {status}")))
    }

    /// Ends an interest in the same way.
    pub(crate) async fn end(&mut self, fields: &Value) -> Result<(), Failure> {
        let (domain, filter, data, customer_id) = letter(fields)?;
        let audience = audience(&customer_id);
        let request =
            EndInterestRequest { domain, filter, data, audience, customer_id, idempotency_key: String::new() };
        let answer = self.publisher().await.client().end_interest(request).await;
        answer.map(drop).map_err(|status| Failure::Failed(format!("the other publisher's end was refused: {status}")))
    }

    async fn publisher(&mut self) -> &mut Publisher {
        if self.publisher.is_none() {
            self.publisher = Some(self.server().publisher().await);
        }
        self.publisher.as_mut().expect("it has just been made")
    }

    /// Begins to publish numbers to filter `f`.
    pub(crate) fn start_traffic(&mut self) {
        let (stop, stopped) = oneshot::channel();
        let client = poke_client::Client::builder(self.server().url()).build().expect("a valid URL");
        self.traffic = Some((stop, tokio::spawn(publish_numbers(client, stopped))));
    }

    /// Stops that.
    pub(crate) async fn stop_traffic(&mut self) -> Result<(), Failure> {
        let (stop, task) = self.traffic.take().expect("there is traffic");
        drop(stop);
        self.last_number = Some(task.await.map_err(|error| Failure::Failed(format!("the traffic failed: {error}")))?);
        Ok(())
    }

    /// The last number of the traffic.
    pub(crate) fn last_number(&self) -> i64 {
        self.last_number.expect("the traffic has stopped")
    }

    /// Does something to the server.
    pub(crate) async fn server_meets(&mut self, fate: Fate) {
        self.publisher = None;
        match fate {
            Fate::Kill => self.server.as_mut().expect("it runs").kill9().await,
            Fate::Start => {
                let address = self.server().address();
                self.server = Some(Server::start(self.config.clone().listen(address)).await);
            }
            Fate::Replace => {
                let successor = self.server().replace(self.config.clone()).await;
                self.leaving.extend(self.server.replace(successor));
            }
        }
    }

    /// Sets up the servers that start from now on.
    pub(crate) fn set(&mut self, settings: &BTreeMap<String, Value>) {
        self.config = with_settings(self.config.clone(), settings);
    }

    /// Does something to the network.
    pub(crate) fn network_has(&self, fault: Fault) {
        let proxy = self.proxy.as_ref().expect("the case has a proxy");
        match fault {
            Fault::Cut => proxy.cut(),
            Fault::Mute => proxy.mute(true),
            Fault::Unmute => proxy.mute(false),
        }
    }

    /// Waits until the server has ended so many streams that nobody read.
    pub(crate) async fn streams_stall(&self, count: u32) {
        let what = format!("the server to end {count} streams that nobody reads");
        eventually(&what, async || {
            let ended = self.server().metrics().await.sum_where("poke_streams_ended_total", "stalled");
            (ended >= f64::from(count)).then_some(())
        })
        .await;
    }

    /// Waits until the server has so many streams.
    pub(crate) async fn streams_become(&self, count: u32) {
        let what = format!("the server to have {count} streams");
        eventually(&what, async || {
            (self.server().metrics().await.sum("poke_streams_open") == f64::from(count)).then_some(())
        })
        .await;
    }
}

/// A path for a socket that no other cell uses.
fn new_socket() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("poke-interop-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(name)
}

/// Publishes 0, 1, 2... until told to stop, and gives the last.
async fn publish_numbers(client: poke_client::Client, mut stopped: oneshot::Receiver<()>) -> i64 {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut number = 0;
    loop {
        pace.tick().await;
        let poke = poke_client::Publish::new("PLAYLIST", "f").data(json!(number)).deadline(Duration::from_secs(30));
        client.publish(poke).await.expect("a publish is retried until it is accepted");
        if !matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return number;
        }
        number += 1;
    }
}

fn config(setup: &Setup, issuer: Option<&Issuer>) -> Config {
    let config = setup.open.iter().fold(Config::without_domains(), |config, domain| config.open(domain));
    let config = issuer.iter().fold(config, |config, issuer| issuer.known(config, true));
    // A browser's page comes from a port of its own.
    let config = config.set("cors.origins", r#"["loopback"]"#);
    with_settings(config, &setup.settings)
}

fn with_settings(config: Config, settings: &BTreeMap<String, Value>) -> Config {
    settings.iter().fold(config, |config, (key, value)| match value {
        Value::String(text) => config.text(key, text),
        other => config.set(key, toml::Value::try_from(other).expect("what TOML has as well")),
    })
}

fn letter(fields: &Value) -> Result<(String, String, Option<Data>, String), Failure> {
    let text = |key: &str, default: &str| fields[key].as_str().unwrap_or(default).to_owned();
    let data = fields.get("data").map(Data::from_value).transpose();
    let data = data.map_err(|error| Failure::Failed(format!("the case's data: {error}")))?;
    Ok((text("domain", "PLAYLIST"), text("filter", "f"), data, text("customerId", "")))
}

fn audience(customer: &str) -> i32 {
    let audience = if customer.is_empty() { Audience::Unspecified } else { Audience::Customer };
    audience.into()
}
