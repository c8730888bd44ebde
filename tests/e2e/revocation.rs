//! A customer's tokens are revoked by an operator.

use poke_tests::{
    Config, Event, Server, Stream, eventually, http, new_pokes, refusal, text,
    token::{Issuer, bearing, seconds},
    v1::{Audience, Interest, PublishRequest, SubscribeRequest},
};
use serde_json::json;
use tonic::{Code, Status};

const OPERATOR: &str = "poke_operatorAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OPERATOR_HASH: &str = "sha256:16daaa78c52d730cf242e66b0d43d75d1eea05c19f03d0715bc1c207fba8dc58";
const BACKEND: &str = "poke_backendAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const BACKEND_HASH: &str = "sha256:d420a84e5ab4a7a1ff3ac2960e26d599cc9134c4689901a194c8e8abbe427743";

/// The back end publishes to customers, and the operator administers.
fn config(issuer: &Issuer) -> Config {
    let config = Config::without_domains().text("keys.backend", BACKEND_HASH).text("keys.operator", OPERATOR_HASH);
    let config = config.set("admins", r#"[{ key = "operator" }]"#).text("domains.LETTER.audience", "customer");
    issuer.known(config.set("domains.LETTER.publishers", r#"[{ key = "backend" }]"#), true)
}

async fn subscribe(server: &Server, token: &str) -> Result<Stream, Status> {
    let interest = Interest { domain: "LETTER".into(), filter: "inbox".into(), audience: Audience::Customer.into() };
    let request = bearing(token, SubscribeRequest { subscriptions: vec![new_pokes(interest)] });
    Stream::try_send(&mut server.connect().await, request).await
}

fn letter(customer: &str, data: &str) -> PublishRequest {
    PublishRequest {
        domain: "LETTER".into(),
        filter: "inbox".into(),
        data: Some(text(data)),
        audience: Audience::Customer.into(),
        customer_id: customer.into(),
        ..Default::default()
    }
}

async fn revoke(server: &Server, bearer: Option<&str>, body: &str) -> (u16, String) {
    let request = ::http::Request::post(format!("http://{}/revoke", server.admin_address()));
    let request = match bearer {
        Some(bearer) => request.header("authorization", format!("Bearer {bearer}")),
        None => request,
    };
    let answer = http::send(request.body(body.to_owned().into()).unwrap()).await;
    (answer.status.as_u16(), answer.text())
}

#[tokio::test]
async fn a_customers_streams_end_at_once_and_only_a_newer_token_is_let_in() {
    let issuer = Issuer::new("app");
    let server = Server::start(config(&issuer)).await;
    let mut publisher = server.publisher().await;
    let [alice, bob] = ["alice", "bob"].map(|subject| issuer.token(subject));
    let mut hers = Vec::new();
    for _ in 0..20 {
        hers.push(subscribe(&server, &alice).await.unwrap());
    }
    let mut his = subscribe(&server, &bob).await.unwrap();
    publisher.send(bearing(BACKEND, letter("alice", "before"))).await.unwrap();
    for stream in &mut hers {
        stream.subscribed().await;
        assert_eq!(stream.data(1).await, ["before"]);
    }

    let order = r#"{"customerId":"alice"}"#;
    let (status, message) = revoke(&server, Some(OPERATOR), order).await;
    assert!(status == 200 && message.starts_with("20 streams of this customer ended on this server; "), "{message}");
    publisher.send(bearing(BACKEND, letter("alice", "after"))).await.unwrap();
    for stream in &mut hers {
        let refused = refusal(&stream.ends_next().await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Unauthenticated, "TOKEN_REVOKED"));
        assert_eq!(refused.retry, None, "the client gets a new token, and tries once");
    }
    publisher.send(bearing(BACKEND, letter("bob", "his"))).await.unwrap();
    his.subscribed().await;
    assert_eq!(his.data(1).await, ["his"]);

    // Hers is out on every method, wherever it is used; whoever made it earlier as well.
    for token in [alice.clone(), issuer.token_with(json!({ "sub": "alice", "iat": 0 }))] {
        assert_eq!(refusal(&subscribe(&server, &token).await.unwrap_err()).reason, "TOKEN_REVOKED");
        let refused = publisher.send(bearing(&token, letter("alice", "x"))).await.unwrap_err();
        assert_eq!(refusal(&refused).reason, "TOKEN_REVOKED");
    }
    let undated = issuer.token_with(json!({ "sub": "alice", "iat": null }));
    assert!(subscribe(&server, &undated).await.is_err(), "it can be an old one");
    let revoked = seconds();
    eventually("the next second", async || (seconds() > revoked).then_some(())).await;
    let newer = issuer.token("alice");
    let mut back = subscribe(&server, &newer).await.unwrap();
    back.subscribed().await;

    publisher.send(bearing(BACKEND, letter("alice", "again"))).await.unwrap();
    assert_eq!(back.data(1).await, ["again"]);

    // Done again it counts from then.
    assert_eq!(revoke(&server, Some(OPERATOR), order).await.0, 200);
    assert_eq!(refusal(&back.ends_next().await).reason, "TOKEN_REVOKED");
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum_where("poke_streams_ended_total", "withdrawn"), 21.0);
    assert_eq!(metrics.sum("poke_customers_revoked"), 1.0);
    assert!(!server.log().iter().any(|line| line.contains("alice")), "a customer's id is no matter for the log");
}

#[tokio::test]
async fn only_who_administers_can_and_is_told_what_is_wrong() {
    let issuer = Issuer::new("app");
    let server = Server::start(config(&issuer).set("admin.revocations", 1)).await;
    let alice = issuer.token("alice");
    let mut stream = subscribe(&server, &alice).await.unwrap();
    let order = r#"{"customerId":"alice"}"#;
    for (bearer, status) in
        [(None, 401), (Some("poke_unknown"), 401), (Some(BACKEND), 403), (Some(alice.as_str()), 403)]
    {
        let (answered, message) = revoke(&server, bearer, order).await;
        assert_eq!(answered, status, "{message}");
    }
    let long = format!(r#"{{"customerId":"{}"}}"#, "x".repeat(257));
    let huge = format!(r#"{{"customerId":"{}"}}"#, "x".repeat(100_000));
    for body in
        ["", "{}", "alice", r#"{"customerId":""}"#, r#"{"customerId":"a\nb"}"#, r#"{"customer":"a"}"#, &long, &huge]
    {
        let (answered, message) = revoke(&server, Some(OPERATOR), body).await;
        assert_eq!(answered, 400, "{message}");
        assert!(message.len() < 200 && !message.contains("xxx"), "{message}");
    }
    assert_eq!(server.admin("/revoke").await.status, 405);
    let Event::Subscribed(_) = stream.next().await else { panic!("nobody has revoked anything") };
    let (answered, message) = revoke(&server, Some(OPERATOR), "\u{feff}{\"customer_id\":\"bob\"}").await;
    assert!(answered == 200 && message.starts_with("no stream of this customer was open"), "{message}");
    let (answered, message) = revoke(&server, Some(OPERATOR), order).await;
    assert_eq!((answered, message.contains("admin.revocations")), (507, true), "{message}");
    assert_eq!(revoke(&server, Some(OPERATOR), r#"{"customerId":"bob"}"#).await.0, 200, "once more takes no room");
}

#[tokio::test]
async fn nobody_is_said_to_be_revoked_who_can_be_no_customer() {
    let (one, two) = (Issuer::new("one"), Issuer::new("two"));
    let config = |customers| two.known(one.known(config(&one), customers), customers);
    for (customers, body, expected) in [
        (false, r#"{"customerId":"alice"}"#, "no issuer of tokens names customers"),
        (true, r#"{"customerId":"alice"}"#, "write the id as ALIAS:ID"),
        (true, r#"{"customerId":"three:alice"}"#, "write the id as ALIAS:ID"),
        (true, r#"{"customerId":"two:alice"}"#, "no stream of this customer was open"),
    ] {
        let server = Server::start(config(customers)).await;
        let (answered, message) = revoke(&server, Some(OPERATOR), body).await;
        assert_eq!(answered, if expected.starts_with("no stream") { 200 } else { 400 });
        assert!(message.contains(expected), "{message}");
    }
}
