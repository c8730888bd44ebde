//! Subscribe.

use bytes::Buf as _;
use poke_proto::{
    Data,
    v1::{SubscribeResponse, subscribe_response::Event, subscription::Start},
};
use tokio::time::{Instant, timeout};

use super::*;
use crate::metrics::{Label, RefusedCode, StreamEnd};

fn interest(filter: &str) -> v1::Interest {
    v1::Interest { domain: "PLAYLIST".into(), filter: filter.into(), audience: 0 }
}

fn want(interest: v1::Interest) -> v1::Subscription {
    v1::Subscription { interest: Some(interest), start: None }
}

fn subscribe(subscriptions: impl IntoIterator<Item = v1::Subscription>) -> v1::SubscribeRequest {
    v1::SubscribeRequest { subscriptions: subscriptions.into_iter().collect() }
}

async fn refused(server: &Server, request: &v1::SubscribeRequest) -> Status {
    refusal(&server.grpc("Subscribe", request).await).unwrap()
}

/// The events of a stream, and its end.
struct Events {
    body: Answer<Memory>,
    unread: Vec<u8>,
    status: Option<Status>,
}

impl Events {
    async fn open(server: &Server, request: &v1::SubscribeRequest) -> Self {
        let response = server.grpc("Subscribe", request).await;
        assert!(refusal(&response).is_none(), "{:?}", response.headers());
        Self { body: response.into_body(), unread: Vec::new(), status: None }
    }

    /// The next event, or none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(size) = self.unread.get(1..5) {
                let size = u32::from_be_bytes(size.try_into().unwrap()) as usize;
                if self.unread.len() >= 5 + size {
                    let message: Vec<u8> = self.unread.drain(..5 + size).skip(5).collect();
                    return SubscribeResponse::decode(&message[..]).unwrap().event;
                }
            }
            match self.body.frame().await?.unwrap().into_data() {
                Ok(mut data) => self.unread.extend_from_slice(&data.copy_to_bytes(data.remaining())),
                Err(frame) => self.status = Status::from_header_map(frame.trailers_ref().unwrap()),
            }
        }
    }

    async fn welcome(&mut self) {
        assert!(matches!(self.next().await, Some(Event::Welcome(_))));
    }

    async fn rejected(&mut self) -> v1::Rejected {
        match self.next().await {
            Some(Event::Rejected(rejected)) => rejected,
            other => panic!("not rejected: {other:?}"),
        }
    }

    async fn subscribed(&mut self) -> v1::Subscribed {
        match self.next().await {
            Some(Event::Subscribed(subscribed)) => subscribed,
            other => panic!("not subscribed: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_poke_reaches_its_stream() {
    let server = Server::new();
    let mut events = Events::open(&server, &subscribe([want(interest("f"))])).await;
    events.welcome().await;
    assert_eq!(events.subscribed().await.interest, Some(interest("f")));
    let data = Some(Data::string("Updated"));
    let answer = server.publish(&v1::PublishRequest { data: data.clone(), ..publication() }).await.unwrap();
    assert_eq!(answer.local_receiver_count, Some(1));
    let Some(Event::Poke(poke)) = events.next().await else { panic!("no poke") };
    assert_eq!((poke.data, poke.position), (data, answer.position));
    server
        .end(&v1::EndInterestRequest { domain: "PLAYLIST".into(), filter: "f".into(), ..Default::default() })
        .await
        .unwrap();
    assert!(matches!(events.next().await, Some(Event::Ended(_))));
    assert_eq!(events.next().await, None);
    assert_eq!(events.status.unwrap().code(), Code::Ok);
}

#[tokio::test]
async fn a_list_that_names_nothing_fails_the_call() {
    let server = Server::new();
    let invalid = because(Code::InvalidArgument, "INVALID_SUBSCRIPTIONS");
    assert_eq!(why(&refused(&server, &subscribe([])).await), invalid);
    let missing = subscribe([want(interest("f")), v1::Subscription::default(), v1::Subscription::default()]);
    let status = refused(&server, &missing).await;
    assert_eq!(why(&status), invalid);
    let details = status.get_error_details();
    let fields: Vec<_> = details.bad_request().unwrap().field_violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["subscriptions[1].interest", "subscriptions[2].interest"]);
    assert_eq!(server.metrics.subscribe_refused.get(RefusedCode::InvalidArgument), 2);
    assert_eq!(server.streams.count(), 0);
}

#[tokio::test]
async fn a_stream_has_a_limit_of_different_interests() {
    let server = Server::new();
    let at_limit = ["a", "b", "a", "c", "b", "a"].map(|filter| want(interest(filter)));
    let mut events = Events::open(&server, &subscribe(at_limit)).await;
    events.welcome().await;
    for filter in ["a", "b", "c"] {
        assert_eq!(events.subscribed().await.interest, Some(interest(filter)));
    }
    let over = ["a", "b", "c", "d"].map(|filter| want(interest(filter)));
    let status = refused(&server, &subscribe(over)).await;
    assert_eq!(why(&status), because(Code::InvalidArgument, "TOO_MANY_INTERESTS"));
    assert!(status.message().contains('3'), "{status}");
    assert_eq!(server.streams.count(), 1);
}

#[tokio::test]
async fn of_two_with_the_same_interest_the_first_wins() {
    let server = Server::new();
    server.publish(&publication()).await.unwrap();
    let latest = v1::Subscription { interest: Some(interest("f")), start: Some(Start::Latest(v1::Latest {})) };
    let mut events = Events::open(&server, &subscribe([latest, want(interest("f"))])).await;
    events.welcome().await;
    events.subscribed().await;
    assert!(matches!(events.next().await, Some(Event::Poke(_))));
}

#[tokio::test]
async fn a_bad_interest_is_rejected_and_the_others_go_on() {
    let server = Server::new();
    let bad =
        |domain: &str, filter: &str, audience| v1::Interest { domain: domain.into(), filter: filter.into(), audience };
    for (asked, shown, code, reason) in [
        (bad("", "f", 0), bad("", "f", 0), Code::InvalidArgument, "INVALID_DOMAIN"),
        (bad(&"D".repeat(99), "f", 0), bad(&"D".repeat(64), "f", 0), Code::InvalidArgument, "INVALID_DOMAIN"),
        (bad("PLAYLIST", "", 0), bad("PLAYLIST", "", 0), Code::InvalidArgument, "INVALID_FILTER"),
        (
            bad("PLAYLIST", &format!("x{}", "é".repeat(9000)), 0),
            bad("PLAYLIST", &format!("x{}", "é".repeat(127)), 0),
            Code::InvalidArgument,
            "INVALID_FILTER",
        ),
        (bad("PLAYLIST", "f", 7), bad("PLAYLIST", "f", 7), Code::InvalidArgument, "INVALID_AUDIENCE"),
        (bad("PLAYLIST", "f", 1), bad("PLAYLIST", "f", 1), Code::FailedPrecondition, "WRONG_AUDIENCE"),
        (bad("LETTER", "f", 1), bad("LETTER", "f", 1), Code::Unauthenticated, "CUSTOMER_REQUIRED"),
        (bad("LETTER", "f", 0), bad("LETTER", "f", 0), Code::FailedPrecondition, "WRONG_AUDIENCE"),
        (bad("NOWHERE", "f", 0), bad("NOWHERE", "f", 0), Code::NotFound, "UNKNOWN_DOMAIN"),
    ] {
        let mut events = Events::open(&server, &subscribe([want(asked), want(interest("good"))])).await;
        events.welcome().await;
        let rejected = events.rejected().await;
        assert_eq!((rejected.code, rejected.reason.as_str()), (code.into(), reason));
        assert_eq!((rejected.interest, rejected.retry_delay), (Some(shown), None));
        assert!(!rejected.message.is_empty());
        assert_eq!(events.subscribed().await.interest, Some(interest("good")));
    }
}

#[tokio::test]
async fn a_stream_with_nothing_left_ends_well() {
    let server = Server::new();
    let mut events = Events::open(&server, &subscribe([want(v1::Interest::default())])).await;
    events.welcome().await;
    events.rejected().await;
    assert_eq!(events.next().await, None);
    assert_eq!(events.status.unwrap().code(), Code::Ok);
}

#[tokio::test]
async fn no_position_is_an_error() {
    let server = Server::new();
    let epoch = server.publish(&publication()).await.unwrap().position.unwrap().epoch;
    for (epoch, sequence) in
        [("", 0), ("?", 1), (epoch.as_str(), i64::MAX), (epoch.as_str(), -1), (&"x".repeat(1000), i64::MIN)]
    {
        let after = v1::Position { epoch: epoch.into(), sequence };
        let subscription = v1::Subscription { interest: Some(interest("f")), start: Some(Start::After(after)) };
        let mut events = Events::open(&server, &subscribe([subscription])).await;
        events.welcome().await;
        assert_eq!(events.subscribed().await.outcome(), v1::Outcome::Gap, "{epoch} {sequence}");
        assert!(matches!(events.next().await, Some(Event::Gap(_))));
    }
}

#[tokio::test]
async fn a_request_has_64_kib_and_not_a_byte_more() {
    let server = Server::new();
    let mut request = subscribe([want(interest("x"))]);
    let around = request.encoded_len() + 2 + 2 + 2 - 1;
    let filter = "x".repeat((64 << 10) - around);
    request.subscriptions = vec![want(interest(&filter))];
    assert_eq!(request.encoded_len(), 64 << 10);
    Events::open(&server, &request).await.welcome().await;
    request.subscriptions = vec![want(interest(&(filter + "x")))];
    let status = refused(&server, &request).await;
    assert_eq!(why(&status), because(Code::ResourceExhausted, "REQUEST_TOO_LARGE"));
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["limit"], "65536");
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_ends_the_stream() {
    let server = Server::new();
    tokio::spawn(Arc::clone(&server.streams).run());
    let mut request = request("Subscribe", "application/grpc", frame::message(&subscribe([want(interest("f"))])));
    request.headers_mut().insert("grpc-timeout", "45S".parse().unwrap());
    let began = Instant::now();
    let mut events = Events { body: server.send(request).await.into_body(), unread: Vec::new(), status: None };
    let mut heartbeats = 0;
    while let Some(event) = events.next().await {
        heartbeats += usize::from(matches!(event, Event::Heartbeat(_)));
    }
    assert_eq!(why(&events.status.unwrap()), because(Code::DeadlineExceeded, "DEADLINE"));
    assert!((45..50).contains(&began.elapsed().as_secs()));
    assert_eq!(heartbeats, 2);
}

#[tokio::test]
async fn opened_less_ended_is_open() {
    let server = Server::new();
    let metrics = &server.metrics;
    let balance = || {
        let ended: u64 = StreamEnd::ALL.iter().map(|reason| metrics.streams_ended.get(*reason)).sum();
        (metrics.streams_opened.get(), ended, metrics.streams_open.get())
    };
    refused(&server, &subscribe([])).await;
    assert_eq!(balance(), (0, 0, 0));
    let mut live = Events::open(&server, &subscribe([want(interest("f"))])).await;
    live.welcome().await;
    let mut hopeless = Events::open(&server, &subscribe([want(v1::Interest::default())])).await;
    while hopeless.next().await.is_some() {}
    drop(hopeless);
    refused(&server, &subscribe(["a", "b", "c", "d"].map(|filter| want(interest(filter))))).await;
    assert_eq!(balance(), (2, 1, 1));
    drop(live);
    assert_eq!(balance(), (2, 2, 0));
}

#[tokio::test]
async fn every_protocol_streams() {
    let server = Server::new();
    let framed = frame::message(&subscribe([want(v1::Interest::default())]));
    for content_type in [
        "application/grpc",
        "application/grpc-web+proto",
        "application/grpc-web-text+proto",
        "application/connect+proto",
    ] {
        let text = content_type.contains("text");
        let body = if text { base64(&framed).into() } else { framed.clone() };
        let response = server.send(request("Subscribe", content_type, body)).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &content_type.parse().unwrap())
        );
        let body =
            timeout(Duration::from_secs(5), response.into_body().map_frame(written).collect()).await.unwrap().unwrap();
        assert_eq!(body.trailers().is_some(), content_type == "application/grpc");
        let end = match content_type {
            "application/grpc" => "",
            "application/connect+proto" => "\x02\0\0\0\x02{}",
            "application/grpc-web+proto" => "grpc-status: 0\r\n",
            _ => &base64(b"\x80\0\0\0\x10grpc-status: 0\r\n"),
        };
        assert!(body.to_bytes().ends_with(end.as_bytes()), "{content_type}");
    }
}

#[tokio::test]
async fn a_stream_in_json_has_every_event_beside_one_in_protobuf() {
    let server = Server::new();
    let text = r#"{"subscriptions":[{"interest":{"domain":"PLAYLIST","filter":"f"}}]}"#;
    let body = [&[0, 0, 0, 0, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let response = server.send(request("Subscribe", "application/connect+json", body)).await;
    assert_eq!(response.headers()["content-type"], "application/connect+json");
    let mut json = response.into_body().map_frame(written);
    let opening = json.frame().await.unwrap().unwrap().into_data().unwrap();
    let mut proto = Events::open(&server, &subscribe([want(interest("f"))])).await;
    proto.welcome().await;
    proto.subscribed().await;
    for data in [None, Some(Data::null()), Some(Data::string("x"))] {
        server.publish(&v1::PublishRequest { data, ..publication() }).await.unwrap();
        assert!(matches!(proto.next().await, Some(Event::Poke(_))));
    }
    let end = v1::EndInterestRequest { domain: "PLAYLIST".into(), filter: "f".into(), ..Default::default() };
    server.end(&end).await.unwrap();

    let rest = timeout(Duration::from_secs(5), json.collect()).await.unwrap().unwrap().to_bytes();
    let body = [opening, rest].concat();
    let mut rest = &body[..];
    let mut events = Vec::new();
    while rest.has_remaining() {
        let (flags, size) = (rest.get_u8(), rest.get_u32() as usize);
        let (message, behind) = rest.split_at(size);
        rest = behind;
        events.push((flags, serde_json::from_slice::<serde_json::Value>(message).unwrap()));
    }
    let kinds: Vec<_> = events.iter().map(|(_, event)| event.as_object().unwrap().keys().next().cloned()).collect();
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_deref().unwrap_or("end")).collect();
    assert_eq!(kinds, ["welcome", "subscribed", "poke", "poke", "poke", "ended", "end"]);
    let data: Vec<_> = events[2..5].iter().map(|(_, event)| event["poke"].get("data").cloned()).collect();
    assert_eq!(data, [None, Some(serde_json::Value::Null), Some("x".into())]);
    assert_eq!(events.last().unwrap(), &(2, serde_json::json!({})));
}

#[tokio::test]
async fn a_failed_call_is_told_in_its_protocol() {
    let server = Server::new();
    let empty = frame::message(&subscribe([]));
    let response = server.send(request("Subscribe", "application/connect+proto", empty)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/connect+proto".parse().unwrap())
    );
    let body = response.into_body().map_frame(written).collect().await.unwrap().to_bytes();
    let end: serde_json::Value = serde_json::from_slice(&body[5..]).unwrap();
    assert_eq!((body[0], &end["error"]["code"]), (2, &"invalid_argument".into()));
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(bytes)
}

/// A stream's next chunk waits until its last one has been written.
fn written(frame: Frame<crate::stream::Chunk>) -> Frame<Bytes> {
    frame.map_data(|mut chunk| chunk.copy_to_bytes(chunk.remaining()))
}
