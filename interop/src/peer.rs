//! A server that follows a script: what no real one would do, or not when a case wants it.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Either, Empty, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, prost::Message as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Notify, Semaphore, mpsc},
    task::JoinSet,
};
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::case::{Action, Http, Script, Status};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Chunk = Result<Frame<Bytes>, BoxError>;
type Body = Either<StreamBody<futures_util::stream::BoxStream<'static, Chunk>>, Empty<Bytes>>;

/// A listening peer. Dropping it ends its connections.
pub(crate) struct Peer {
    address: SocketAddr,
    calls: Mutex<mpsc::Receiver<Value>>,
    play: Arc<Play>,
    _accepting: JoinSet<()>,
}

/// The script, and how far it has come.
struct Play {
    script: Script,
    subscribes: AtomicUsize,
    publishes: AtomicUsize,
    /// What the case lets go on, by name.
    gates: std::sync::Mutex<HashMap<String, Arc<Semaphore>>>,
    calls: mpsc::Sender<Value>,
    pool: DescriptorPool,
}

/// What a call can do to its connection.
#[derive(Default)]
struct Connection {
    goaway: Notify,
    drop: Notify,
}

impl Peer {
    /// Listens on a free port.
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let pool = DescriptorPool::decode(poke_proto::FILE_DESCRIPTOR_SET).expect("our own descriptors");
        let (sender, calls) = mpsc::channel(64);
        let play = Arc::new(Play {
            script,
            subscribes: AtomicUsize::new(0),
            publishes: AtomicUsize::new(0),
            gates: std::sync::Mutex::default(),
            calls: sender,
            pool,
        });
        play.check();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&play)));
        Self { address, calls: Mutex::new(calls), play, _accepting: accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next call: its method, request, and authorization.
    pub(crate) async fn call(&self) -> Option<Value> {
        self.calls.lock().await.recv().await
    }

    /// Lets one `wait` of this name go on.
    pub(crate) fn go(&self, name: &str) {
        self.play.gate(name).add_permits(1);
    }

    /// Calls that the script doesn't know.
    pub(crate) fn surplus(&self) -> usize {
        let Play { script, subscribes, publishes, .. } = &*self.play;
        subscribes.load(SeqCst).saturating_sub(script.subscribe.len())
            + publishes.load(SeqCst).saturating_sub(script.publish.len())
    }
}

async fn accept(listener: TcpListener, play: Arc<Play>) {
    // Connections end with this set.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(serve(socket, Arc::clone(&play)));
    }
}

async fn serve(socket: TcpStream, play: Arc<Play>) {
    let connection = Arc::new(Connection::default());
    let calls = Arc::clone(&connection);
    let service = service_fn(move |request| answer(request, Arc::clone(&play), Arc::clone(&calls)));
    let builder = Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(serving);
    let mut is_leaving = false;
    loop {
        tokio::select! {
            _ = &mut serving => return,
            () = connection.drop.notified() => return,
            () = connection.goaway.notified(), if !is_leaving => {
                is_leaving = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    play: Arc<Play>,
    connection: Arc<Connection>,
) -> Result<Response<Body>, Infallible> {
    if request.method() == Method::OPTIONS {
        return Ok(respond(204, "text/plain", Either::Right(Empty::new())));
    }
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let content_type = header(&request, "content-type");
    let authorization = header(&request, "authorization");
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (count, scripts) = match method.as_str() {
        "Subscribe" => (&play.subscribes, &play.script.subscribe),
        "Publish" => (&play.publishes, &play.script.publish),
        _ => return Ok(respond(404, "text/plain", Either::Right(Empty::new()))),
    };
    let at = count.fetch_add(1, SeqCst);
    let seen = play.read(&method, &body);
    // A case that doesn't look at so many calls has its count of them.
    let _ = play.calls.try_send(json!({ "method": method, "request": seen, "authorization": authorization }));
    let actions = scripts.get(at).cloned().unwrap_or_default();
    if let Some(Action::Http(Http { status, content_type })) = actions.first() {
        return Ok(respond(*status, content_type, Either::Right(Empty::new())));
    }
    let (chunks, queue) = mpsc::channel::<Chunk>(16);
    let performance =
        Performance { is_web: content_type.starts_with("application/grpc-web"), method, chunks, play, connection };
    tokio::spawn(performance.run(actions));
    let chunks = futures_util::stream::unfold(queue, |mut queue| async { Some((queue.recv().await?, queue)) });
    Ok(respond(200, &content_type, Either::Left(StreamBody::new(chunks.boxed()))))
}

/// One call.
struct Performance {
    is_web: bool,
    method: String,
    chunks: mpsc::Sender<Chunk>,
    play: Arc<Play>,
    connection: Arc<Connection>,
}

impl Performance {
    async fn run(self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(message) => self.data(0, &self.play.encode(&self.method, message)).await,
                Action::Raw(bytes) => self.data(0, &bytes).await,
                Action::Status(status) => return self.end(&status).await,
                Action::Reset(code) => {
                    let error = h2::Error::from(h2::Reason::from(code));
                    let _ = self.chunks.send(Err(Box::new(error))).await;
                    return;
                }
                Action::Goaway => self.connection.goaway.notify_one(),
                Action::Drop => self.connection.drop.notify_one(),
                Action::Wait(name) => self.play.gate(&name).acquire().await.expect("it is never closed").forget(),
                Action::Http(_) => {}
            }
        }
        // The call stays open until the client ends it.
        self.chunks.closed().await;
    }

    async fn data(&self, flags: u8, message: &[u8]) {
        let mut framed = BytesMut::with_capacity(5 + message.len());
        framed.put_u8(flags);
        framed.put_u32(u32::try_from(message.len()).expect("cases are small"));
        framed.put_slice(message);
        let _ = self.chunks.send(Ok(Frame::data(framed.freeze()))).await; // The client may have gone.
    }

    async fn end(&self, status: &Status) {
        let trailers = trailers(status);
        if self.is_web {
            let lines =
                trailers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
            self.data(0x80, lines.collect::<String>().as_bytes()).await;
        } else {
            let _ = self.chunks.send(Ok(Frame::trailers(trailers))).await;
        }
    }
}

/// A status as trailers, with details as our server makes them if it has a reason.
fn trailers(status: &Status) -> HeaderMap {
    let mut details = ErrorDetails::new();
    if let Some(reason) = &status.reason {
        details.set_error_info(reason, "poke.v1", HashMap::new());
    }
    if let Some(delay) = status.retry_ms {
        details.set_retry_info(Some(std::time::Duration::from_millis(delay)));
    }
    let code = Code::from_i32(status.code);
    let status = if status.reason.is_some() || status.retry_ms.is_some() {
        tonic::Status::with_error_details(code, &status.message, details)
    } else {
        tonic::Status::new(code, &status.message)
    };
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).expect("it is a status of ours");
    trailers
}

impl Play {
    /// Panics for a message that the contract doesn't have, while somebody looks.
    fn check(&self) {
        let Script { subscribe, publish } = &self.script;
        for (method, scripts) in [("Subscribe", subscribe), ("Publish", publish)] {
            for action in scripts.iter().flatten() {
                if let Action::Send(message) = action {
                    self.encode(method, message.clone());
                }
            }
        }
    }

    fn gate(&self, name: &str) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().expect("nobody panics while holding it");
        Arc::clone(gates.entry(name.into()).or_insert_with(|| Arc::new(Semaphore::new(0))))
    }

    fn read(&self, method: &str, body: &[u8]) -> Value {
        let message =
            DynamicMessage::decode(self.message(&format!("{method}Request")), body.get(5..).unwrap_or_default());
        message.ok().and_then(|message| serde_json::to_value(message).ok()).unwrap_or_default()
    }

    fn encode(&self, method: &str, mut message: Value) -> Vec<u8> {
        fill_in(&mut message);
        let descriptor = self.message(&format!("{method}Response"));
        let shown = message.to_string();
        let read = DynamicMessage::deserialize(descriptor, message);
        read.unwrap_or_else(|error| panic!("{error} in {shown}")).encode_to_vec()
    }

    fn message(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(&format!("poke.v1.{name}")).expect("a message of the contract")
    }
}

/// What a script may leave out: an interest is its filter, a position its sequence in epoch `e`, an absent domain
/// PLAYLIST, and a welcome has an identity, limits and a heartbeat every 20 s.
fn fill_in(message: &mut Value) {
    let Some(object) = message.as_object_mut() else { return };
    for (key, value) in object.iter_mut() {
        match (key.as_str(), &mut *value) {
            ("interest", Value::String(filter)) => *value = json!({ "domain": "PLAYLIST", "filter": filter }),
            ("position", Value::Number(sequence)) => *value = json!({ "epoch": "e", "sequence": sequence.to_string() }),
            ("checkpoints", Value::Array(places)) => {
                for place in places.iter_mut().filter(|place| place.is_number()) {
                    *place = json!({ "epoch": "e", "sequence": place.to_string() });
                }
            }
            ("welcome", value) => default(value, welcome()),
            ("poke", value) => {
                default(value, json!({ "domain": "PLAYLIST", "filter": "f", "publishTime": "2026-01-01T00:00:00Z" }));
                fill_in(value);
            }
            ("data", _) => {}
            (_, value) => fill_in(value),
        }
    }
}

fn welcome() -> Value {
    json!({
        "streamId": "scripted", "heartbeatInterval": "20s", "reconnectSpread": "0s",
        "limits": { "maxInterests": 100, "maxPokeBytes": 131_072, "maxDataDepth": 24, "retentionWindow": "600s" }
    })
}

fn default(value: &mut Value, defaults: Value) {
    let (Some(object), Value::Object(defaults)) = (value.as_object_mut(), defaults) else { return };
    for (key, value) in defaults {
        object.entry(key).or_insert(value);
    }
}

fn header(request: &Request<Incoming>, name: &str) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Pages of any origin may look at the answer, as they may at the real server's where it is set up so.
fn respond(status: u16, content_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status of HTTP");
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_str(content_type).expect("a content type"));
    for name in ["access-control-allow-origin", "access-control-allow-headers", "access-control-expose-headers"] {
        headers.insert(name, HeaderValue::from_static("*"));
    }
    // With credentials, `*` doesn't cover this one.
    headers.append("access-control-allow-headers", HeaderValue::from_static("authorization"));
    response
}
