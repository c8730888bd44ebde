//! A scripted server: real HTTP/2 over memory, and a test plays every frame of it.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use poke_proto::v1::{self, subscribe_response::Event};
use prost::Message as _;
use tokio::{
    io::{DuplexStream, duplex},
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{Builder, Client, clock::Clock};

/// A server in memory.
pub(super) struct Peer {
    calls: mpsc::Receiver<Call>,
    dial: Arc<Dial>,
}

struct Dial {
    calls: mpsc::Sender<Call>,
    connections: AtomicUsize,
    /// Connections numbered below are told to go away.
    goaway_below: watch::Sender<usize>,
    refuses: std::sync::atomic::AtomicBool,
    /// What calls are answered with instead of gRPC; 0 is nothing.
    http_status: AtomicU16,
}

/// One call that the client has made, unary or not.
pub(super) struct Call {
    /// Which connection it came on, counted from 0.
    pub(super) connection: usize,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    body: Bytes,
    frames: mpsc::Sender<Result<Frame<Bytes>, Reset>>,
}

/// What a test does to a call instead of ending it in order.
#[derive(Debug, thiserror::Error)]
#[error("reset by the test")]
pub(super) struct Reset;

impl Peer {
    pub(super) fn new() -> Self {
        let (sender, calls) = mpsc::channel(16);
        let dial = Dial {
            calls: sender,
            connections: AtomicUsize::new(0),
            goaway_below: watch::Sender::new(0),
            refuses: false.into(),
            http_status: 0.into(),
        };
        Self { calls, dial: Arc::new(dial) }
    }

    pub(super) fn client(&self) -> Client {
        self.client_with(Client::builder("http://peer"), Clock::new(|| Duration::ZERO))
    }

    pub(super) fn client_with(&self, builder: Builder, clock: Clock) -> Client {
        let dial = self.dial.clone();
        builder.build_on(move || dial.clone().channel(), clock).unwrap()
    }

    /// The next call that the client makes.
    pub(super) async fn call(&mut self) -> Call {
        self.calls.recv().await.expect("the peer holds a sender itself")
    }

    /// True when the client makes no call for this long.
    pub(super) async fn is_quiet_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.calls.recv()).await.is_err()
    }

    /// GOAWAY on all connections of now. Their calls go on.
    pub(super) fn goaway(&self) {
        self.dial.goaway_below.send_replace(self.dial.connections.load(Ordering::Relaxed));
    }

    /// Answers each call with this HTTP status and without gRPC, as a proxy does; 0 ends it.
    pub(super) fn answer_http(&self, status: u16) {
        self.dial.http_status.store(status, Ordering::Relaxed);
    }

    /// Whether new connections fail.
    pub(super) fn refuse_connections(&self, refuses: bool) {
        self.dial.refuses.store(refuses, Ordering::Relaxed);
    }
}

impl Dial {
    fn channel(self: Arc<Self>) -> Channel {
        let connector = tower::service_fn(move |_| {
            let dial = self.clone();
            async move {
                if dial.refuses.load(Ordering::Relaxed) {
                    return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
                }
                let (ours, theirs) = duplex(1 << 20);
                let number = dial.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(dial.serve(number, theirs));
                Ok(TokioIo::new(ours))
            }
        });
        Endpoint::from_static("http://peer").connect_with_connector_lazy(connector)
    }

    async fn serve(self: Arc<Self>, number: usize, io: DuplexStream) {
        let dial = self.clone();
        let service = service_fn(move |request| answer(dial.clone(), number, request));
        let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service);
        tokio::pin!(connection);
        let mut goaway = self.goaway_below.subscribe();
        tokio::select! {
            _ = &mut connection => return,
            _ = goaway.wait_for(|below| number < *below) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

type Body = StreamBody<ReceiverStream<Result<Frame<Bytes>, Reset>>>;

async fn answer(dial: Arc<Dial>, connection: usize, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (frames, received) = mpsc::channel(64);
    let http_status = dial.http_status.load(Ordering::Relaxed);
    if http_status != 0 {
        let body = StreamBody::new(ReceiverStream::new(received));
        return Ok(Response::builder().status(http_status).body(body).expect("the test gives a status"));
    }
    let call = Call { connection, path: head.uri.path().to_owned(), headers: head.headers, body, frames };
    dial.calls.send(call).await.expect("the test outlives its connections");
    let body = StreamBody::new(ReceiverStream::new(received));
    Ok(Response::builder().header("content-type", "application/grpc").body(body).expect("the header is fixed"))
}

impl Call {
    /// The request.
    pub(super) fn request<T: prost::Message + Default>(&self) -> T {
        T::decode(&self.body[5..]).unwrap()
    }

    pub(super) fn subscriptions(&self) -> Vec<v1::Subscription> {
        self.request::<v1::SubscribeRequest>().subscriptions
    }

    /// The filters asked for, each with its `after` sequence.
    pub(super) fn asks(&self) -> Vec<(String, Option<i64>)> {
        let ask = |subscription: v1::Subscription| {
            let after = match subscription.start {
                Some(v1::subscription::Start::After(position)) => Some(position.sequence),
                _ => None,
            };
            (subscription.interest.unwrap().filter, after)
        };
        self.subscriptions().into_iter().map(ask).collect()
    }

    pub(super) async fn send(&self, event: Event) {
        self.message(&v1::SubscribeResponse { event: Some(event) }.encode_to_vec()).await;
    }

    pub(super) async fn send_all<const N: usize>(&self, events: [Event; N]) {
        for event in events {
            self.send(event).await;
        }
    }

    /// A poke of "a" with this much data, if the client's windows have room for it.
    pub(super) fn try_poke(&self, position: v1::Position, size: usize) -> bool {
        let Event::Poke(mut poke) = poke("a", position) else { return false };
        poke.data = Some(poke_proto::Data::string(&"x".repeat(size)));
        let message = v1::SubscribeResponse { event: Some(Event::Poke(poke)) }.encode_to_vec();
        self.frames.try_send(Ok(Frame::data(framed(&message)))).is_ok()
    }

    /// A message of these bytes.
    pub(super) async fn message(&self, message: &[u8]) {
        // The client may have gone already.
        let _ = self.frames.send(Ok(Frame::data(framed(message)))).await;
    }

    /// Ends the call with OK.
    pub(super) async fn finish(self) {
        self.trailers(&tonic::Status::ok("")).await;
    }

    /// Ends the call as the server does: with ErrorInfo.
    pub(super) async fn fail(self, code: Code, reason: &str, retry: Option<Duration>) {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "poke.v1", []);
        if let Some(retry) = retry {
            details.set_retry_info(Some(retry));
        }
        self.trailers(&tonic::Status::with_error_details(code, reason, details)).await;
    }

    /// Ends the call as a server does that accepts fewer interests on a stream.
    pub(super) async fn too_many_interests(self, limit: &str) {
        let limit = ("limit".to_owned(), limit.to_owned());
        let details = ErrorDetails::with_error_info("TOO_MANY_INTERESTS", "poke.v1", [limit]);
        self.trailers(&tonic::Status::with_error_details(Code::InvalidArgument, "too many", details)).await;
    }

    /// Ends the call with a status, and nothing that shows who made it.
    pub(super) async fn trailers(self, status: &tonic::Status) {
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        trailers.entry("grpc-status").or_insert(HeaderValue::from_static("0"));
        let _ = self.frames.send(Ok(Frame::trailers(trailers))).await;
    }

    /// RST_STREAM.
    pub(super) async fn reset(self) {
        let _ = self.frames.send(Err(Reset)).await;
    }

    /// Waits until the client has cancelled the call.
    pub(super) async fn cancelled(&self) {
        self.frames.closed().await;
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.frames.is_closed()
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len().try_into().unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// `Welcome` with a limit of 3 interests, a heartbeat every 20 s and a spread of 5 s.
pub(super) fn welcome() -> Event {
    welcome_with(3)
}

/// `Welcome` with another limit of interests.
pub(super) fn welcome_with(max_interests: i32) -> Event {
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    Event::Welcome(v1::Welcome {
        stream_id: "stream".into(),
        heartbeat_interval: seconds(20),
        limits: Some(v1::Limits {
            max_interests,
            max_poke_bytes: 131_072,
            max_data_depth: 24,
            retention_window: seconds(600),
        }),
        reconnect_spread: seconds(5),
    })
}

fn interest(filter: &str) -> v1::Interest {
    v1::Interest { domain: "D".into(), filter: filter.into(), audience: 0 }
}

/// A position of the epoch "e".
pub(super) fn at(sequence: i64) -> v1::Position {
    v1::Position { epoch: "e".into(), sequence }
}

pub(super) fn subscribed(filter: &str, position: v1::Position, outcome: v1::Outcome) -> Event {
    let (interest, position) = (Some(interest(filter)), Some(position));
    Event::Subscribed(v1::Subscribed { interest, position, outcome: outcome.into() })
}

pub(super) fn fresh(filter: &str, sequence: i64) -> Event {
    subscribed(filter, at(sequence), v1::Outcome::Fresh)
}

pub(super) fn recovered(filter: &str, sequence: i64) -> Event {
    subscribed(filter, at(sequence), v1::Outcome::Recovered)
}

pub(super) fn poke(filter: &str, position: v1::Position) -> Event {
    let v1::Interest { domain, filter, audience } = interest(filter);
    Event::Poke(v1::Poke { domain, filter, data: None, audience, position: Some(position), publish_time: None })
}

pub(super) fn gap(filter: Option<&str>, reason: v1::GapReason, position: v1::Position) -> Event {
    Event::Gap(v1::Gap {
        interest: filter.map(interest),
        reason: reason.into(),
        position: Some(position),
        ..Default::default()
    })
}

pub(super) fn ended(filter: &str, sequence: i64) -> Event {
    Event::Ended(v1::Ended { interest: Some(interest(filter)), position: Some(at(sequence)), data: None })
}

pub(super) fn rejected(filter: &str, code: Code, retry: Option<i64>) -> Event {
    Event::Rejected(v1::Rejected {
        interest: Some(interest(filter)),
        code: code.into(),
        reason: "REASON".into(),
        message: String::new(),
        retry_delay: retry.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    })
}

pub(super) fn heartbeat(checkpoints: &[v1::Position]) -> Event {
    Event::Heartbeat(v1::Heartbeat { checkpoints: checkpoints.to_vec() })
}

pub(super) fn reconnect(min: i64, max: i64, closes_after: i64, reason: v1::ReconnectReason) -> Event {
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    Event::Reconnect(v1::Reconnect {
        min_delay: seconds(min),
        max_delay: seconds(max),
        closes_after: seconds(closes_after),
        reason: reason.into(),
    })
}
