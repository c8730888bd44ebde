//! Connect's streams, in JSON and in protobuf, by plain HTTP requests.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::Request;
use http_body_util::Full;
use poke_tests::{
    Config, Event, Publisher, Server, after, envelope, envelopes,
    http::{self as plain, Answer},
    interest, json as data, new_pokes, text,
    v1::{Interest, Outcome, Position, SubscribeRequest, SubscribeResponse},
};
use prost::Message as _;
use serde_json::{Value, json};

/// A call of Subscribe with more headers, read to its end.
async fn call(server: &Server, codec: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = Request::post(format!("{}/poke.v1.PokeService/Subscribe", server.url()))
        .header("content-type", format!("application/connect+{codec}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    plain::send(request.body(Full::new(Bytes::from(body))).unwrap()).await
}

/// Subscribes in JSON, to the end.
async fn subscribe(server: &Server, request: Value) -> (Vec<Value>, Value) {
    let answer = call(server, "json", &[], envelope(0, request.to_string().as_bytes())).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-type"]),
        (200, &"application/connect+json".parse().unwrap())
    );
    events(answer.body)
}

/// The messages of a body in JSON, and what it ends with.
fn events(body: Bytes) -> (Vec<Value>, Value) {
    let (messages, end) = messages(body);
    (messages.iter().map(|message| serde_json::from_slice(message).unwrap()).collect(), end)
}

fn messages(body: Bytes) -> (Vec<Bytes>, Value) {
    let mut envelopes = envelopes(body);
    let end = envelopes.pop().expect("an end");
    assert_eq!(end.0, 2, "nothing follows the end");
    let messages = envelopes.into_iter().map(|(flags, message)| {
        assert_eq!(flags, 0);
        message
    });
    (messages.collect(), serde_json::from_slice(&end.1).unwrap())
}

fn from(interest: &Interest, position: &Position) -> Value {
    let Interest { domain, filter, .. } = interest;
    let Position { epoch, sequence } = position;
    json!({"subscriptions": [
        {"interest": {"domain": domain, "filter": filter}, "after": {"epoch": epoch, "sequence": sequence.to_string()}}
    ]})
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event.as_object().unwrap().keys().next().unwrap().as_str()).collect()
}

/// All that data can be; `None` is its absence.
fn all_kinds_of_data() -> Vec<Option<Value>> {
    let deepest = |open: &str, close: &str| {
        let text = format!("{}null{}", open.repeat(24), close.repeat(24));
        Some(serde_json::from_str(&text).unwrap())
    };
    vec![
        None,
        Some(Value::Null),
        Some(json!("")),
        Some(json!("Updated")),
        Some(json!("\0\n\"\\\u{2028}\u{1F600}")),
        Some(json!([true, false, 0, -1, 1.5, 1e300, 5e-324])),
        Some(json!([9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64, 9_007_199_254_740_992.0])),
        Some(json!({"": {}, "a": {"b": [null, {}]}, "\u{e9}": []})),
        deepest("[", "]"),
        deepest("{\"a\":", "}"),
    ]
}

async fn publish_all(publisher: &mut Publisher, ours: &Interest) {
    for value in all_kinds_of_data() {
        publisher.send(poke_tests::request(ours, value.map(data))).await.expect("it is accepted");
    }
}

#[tokio::test]
async fn streams_in_json_beside_one_in_protobuf_have_the_same_pokes_whatever_they_carry() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("shared");
    let mut grpc = server.subscribe([new_pokes(ours.clone())]).await;
    let start = grpc.live(Outcome::Fresh).await;
    // Whether they are live before the first poke or replay it: the same.
    let (first, second, ()) =
        tokio::join!(subscribe(&server, from(&ours, &start)), subscribe(&server, from(&ours, &start)), async {
            publish_all(&mut publisher, &ours).await;
            publisher.end(&ours, Some(data(json!({"winner": null})))).await;
        });
    for (events, end) in [&first, &second] {
        assert_eq!(end, &json!({}), "a good end has no error");
        let pokes = all_kinds_of_data().len();
        assert_eq!(kinds(events), [vec!["welcome", "subscribed"], vec!["poke"; pokes], vec!["ended"]].concat());
        let data: Vec<_> = events[2..2 + pokes].iter().map(|event| event["poke"].get("data").cloned()).collect();
        assert_eq!(data, all_kinds_of_data());
        let ended = &events.last().unwrap()["ended"];
        assert_eq!((&ended["data"], &ended["interest"]["filter"]), (&json!({"winner": null}), &json!("shared")));
    }
    // Position, time and all else are as in protobuf.
    for shown in &first.0[2..2 + all_kinds_of_data().len()] {
        let poke = grpc.poke().await;
        let at = poke.position.unwrap();
        let mut expected = json!({"poke": {
            "domain": poke.domain,
            "filter": poke.filter,
            "position": {"epoch": at.epoch, "sequence": at.sequence.to_string()},
            "publishTime": poke.publish_time.unwrap().to_string(),
        }});
        if let Some(data) = poke.data {
            expected["poke"]["data"] = data.to_value().unwrap();
        }
        assert_eq!(shown, &expected);
    }
}

#[tokio::test]
async fn every_event_and_a_bad_end_are_told_in_json() {
    let config = Config::new().text("stream.heartbeat_interval", "1s").text("stream.max_age", "3s");
    let server = Server::start(config.text("stream.move_timeout", "1s")).await;
    let mut publisher = server.publisher().await;
    publisher.poke(&interest("ends"), "x").await;
    publisher.end(&interest("ends"), None).await;
    let lost = json!({"epoch": "of another server", "sequence": "1"});
    let request = json!({"subscriptions": [
        {"interest": {"domain": "PLAYLIST", "filter": "\u{7f}"}},
        {"interest": {"domain": "PLAYLIST", "filter": "ends"}, "latest": {}},
        {"interest": {"domain": "PLAYLIST", "filter": "lost"}, "after": lost},
    ]});
    let (events, end) = subscribe(&server, request).await;
    let of = |kind: &str| {
        let event = events.iter().find_map(|event| event.get(kind));
        event.unwrap_or_else(|| panic!("no {kind} in {events:?}"))
    };
    assert_eq!(kinds(&events)[0], "welcome");
    assert_eq!(of("welcome")["heartbeatInterval"], "1s");
    assert_eq!((of("rejected")["code"].as_i64(), &of("rejected")["reason"]), (Some(3), &json!("INVALID_FILTER")));
    assert_eq!(of("subscribed")["interest"], json!({"domain": "PLAYLIST", "filter": "ends"}));
    assert_eq!(of("poke")["data"], "x");
    assert_eq!(of("ended").get("data"), None);
    assert_eq!(
        (&of("gap")["reason"], &of("gap")["interest"]["filter"]),
        (&json!("GAP_REASON_EPOCH_CHANGED"), &json!("lost"))
    );
    assert!(of("heartbeat")["checkpoints"][0]["sequence"].is_string(), "{events:?}");
    assert_eq!(of("reconnect")["reason"], "RECONNECT_REASON_MAX_AGE");
    assert!(of("reconnect")["closesAfter"].as_str().unwrap().ends_with('s'));
    let error = &end["error"];
    assert_eq!((&error["code"], &error["details"][0]["debug"]["reason"]), (&json!("unavailable"), &json!("MAX_AGE")));
}

#[tokio::test]
async fn the_largest_poke_arrives_in_json() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("large");
    // In JSON each takes six bytes.
    let largest = "\u{1}".repeat(131_000);
    publisher.publish(&ours, text(&largest)).await;
    publisher.end(&ours, None).await;
    let request = json!({"subscriptions": [{"interest": {"domain": "PLAYLIST", "filter": "large"}, "latest": {}}]});
    let (events, _) = subscribe(&server, request).await;
    assert_eq!(kinds(&events), ["welcome", "subscribed", "poke", "ended"]);
    assert!(events[2]["poke"]["data"] == largest.as_str());
}

#[tokio::test]
async fn a_subscribe_in_either_codec_is_read_under_the_same_rules() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("f");
    let start = publisher.poke(&ours, "x").await;
    publisher.end(&ours, None).await;
    let in_json = from(&ours, &start).to_string().into_bytes();
    let in_proto = SubscribeRequest { subscriptions: vec![after(ours, start)] }.encode_to_vec();
    for (codec, request) in [("json", in_json), ("proto", in_proto)] {
        // The last event and the end; compressed or not.
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&request).unwrap();
        let compressed = envelope(1, &gzip.finish().unwrap());
        for (headers, body) in [
            (&[("connect-protocol-version", "1")][..], envelope(0, &request)),
            (&[("connect-content-encoding", "gzip")], compressed.clone()),
        ] {
            let answer = call(&server, codec, headers, body).await;
            let (messages, end) = messages(answer.body);
            assert_eq!((messages.len(), end), (3, json!({})), "{codec}: welcome, subscribed, ended");
            if codec == "proto" {
                let last = SubscribeResponse::decode(messages[2].clone()).unwrap();
                assert!(matches!(last.event, Some(Event::Ended(_))));
            }
        }
        // What is refused is so in the only message, with status 200.
        let large = envelope(0, &vec![b' '; 400_000]);
        for (headers, body, code) in [
            (&[("connect-protocol-version", "2")][..], envelope(0, &request), "invalid_argument"),
            (&[("connect-timeout-ms", "soon")], envelope(0, &request), "invalid_argument"),
            (&[("connect-content-encoding", "br")], envelope(1, &request), "unimplemented"),
            (&[], compressed, "invalid_argument"),
            (&[], large, "resource_exhausted"),
            (&[], envelope(0, b"\xff"), "invalid_argument"),
            (&[], envelope(0, &request)[..9].to_vec(), "invalid_argument"),
            (&[], Vec::new(), "invalid_argument"),
        ] {
            let answer = call(&server, codec, headers, body).await;
            let (events, end) = messages(answer.body);
            assert_eq!(answer.status, 200);
            assert_eq!((events.len(), &end["error"]["code"]), (0, &json!(code)), "{codec} {headers:?}: {end}");
        }
    }
    let answer = call(&server, "json", &[], envelope(0, br#"{"subscriptions":[{"intrest":{}}]}"#)).await;
    let (_, end) = messages(answer.body);
    assert!(end["error"]["message"].as_str().unwrap().contains("intrest"), "{end}");
}

#[tokio::test]
async fn a_stream_in_json_ends_when_the_callers_deadline_passes() {
    let server = Server::start(Config::new()).await;
    let request = json!({"subscriptions": [{"interest": {"domain": "PLAYLIST", "filter": "short"}}]});
    let body = envelope(0, request.to_string().as_bytes());
    let answer = call(&server, "json", &[("connect-timeout-ms", "300")], body).await;
    let (events, end) = events(answer.body);
    assert_eq!((kinds(&events), &end["error"]["code"]), (vec!["welcome", "subscribed"], &json!("deadline_exceeded")));
}

#[tokio::test]
async fn another_media_type_is_told_what_a_stream_may_have() {
    let server = Server::start(Config::new()).await;
    let url = format!("{}/poke.v1.PokeService/Subscribe", server.url());
    let answer = plain::post(&url, "application/json", "{}").await;
    assert_eq!(answer.status, 415);
    let accepted = answer.headers["accept-post"].to_str().unwrap();
    assert!(
        accepted.contains("application/connect+json") && accepted.contains("application/connect+proto"),
        "{accepted}"
    );
}
