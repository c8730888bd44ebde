//! What the contract promises to publishers that retry.

use poke_tests::{
    Config, Publisher, Server, interest, json, latest, new_pokes, refusal, request, text,
    v1::{Interest, Outcome, PublishRequest},
};
use serde_json::json;
use tonic::Code;

fn keyed(interest: &Interest, key: &str, data: &str) -> PublishRequest {
    PublishRequest { idempotency_key: key.into(), ..request(interest, Some(text(data))) }
}

#[tokio::test]
async fn a_repeat_answers_with_the_first_position_and_is_not_delivered_again() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("repeat");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;

    let first = publisher.send(keyed(&ours, "key", "x")).await.unwrap();
    assert_ne!(first.duplicate, Some(true));
    for _ in 0..3 {
        let repeat = server.publisher().await.send(keyed(&ours, "key", "x")).await.unwrap();
        assert_eq!((repeat.position, repeat.duplicate), (first.position.clone(), Some(true)));
    }
    publisher.poke(&ours, "next").await;
    assert_eq!(stream.data(2).await, ["x", "next"]);
}

#[tokio::test]
async fn other_content_under_the_same_key_is_refused_and_not_delivered() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("conflict");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;

    publisher.send(keyed(&ours, "key", "x")).await.unwrap();
    let absent = PublishRequest { data: None, ..keyed(&ours, "key", "") };
    for other in [keyed(&ours, "key", "y"), keyed(&ours, "key", ""), absent] {
        let refused = refusal(&publisher.send(other).await.expect_err("other content"));
        assert_eq!((refused.code, refused.reason.as_str()), (Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"));
        assert_eq!(refused.retry, None);
    }
    publisher.poke(&ours, "next").await;
    assert_eq!(stream.data(2).await, ["x", "next"]);
}

#[tokio::test]
async fn content_is_compared_in_canonical_form() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("order");
    let with = |data| PublishRequest { idempotency_key: "key".into(), ..request(&ours, Some(data)) };
    publisher.send(with(json(json!({"a": 1, "b": 2})))).await.unwrap();
    let url = format!("{}/poke.v1.PokeService/Publish", server.url());
    let body = r#"{"domain":"PLAYLIST","filter":"order","data":{"b":2.0,"a":1},"idempotencyKey":"key"}"#;
    let answer = poke_tests::http::post(&url, "application/json", body).await;
    assert_eq!(answer.json()["duplicate"], true, "{}", answer.text());
}

#[tokio::test]
async fn a_key_belongs_to_one_interest() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let first = publisher.send(keyed(&interest("a"), "key", "x")).await.unwrap();
    let second = publisher.send(keyed(&interest("b"), "key", "y")).await.unwrap();
    assert_ne!(first.position, second.position);
    assert_ne!(second.duplicate, Some(true));
}

#[tokio::test]
async fn concurrent_retries_of_one_publish_give_one_poke() {
    let server = Server::start(Config::new()).await;
    let ours = interest("race");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    let publisher = server.publisher().await;
    let send = |mut publisher: Publisher, request| async move { publisher.send(request).await.unwrap() };
    let racing: Vec<_> = (0..20).map(|_| tokio::spawn(send(publisher.clone(), keyed(&ours, "key", "x")))).collect();
    let mut firsts = 0;
    let mut positions = Vec::new();
    for answer in racing {
        let answer = answer.await.unwrap();
        firsts += usize::from(answer.duplicate != Some(true));
        positions.push(answer.position);
    }
    positions.dedup();
    assert_eq!((firsts, positions.len()), (1, 1));
    publisher.clone().poke(&ours, "next").await;
    assert_eq!(stream.data(2).await, ["x", "next"]);
}

#[tokio::test]
async fn the_key_is_checked_before_the_end_of_the_interest() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("ended");
    let first = publisher.send(keyed(&ours, "key", "x")).await.unwrap();
    publisher.end(&ours, None).await;
    let repeat = publisher.send(keyed(&ours, "key", "x")).await.unwrap();
    assert_eq!((repeat.position, repeat.duplicate), (first.position, Some(true)));
    let fresh = publisher.send(keyed(&ours, "other", "x")).await.expect_err("the interest has ended");
    assert_eq!(refusal(&fresh).reason, "INTEREST_ENDED");
}

#[tokio::test]
async fn a_key_is_1_to_128_printable_ascii_characters() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("keys");
    for good in ["k", "!~", "0f8fad5b-d9cb-469f-a165-70867728950e", &"k".repeat(128)] {
        publisher.send(keyed(&ours, good, "x")).await.unwrap();
    }
    for bad in ["ü", "a\nb", "\u{7f}", "tab\t", &"k".repeat(129)] {
        let refused = refusal(&publisher.send(keyed(&ours, bad, "x")).await.expect_err(bad));
        assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_IDEMPOTENCY_KEY"));
        assert_eq!(refused.fields, ["idempotency_key"]);
        assert!(!refused.message.contains(bad));
    }
    // No key at all: two pokes.
    let (first, second) = (publisher.poke(&ours, "x").await, publisher.poke(&ours, "x").await);
    assert_ne!(first, second);
    let mut late = server.subscribe([latest(ours)]).await;
    late.live(Outcome::Fresh).await;
    assert_eq!(late.poke().await.position, Some(second));
}
