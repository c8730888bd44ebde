#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on may panic")]

mod sending;
mod subscribing;

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use poke_proto::v1;
use prost::Message;
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetails, StatusExt};
use tower::ServiceExt;

use super::{Answer, PokeService};
use crate::{
    auth::Auth,
    backplane::Memory,
    domain::{Audience, Domains, Settings},
    frame,
    limits::{self, Bound, Limits},
    metrics::Metrics,
    registry, stream as streams,
};

/// A service with the domains PLAYLIST, for everyone, and LETTER, for one customer.
#[derive(Clone)]
struct Server {
    service: PokeService<Memory>,
    streams: Arc<streams::Streams<Memory>>,
    metrics: Arc<Metrics>,
}

impl Server {
    fn new() -> Self {
        let everyone = Settings::default();
        let customer = Settings { audience: Audience::Customer, ..everyone.clone() };
        let domains = Arc::new(Domains::configured([("PLAYLIST", &everyone), ("LETTER", &customer)]));
        let backplane = Arc::new(Memory::new(registry::Settings::default()));
        let (window, metrics) = (backplane.window(), Arc::new(Metrics::new()));
        let settings = streams::Settings { max_interests: 3, ..Default::default() };
        let memory = Arc::new(limits::Memory::new(Bound::Off, Arc::clone(&metrics)));
        let streams = streams::Streams::new(backplane, settings, window, Arc::clone(&metrics));
        let auth = Arc::new(Auth::open());
        let service = PokeService::new(domains, auth, Arc::clone(&streams), &Limits::default(), memory);
        Self { service, streams, metrics }
    }

    async fn send(&self, request: Request<Body>) -> Response<Answer<Memory>> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    /// A gRPC call, as far as the head of its answer.
    async fn grpc(&self, method: &str, message: &impl Message) -> Response<Answer<Memory>> {
        self.send(request(method, "application/grpc", frame::message(message))).await
    }

    /// A unary gRPC call.
    async fn call<A: Message + Default>(&self, method: &str, message: &impl Message) -> Result<A, Status> {
        let response = self.grpc(method, message).await;
        if let Some(status) = refusal(&response) {
            return Err(status);
        }
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        Ok(A::decode(&body.to_bytes()[frame::PREFIX_BYTES..]).unwrap())
    }

    async fn publish(&self, request: &v1::PublishRequest) -> Result<v1::PublishResponse, Status> {
        self.call("Publish", request).await
    }

    async fn end(&self, request: &v1::EndInterestRequest) -> Result<v1::EndInterestResponse, Status> {
        self.call("EndInterest", request).await
    }

    /// A unary Connect call in JSON: its HTTP status and its body.
    async fn json(&self, method: &str, text: impl Into<String>) -> (u16, serde_json::Value) {
        let response = self.send(request(method, "application/json", text.into())).await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap())
    }
}

fn request(method: &str, content_type: &str, body: impl Into<Bytes>) -> Request<Body> {
    Request::post(format!("/poke.v1.PokeService/{method}"))
        .version(Version::HTTP_2)
        .header("content-type", content_type)
        .body(Body::new(Full::new(body.into())))
        .unwrap()
}

/// A request whose body never ends.
fn endless(method: &str, timeout: Option<&str>) -> Request<Body> {
    let piece = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0])))]);
    let body = Body::new(StreamBody::new(piece.chain(stream::pending())));
    let mut request = request(method, "application/grpc", Bytes::new()).map(|_| body);
    if let Some(timeout) = timeout {
        request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
    }
    request
}

fn publication() -> v1::PublishRequest {
    v1::PublishRequest { domain: "PLAYLIST".into(), filter: "f".into(), ..Default::default() }
}

/// The status of an answer that consists of nothing else.
fn refusal<B>(response: &Response<B>) -> Option<Status> {
    Status::from_header_map(response.headers())
}

fn reason(status: &Status) -> String {
    ErrorDetails::error_info(&status.get_error_details()).unwrap().reason.clone()
}

/// Code and reason.
fn why(status: &Status) -> (Code, String) {
    (status.code(), reason(status))
}

fn because(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn what_is_no_call_is_answered_too() {
    let server = Server::new();
    let unknown = server.grpc("Peek", &publication()).await;
    assert_eq!(why(&refusal(&unknown).unwrap()), because(Code::Unimplemented, "UNKNOWN_METHOD"));
    assert_eq!(server.json("Peek", "{}").await.0, 501);
    assert_eq!(server.send(request("Peek", "text/plain", "")).await.status(), 404);
    assert_eq!(server.send(request("Publish", "text/plain", "")).await.status(), 415);
    assert_eq!(server.send(request("Subscribe", "application/json", "{}")).await.status(), 415);
    let mut get = request("Publish", "application/json", "");
    *get.method_mut() = http::Method::GET;
    assert_eq!(server.send(get).await.status(), 405);
    let mut old = request("Publish", "application/grpc", frame::message(&publication()));
    *old.version_mut() = Version::HTTP_11;
    assert_eq!(server.send(old).await.status(), 505);
    for content_type in ["application/grpc+json", "application/grpc+unknown"] {
        for method in ["Publish", "Subscribe", "Peek"] {
            let answer = server.send(request(method, content_type, "\0\0\0\0\x02{}")).await;
            let status = refusal(&answer).unwrap();
            assert_eq!(why(&status), because(Code::Unimplemented, "UNKNOWN_METHOD"), "{method} {content_type}");
        }
    }
}

#[tokio::test]
async fn who_speaks_no_protocol_reads_a_line_of_what_would_do() {
    let server = Server::new();
    for (method, path, content_type, status, line) in [
        ("POST", "/poke.v1.PokeService/Publish", "application/x-www-form-urlencoded", 415, "application/json"),
        ("POST", "/poke.v1.PokeService/Subscribe", "application/json", 415, "poke subscribe"),
        ("GET", "/poke.v1.PokeService/Publish", "application/json", 405, "POST"),
        ("POST", "/poke.v1.PokeService/Publish", "application/grpc", 505, "HTTP/2"),
        ("GET", "/favicon.ico", "", 404, "/poke.v1.PokeService/Publish"),
        ("POST", "/", "text/plain", 404, "/poke.v1.PokeService/Publish"),
        ("GET", "/", "", 200, "poke-server"),
        ("HEAD", "/", "", 200, ""),
        ("HEAD", "/favicon.ico", "", 404, ""),
        ("HEAD", "/poke.v1.PokeService/Publish", "", 405, ""),
        ("HEAD", "/poke.v1.PokeService/Subscribe", "", 405, ""),
    ] {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&text).unwrap();
        if method == "HEAD" {
            assert_eq!(text, "", "HEAD has no body");
            continue;
        }
        assert!(text.contains(line) && text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        assert!(status == 200 || text.starts_with(&status.to_string()), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_meets_a_deadline() {
    let server = Server::new();
    for method in ["Publish", "EndInterest", "Subscribe"] {
        for (timeout, least) in [(None, 30), (Some("99999999H"), 30), (Some("2S"), 2)] {
            let began = tokio::time::Instant::now();
            let response = server.send(endless(method, timeout)).await;
            assert_eq!(why(&refusal(&response).unwrap()), because(Code::DeadlineExceeded, "DEADLINE"));
            assert_eq!(began.elapsed().as_secs(), least, "{method} {timeout:?}");
        }
        let response = server.send(endless(method, Some("2 s"))).await;
        assert_eq!(why(&refusal(&response).unwrap()), because(Code::InvalidArgument, "INVALID_REQUEST"));
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_does_nothing() {
    let server = Server::new();
    for method in ["Publish", "EndInterest", "Subscribe"] {
        let mut late = request(method, "application/grpc", frame::message(&publication()));
        late.headers_mut().insert("grpc-timeout", "0n".parse().unwrap());
        let status = refusal(&server.send(late).await).unwrap();
        assert_eq!(why(&status), because(Code::DeadlineExceeded, "DEADLINE"), "{method}");
    }
    let mut late = request("Publish", "application/json", r#"{"domain":"PLAYLIST","filter":"f"}"#);
    late.headers_mut().insert("connect-timeout-ms", "0".parse().unwrap());
    assert_eq!(server.send(late).await.status(), 504);
    assert_eq!((server.metrics.pokes_published.get(), server.metrics.ends.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_publish_is_timed_from_its_head_to_its_answer() {
    let server = Server::new();
    let message = frame::message(&publication());
    let slow = stream::once(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok::<_, Infallible>(Frame::data(message))
    });
    let slow = request("Publish", "application/grpc", Bytes::new()).map(|_| Body::new(StreamBody::new(slow)));
    assert!(refusal(&server.send(slow).await).is_none());
    let page = server.metrics.render();
    assert!(page.contains("poke_publish_seconds_sum 2.0"), "{page}");
}

#[tokio::test]
async fn a_server_that_goes_away_takes_no_new_calls() {
    let server = Server::new();
    server.streams.drain(streams::Drain { window: Duration::ZERO, closes_after: Duration::from_secs(1) });
    for method in ["Publish", "EndInterest"] {
        let status = server.call::<v1::PublishResponse>(method, &publication()).await.unwrap_err();
        assert_eq!(why(&status), because(Code::Unavailable, "SHUTTING_DOWN"));
        assert!(status.get_error_details().retry_info().is_some());
    }
}
