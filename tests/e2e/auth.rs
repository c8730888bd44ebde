//! Who may call what: every method with every kind of credentials in every protocol, as the contract's table has it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use poke_tests::{
    Config, Event, Server, envelope, envelopes,
    http::{self as plain, Answer},
    refusal,
    token::{Issuer, api_key, seconds},
    v1::{SubscribeRequest, SubscribeResponse, Subscription},
};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Code, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Grpc,
    GrpcWeb,
    Json,
}

const PROTOCOLS: [Protocol; 3] = [Protocol::Grpc, Protocol::GrpcWeb, Protocol::Json];

/// A call, in the forms of all protocols.
struct Call {
    path: &'static str,
    message: Vec<u8>,
    json: Value,
    is_stream: bool,
}

/// Domain and filter are fields 1 and 2 of everything.
fn fields(domain: &str) -> Vec<u8> {
    let text = |field: u8, text: &str| [&[field << 3 | 2, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [text(1, domain), text(2, "f")].concat()
}

fn publish(domain: &str) -> Call {
    let json = json!({"domain": domain, "filter": "f"});
    Call { path: "poke.v1.PokeService/Publish", message: fields(domain), json, is_stream: false }
}

fn end(domain: &str) -> Call {
    Call { path: "poke.v1.PokeService/EndInterest", ..publish(domain) }
}

fn subscribe(domain: &str) -> Call {
    let interest = poke_tests::v1::Interest { domain: domain.into(), filter: "f".into(), audience: 0 };
    let subscriptions = vec![Subscription { interest: Some(interest), start: None }];
    Call {
        path: "poke.v1.PokeService/Subscribe",
        message: SubscribeRequest { subscriptions }.encode_to_vec(),
        json: json!({"subscriptions": [{"interest": {"domain": domain, "filter": "f"}}]}),
        is_stream: true,
    }
}

impl Protocol {
    /// Makes the call and reads the answer to its end; a stream that goes on ends by its deadline.
    async fn call(self, server: &Server, call: &Call, authorization: Option<&str>) -> Answer {
        let mut request = Request::post(format!("{}/{}", server.url(), call.path));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let body = match (self, call.is_stream) {
            (Self::Json, false) => call.json.to_string().into_bytes(),
            (Self::Json, true) => envelope(0, call.json.to_string().as_bytes()),
            _ => envelope(0, &call.message),
        };
        let (kind, timeout, value) = match (self, call.is_stream) {
            (Self::Grpc, _) => ("application/grpc", "grpc-timeout", "1S"),
            (Self::GrpcWeb, _) => ("application/grpc-web+proto", "grpc-timeout", "1S"),
            (Self::Json, false) => ("application/json", "x-none", ""),
            (Self::Json, true) => ("application/connect+json", "connect-timeout-ms", "1000"),
        };
        request = request.header("content-type", kind).header("te", "trailers");
        if call.is_stream {
            request = request.header(timeout, value);
        }
        let body = Bytes::from(body);
        if self == Self::Grpc {
            plain::send_http2(request.body(body).unwrap()).await.unwrap()
        } else {
            plain::send(request.body(Full::new(body)).unwrap()).await
        }
    }

    /// What the answer comes to: its code and reason, those of the rejected interest if there is one, and OK if all went
    /// well or a stream is live.
    fn outcome(self, call: &Call, answer: &Answer) -> (Code, String) {
        match (self, call.is_stream) {
            (Self::Json, false) if answer.status == 200 => (Code::Ok, String::new()),
            (Self::Json, false) => connect_error(&answer.json()),
            (Self::Json, true) => connect_stream(answer.body.clone()),
            _ => grpc(answer),
        }
    }
}

fn grpc(answer: &Answer) -> (Code, String) {
    let frames = envelopes(answer.body.clone());
    let messages = frames.iter().filter(|(flags, _)| *flags == 0);
    for event in messages.filter_map(|(_, message)| SubscribeResponse::decode(message.clone()).ok()?.event) {
        match event {
            Event::Rejected(rejected) => return (Code::from(rejected.code), rejected.reason),
            Event::Subscribed(_) => return (Code::Ok, String::new()),
            _ => {}
        }
    }
    let web = frames.iter().find(|(flags, _)| *flags == 0x80).map(|(_, trailers)| header_map(trailers));
    let headers = [Some(answer.trailers.clone()), web, Some(answer.headers.clone())];
    let status = headers.into_iter().flatten().find_map(|headers| Status::from_header_map(&headers));
    let status = status.unwrap_or_else(|| panic!("no status in {answer:?}"));
    let reason = if status.code() == Code::Ok { String::new() } else { refusal(&status).reason };
    (status.code(), reason)
}

fn header_map(lines: &[u8]) -> HeaderMap {
    let lines = String::from_utf8_lossy(lines).into_owned();
    let pairs = lines.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim()).unwrap()))
        .collect()
}

fn connect_stream(body: Bytes) -> (Code, String) {
    for (flags, frame) in envelopes(body) {
        let json: Value = serde_json::from_slice(&frame).unwrap();
        match (flags, json.get("rejected"), json.get("subscribed")) {
            (0, Some(rejected), _) => {
                let code = i32::try_from(rejected["code"].as_i64().unwrap()).unwrap();
                return (Code::from(code), rejected["reason"].as_str().unwrap().into());
            }
            (0, _, Some(_)) => return (Code::Ok, String::new()),
            (2, ..) => return connect_error(&json["error"]),
            _ => {}
        }
    }
    panic!("the stream has no end")
}

fn connect_error(error: &Value) -> (Code, String) {
    let code = match error["code"].as_str() {
        Some("unauthenticated") => Code::Unauthenticated,
        Some("permission_denied") => Code::PermissionDenied,
        Some("not_found") => Code::NotFound,
        Some("failed_precondition") => Code::FailedPrecondition,
        other => panic!("{other:?} in {error}"),
    };
    // The detail is an ErrorInfo, whose first field is the reason; the debug form has it in words.
    let detail = &error["details"][0];
    assert!(BASE64_STANDARD.decode(pad(detail["value"].as_str().unwrap())).is_ok());
    (code, detail["debug"]["reason"].as_str().unwrap().into())
}

fn pad(text: &str) -> String {
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

/// A server where editors publish to PLAYLIST, and whom a token grants it listens.
async fn server(issuer: &Issuer) -> (Server, String) {
    let (key, hash) = api_key().await;
    let editors = r#"[{ issuer = "app", claims = { role = "editor" } }, { key = "publisher", rights = ["publish"] }]"#;
    let config = issuer
        .known(Config::without_domains(), false)
        .set("keys.publisher", hash)
        .set("domains.PLAYLIST.publishers", editors)
        .text("domains.PLAYLIST.subscribers", "grant")
        .set("domains.KNOWN", r#"{ subscribers = "authenticated" }"#)
        .open("OPEN");
    (Server::start(config).await, key)
}

#[tokio::test]
async fn every_method_with_every_credential_in_every_protocol_answers_as_documented() {
    let issuer = Issuer::new("app");
    let (server, key) = server(&issuer).await;
    let editor = json!({"role": "editor", "poke": [{"domain": "PLAYLIST", "filters": ["f"]}]});
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let claims = |name: &str, value: Value| {
        let mut claims = editor.clone();
        claims[name] = value;
        bearer(&issuer.token_with(claims))
    };
    let unauthenticated = |reason: &'static str| (Code::Unauthenticated, reason);
    let denied = |reason: &'static str| (Code::PermissionDenied, reason);
    let ok = (Code::Ok, "");
    let (needed, invalid) = (unauthenticated("CREDENTIALS_REQUIRED"), unauthenticated("INVALID_CREDENTIALS"));
    let expired = unauthenticated("TOKEN_EXPIRED");
    let (unlisted, ungranted) = (denied("NOT_A_PUBLISHER"), denied("NOT_GRANTED"));
    // Credentials, and the answers to: Publish, EndInterest, Subscribe.
    let table = [
        ("none", None, [needed, needed, needed]),
        ("bad", bearer(&Issuer::new("app").token_with(editor.clone())), [invalid; 3]),
        ("no token", bearer("nonsense"), [invalid; 3]),
        ("unknown key", bearer("poke_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), [invalid; 3]),
        ("other scheme", Some("Basic YTpi".into()), [invalid; 3]),
        ("expired", claims("exp", (seconds() - 1).into()), [expired; 3]),
        ("wrong audience", claims("aud", "other".into()), [invalid; 3]),
        ("wrong role", bearer(&issuer.token_with(json!({"role": "reader"}))), [unlisted, unlisted, ungranted]),
        ("key without the right to end", bearer(&key), [ok, unlisted, ungranted]),
        ("good", bearer(&issuer.token_with(editor.clone())), [ok, ok, ok]),
    ];
    for protocol in PROTOCOLS {
        for (name, authorization, answers) in &table {
            let calls = [publish("PLAYLIST"), end("PLAYLIST"), subscribe("PLAYLIST")];
            for (call, (code, reason)) in calls.iter().zip(answers) {
                let answer = protocol.call(&server, call, authorization.as_deref()).await;
                let mut outcome = protocol.outcome(call, &answer);
                // The good one has ended it in an earlier protocol.
                if outcome.1 == "INTEREST_ENDED" {
                    outcome = (Code::Ok, String::new());
                }
                assert_eq!(outcome, (*code, (*reason).to_owned()), "{protocol:?}, {name}, {}", call.path);
            }
        }
    }
}

#[tokio::test]
async fn a_domain_says_who_may_listen_and_an_unknown_one_is_not_found() {
    let issuer = Issuer::new("app");
    let (server, key) = server(&issuer).await;
    let (stranger, known) = (None, Some(format!("Bearer {key}")));
    let nobody = (Code::PermissionDenied, "NO_PUBLISHERS");
    for (call, authorization, expected) in [
        (publish("OPEN"), &stranger, (Code::Ok, "")),
        (subscribe("OPEN"), &stranger, (Code::Ok, "")),
        (subscribe("KNOWN"), &stranger, (Code::Unauthenticated, "CREDENTIALS_REQUIRED")),
        (subscribe("KNOWN"), &known, (Code::Ok, "")),
        (publish("KNOWN"), &stranger, nobody),
        (publish("KNOWN"), &known, nobody),
        (publish("NOWHERE"), &known, (Code::NotFound, "UNKNOWN_DOMAIN")),
        (subscribe("NOWHERE"), &stranger, (Code::NotFound, "UNKNOWN_DOMAIN")),
    ] {
        for protocol in PROTOCOLS {
            let answer = protocol.call(&server, &call, authorization.as_deref()).await;
            let (code, reason) = protocol.outcome(&call, &answer);
            assert_eq!((code, reason.as_str()), expected, "{protocol:?} {}", call.path);
        }
    }
}

#[tokio::test]
async fn health_and_reflection_answer_whoever_asks() {
    let issuer = Issuer::new("app");
    let (server, key) = server(&issuer).await;
    let health = Call { path: "grpc.health.v1.Health/Check", message: vec![], json: json!({}), is_stream: false };
    // list_services, field 7.
    let (message, json) = (vec![7 << 3 | 2, 1, b'*'], json!({"listServices": "*"}));
    let v1 = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let v1alpha = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    let reflection = |path| Call { path, message: message.clone(), json: json.clone(), is_stream: false };
    for call in [health, reflection(v1), reflection(v1alpha)] {
        for protocol in [Protocol::Grpc, Protocol::GrpcWeb] {
            let anonymous = protocol.call(&server, &call, None).await;
            assert_eq!(grpc(&anonymous).0, Code::Ok, "{protocol:?} {}", call.path);
            let expired = issuer.token_with(json!({"exp": seconds() - 1}));
            let other = issuer.token_with(json!({"aud": "other"}));
            let role = issuer.token_with(json!({"role": "reader"}));
            for token in ["nonsense", &expired, &other, &role, &key] {
                let answer = protocol.call(&server, &call, Some(&format!("Bearer {token}"))).await;
                assert_eq!((&answer.body, grpc(&answer).0), (&anonymous.body, Code::Ok), "{protocol:?} {}", call.path);
            }
        }
        // Unary JSON isn't spoken there, which is no secret either.
        let [without, with] =
            [None, Some("Bearer nonsense")].map(|authorization| Protocol::Json.call(&server, &call, authorization));
        let (without, with) = (without.await, with.await);
        assert_eq!((without.status, &without.body), (with.status, &with.body), "{}", call.path);
    }
}
