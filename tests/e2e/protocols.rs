//! One port, four protocols: gRPC is in all the other tests; here are gRPC-Web in both modes, Connect and plain JSON.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use poke_tests::{
    Config, Event, Server, envelope, envelopes, http as plain, interest, new_pokes, request, text,
    v1::{Outcome, PublishRequest, PublishResponse, SubscribeRequest, SubscribeResponse},
};
use prost::Message;
use serde_json::{Value, json};

fn method(server: &Server, name: &str) -> String {
    format!("{}/poke.v1.PokeService/{name}", server.url())
}

fn framed(message: &impl Message) -> Vec<u8> {
    envelope(0, &message.encode_to_vec())
}

/// Base64 that was made piece by piece, each with its own padding.
fn unbase64(text: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // Up to and with the first quantum that is padded.
        let quanta = rest.chunks(4).position(|quantum| quantum.ends_with(b"=")).map_or(rest.len(), |at| (at + 1) * 4);
        let (piece, after) = rest.split_at(quanta);
        bytes.extend(BASE64_STANDARD.decode(piece).expect("base64"));
        rest = after;
    }
    bytes.into()
}

/// Calls by gRPC-Web, and gives the messages and the trailers.
async fn grpc_web(server: &Server, name: &str, message: &impl Message, as_text: bool) -> (Vec<Bytes>, String) {
    let (kind, body) = if as_text {
        ("application/grpc-web-text+proto", BASE64_STANDARD.encode(framed(message)).into_bytes())
    } else {
        ("application/grpc-web+proto", framed(message))
    };
    let answer = plain::post(&method(server, name), kind, body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], kind);
    let body = if as_text { unbase64(&answer.body) } else { answer.body };
    let mut frames = envelopes(body);
    let Some((0x80, trailers)) = frames.pop() else { panic!("the last frame holds the trailers") };
    assert!(frames.iter().all(|(flags, _)| *flags == 0));
    let trailers = String::from_utf8(trailers.to_vec()).unwrap();
    (frames.into_iter().map(|(_, message)| message).collect(), trailers)
}

#[tokio::test]
async fn grpc_web_publishes_and_subscribes_in_both_modes_and_ends_with_trailers() {
    let server = Server::start(Config::new()).await;
    for as_text in [false, true] {
        let ours = interest(if as_text { "text" } else { "binary" });
        let mut listener = server.subscribe([new_pokes(ours.clone())]).await;
        let start = listener.live(Outcome::Fresh).await;
        let message = request(&ours, Some(text("from a browser")));
        let (messages, trailers) = grpc_web(&server, "Publish", &message, as_text).await;
        assert!(
            trailers.to_lowercase().contains("grpc-status: 0") || trailers.to_lowercase().contains("grpc-status:0")
        );
        let answer = PublishResponse::decode(messages[0].clone()).unwrap();
        assert_eq!(listener.poke().await.position, answer.position);

        // A stream that ends: what was missed, the end, and OK in the trailers.
        server.publisher().await.end(&ours, None).await;
        let subscribe = SubscribeRequest { subscriptions: vec![poke_tests::after(ours, start)] };
        let (messages, trailers) = grpc_web(&server, "Subscribe", &subscribe, as_text).await;
        let events: Vec<_> =
            messages.into_iter().map(|message| SubscribeResponse::decode(message).unwrap().event.unwrap()).collect();
        assert!(matches!(
            events.as_slice(),
            [Event::Welcome(_), Event::Subscribed(_), Event::Poke(_), Event::Ended(_)]
        ));
        assert!(trailers.to_lowercase().starts_with("grpc-status"), "{trailers}");
    }
}

#[tokio::test]
async fn every_end_that_the_server_makes_carries_a_status_over_grpc_web_too() {
    let server = Server::start(Config::new().text("stream.max_age", "1s").text("stream.move_timeout", "1s")).await;
    let subscribe = SubscribeRequest { subscriptions: vec![new_pokes(interest("old"))] };
    let empty = SubscribeRequest::default();
    for as_text in [false, true] {
        let (_, trailers) = grpc_web(&server, "Subscribe", &subscribe, as_text).await;
        let trailers = trailers.to_lowercase();
        assert!(trailers.contains("grpc-status") && trailers.contains("14"), "{trailers}");
        assert!(trailers.contains("grpc-status-details-bin"), "{trailers}");
    }
    // A call that fails at once: its status is in the headers or in the only frame.
    let answer = plain::post(&method(&server, "Subscribe"), "application/grpc-web+proto", framed(&empty)).await;
    let trailers = envelopes(answer.body).pop().map(|(_, trailers)| String::from_utf8_lossy(&trailers).to_lowercase());
    let status = answer.headers.get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
    assert!(
        status.as_deref() == Some("3") || trailers.as_ref().is_some_and(|trailers| trailers.contains("grpc-status")),
        "{status:?} {trailers:?}"
    );
}

#[tokio::test]
async fn a_call_ends_when_the_callers_own_deadline_passes() {
    let server = Server::start(Config::new()).await;
    let subscribe = SubscribeRequest { subscriptions: vec![new_pokes(interest("short"))] };
    let request = Request::post(method(&server, "Subscribe"))
        .header("content-type", "application/grpc-web+proto")
        .header("grpc-timeout", "500m")
        .body(Full::new(framed(&subscribe).into()));
    let answer = plain::send(request.unwrap()).await;
    let (_, trailers) = envelopes(answer.body).pop().expect("an answer");
    let trailers = String::from_utf8_lossy(&trailers).to_lowercase();
    assert!(trailers.contains("grpc-status: 4") || trailers.contains("grpc-status:4"), "{trailers}");
}

#[tokio::test]
async fn grpc_over_http_2_ends_with_trailers_too() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("trailers");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    publisher.end(&ours, None).await;
    assert_eq!(stream.end().await.code(), tonic::Code::Ok, "tonic reports a missing status as an error");
}

#[tokio::test]
async fn json_takes_a_publish_as_people_write_it() {
    let server = Server::start(Config::new()).await;
    let mut stream = server.subscribe([new_pokes(interest("playlist-id"))]).await;
    stream.live(Outcome::Fresh).await;
    let body = r#"{"domain":"PLAYLIST","filter":"playlist-id","data":"Updated"}"#;
    let answer = plain::post(&method(&server, "Publish"), "application/json", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/json");
    let position = &answer.json()["position"];
    assert!(position["epoch"].is_string());
    assert!(position["sequence"].is_string(), "int64 is a string in the JSON form of protobuf: {position}");
    assert_eq!(answer.json()["localReceiverCount"], 1);
    assert_eq!(stream.data(1).await, ["Updated"]);
}

#[tokio::test]
async fn in_json_null_is_a_value_and_a_missing_field_is_undefined() {
    let server = Server::start(Config::new()).await;
    let mut stream = server.subscribe([new_pokes(interest("f"))]).await;
    stream.live(Outcome::Fresh).await;
    for (data, arrives) in
        [("", None), (r#","data":null"#, Some(poke_tests::Data::null())), (r#","data":"""#, Some(text("")))]
    {
        let body = format!(r#"{{"domain":"PLAYLIST","filter":"f"{data}}}"#);
        assert_eq!(plain::post(&method(&server, "Publish"), "application/json", body).await.status, 200);
        assert_eq!(stream.poke().await.data, arrives, "{data}");
    }
}

#[tokio::test]
async fn json_that_is_not_of_the_contract_is_refused_by_name() {
    let server = Server::start(Config::new()).await;
    for (body, named) in [
        (r#"{"domain":"PLAYLIST","filter":"f","dta":1}"#, "dta"),
        (r#"{"domain":"PLAYLIST","filter":"f","data":9007199254740993}"#, "data"),
        (r#"{"domain":"PLAYLIST","filter":"f","data":[{"id":12345678901234567890}]}"#, "string"),
        (r#"{"domain":"PLAYLIST","filter":"f","data":9007199254740993.0}"#, "string"),
        (r#"{"domain":"PLAYLIST","filter":"f","data":1e999}"#, "data"),
        (r#"{"domain":"PLAYLIST","filter":"f","data":{"x":1e-400}}"#, "zero"),
        (r#"{"domain":5,"filter":"f"}"#, "domain"),
        (r#"{"domain":"PLAYLIST","filter":"f","data":"\ud800"}"#, ""),
        (r#"{"domain":"PLAYLIST","filter":"f","audience":"EVERYBODY"}"#, "audience"),
        (r#"{"domain":"PLAYLIST","filter":"f","#, ""),
        (r#"[]"#, ""),
        ("", ""),
        ("\u{0}", ""),
    ] {
        let answer = plain::post(&method(&server, "Publish"), "application/json", body).await;
        let error = answer.json();
        assert_eq!(
            (answer.status.as_u16(), error["code"].as_str()),
            (400, Some("invalid_argument")),
            "{body}: {error}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(answer.text().contains(named), "{body}: {error}");
        assert!(message.len() < 1000);
        let info = &error["details"][0];
        assert_eq!(info["type"], "google.rpc.ErrorInfo", "{error}");
        assert_eq!(info["debug"]["domain"], "poke.v1", "{error}");
    }
}

#[tokio::test]
async fn depth_24_passes_in_json_and_25_is_refused() {
    let server = Server::start(Config::new()).await;
    let nested = |depth: usize| {
        let data = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"domain":"PLAYLIST","filter":"f","data":{data}}}"#)
    };
    for (depth, status) in [(24, 200), (25, 400), (10_000, 400)] {
        let answer = plain::post(&method(&server, "Publish"), "application/json", nested(depth)).await;
        assert_eq!(answer.status, status, "{depth}: {}", answer.text());
    }
}

#[tokio::test]
async fn connect_takes_protobuf_without_an_envelope() {
    let server = Server::start(Config::new()).await;
    let message = request(&interest("f"), Some(text("x")));
    let answer = plain::post(&method(&server, "Publish"), "application/proto", message.encode_to_vec()).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &"application/proto".parse().unwrap()));
    assert!(PublishResponse::decode(answer.body).unwrap().position.is_some());
    // Errors are JSON whatever was asked in.
    let bad = PublishRequest { filter: String::new(), ..message };
    let answer = plain::post(&method(&server, "Publish"), "application/proto", bad.encode_to_vec()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (400, Some("invalid_argument")));
    let garbage = plain::post(&method(&server, "Publish"), "application/proto", vec![0xff; 20]).await;
    assert_eq!((garbage.status.as_u16(), garbage.json()["code"].as_str()), (400, Some("invalid_argument")));
    assert!(garbage.text().contains("INVALID_REQUEST"), "{}", garbage.text());
}

#[tokio::test]
async fn an_interest_ends_by_json_too() {
    let server = Server::start(Config::new()).await;
    let body = r#"{"domain":"PLAYLIST","filter":"f","data":{"winner":"home"}}"#;
    let first = plain::post(&method(&server, "EndInterest"), "application/json", body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let second = plain::post(&method(&server, "EndInterest"), "application/json", body).await;
    assert_eq!(first.json()["position"], second.json()["position"]);
    let refused = plain::post(&method(&server, "Publish"), "application/json", body).await;
    // Connect's status of failed_precondition.
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (400, Some("failed_precondition")));
}

#[tokio::test]
async fn every_status_of_the_contract_has_its_http_status_and_name_in_connect() {
    let server = Server::start(Config::without_domains().open("PLAYLIST")).await;
    let publish =
        async |body: Value| plain::post(&method(&server, "Publish"), "application/json", body.to_string()).await;
    publish(json!({"domain": "PLAYLIST", "filter": "f", "idempotencyKey": "k", "data": 1})).await;
    for (body, status, code, reason) in [
        (json!({"domain": "PLAYLIST", "filter": ""}), 400, "invalid_argument", "INVALID_FILTER"),
        (json!({"domain": "OTHER", "filter": "f"}), 404, "not_found", "UNKNOWN_DOMAIN"),
        (
            json!({"domain": "PLAYLIST", "filter": "f", "idempotencyKey": "k", "data": 2}),
            409,
            "already_exists",
            "IDEMPOTENCY_KEY_REUSED",
        ),
        (
            json!({"domain": "PLAYLIST", "filter": "f", "audience": "AUDIENCE_CUSTOMER", "customerId": "c"}),
            400,
            "failed_precondition",
            "WRONG_AUDIENCE",
        ),
        (
            json!({"domain": "PLAYLIST", "filter": "f", "data": "x".repeat(140_000)}),
            429,
            "resource_exhausted",
            "POKE_TOO_LARGE",
        ),
    ] {
        let answer = publish(body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
        assert_eq!(answer.json()["details"][0]["debug"]["reason"], reason);
    }
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_call_and_see_errors_and_others_may_not() {
    let server = Server::start(Config::new().set("cors.origins", r#"["https://app.example.com"]"#)).await;
    let preflight = async |origin: &str| {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri(method(&server, "Subscribe"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-grpc-web,authorization")
            .body(Full::default());
        plain::send(request.unwrap()).await
    };
    let allowed = preflight("https://app.example.com").await;
    assert!(allowed.status.is_success());
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://app.example.com");
    let other = preflight("https://evil.example.com").await;
    assert!(other.headers.get("access-control-allow-origin").is_none_or(|origin| origin != "https://evil.example.com"));

    // On an error too, a page may read the status.
    let request = Request::post(method(&server, "Publish"))
        .header("origin", "https://app.example.com")
        .header("content-type", "application/grpc-web+proto")
        .body(Full::new(framed(&PublishRequest::default()).into()));
    let answer = plain::send(request.unwrap()).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example.com");
    let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap().to_lowercase();
    for header in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        assert!(exposed.contains(header) || exposed == "*", "{exposed}");
    }
}

#[tokio::test]
async fn what_the_server_does_not_speak_is_refused_politely() {
    let server = Server::start(Config::new()).await;
    let url = method(&server, "Publish");
    let answer = plain::post(&url, "text/plain", "hello").await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let answer = plain::get(&url).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let answer = plain::get(&format!("{}/../../etc/passwd", server.url())).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
}
