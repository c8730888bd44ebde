//! grpcurl (Go) knows nothing but the server's reflection.

use poke_tests::{
    Config, Server, interest, new_pokes,
    tools::{grpcurl, run, run_well},
    v1::Outcome,
};
use serde_json::Value;

const PUBLISH: &str = "poke.v1.PokeService/Publish";

#[tokio::test]
#[ignore = "needs grpcurl: tests/run foreign"]
async fn it_lists_and_describes_the_service() {
    let server = Server::start(Config::new()).await;
    let address = server.address().to_string();
    let mut list = grpcurl();
    list.args(["-plaintext", &address, "list"]);
    let services = run_well(list).await;
    for service in ["poke.v1.PokeService", "grpc.health.v1.Health"] {
        assert!(services.lines().any(|line| line == service), "{services}");
    }
    for (symbol, says) in [
        ("poke.v1.PokeService", "rpc Subscribe ( .poke.v1.SubscribeRequest ) returns ( stream"),
        ("poke.v1.PublishRequest", ".google.protobuf.Value data = 3"),
        ("google.rpc.ErrorInfo", "string reason = 1"),
        ("google.rpc.RetryInfo", "retry_delay"),
    ] {
        let mut describe = grpcurl();
        describe.args(["-plaintext", &address, "describe", symbol]);
        let description = run_well(describe).await;
        assert!(description.contains(says), "{description}");
    }
}

#[tokio::test]
#[ignore = "needs grpcurl: tests/run foreign"]
async fn it_publishes_json_as_people_write_it() {
    let server = Server::start(Config::new()).await;
    let mut stream = server.subscribe([new_pokes(interest("playlist-id"))]).await;
    stream.live(Outcome::Fresh).await;
    let mut publish = grpcurl();
    let body = r#"{"domain":"PLAYLIST","filter":"playlist-id","data":"Updated"}"#;
    publish.args(["-plaintext", "-d", body, &server.address().to_string(), PUBLISH]);
    let answer: Value = serde_json::from_str(&run_well(publish).await).unwrap();
    assert!(answer["position"]["sequence"].is_string() && answer["localReceiverCount"] == 1, "{answer}");
    assert_eq!(stream.data(1).await, ["Updated"]);
}

#[tokio::test]
#[ignore = "needs grpcurl: tests/run foreign"]
async fn it_subscribes_to_the_end() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    publisher.poke(&interest("f"), "x").await;
    publisher.end(&interest("f"), None).await;
    let mut subscribe = grpcurl();
    let body = r#"{"subscriptions":[{"interest":{"domain":"PLAYLIST","filter":"f"},"latest":{}}]}"#;
    subscribe.args(["-plaintext", "-d", body, &server.address().to_string(), "poke.v1.PokeService/Subscribe"]);
    let events = run_well(subscribe).await;
    let events: Vec<Value> = serde_json::Deserializer::from_str(&events).into_iter().collect::<Result<_, _>>().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.as_object().unwrap().keys().next().unwrap().as_str()).collect();
    assert_eq!(kinds, ["welcome", "subscribed", "poke", "ended"]);
    assert_eq!(events[2]["poke"]["data"], "x");
}

#[tokio::test]
#[ignore = "needs grpcurl: tests/run foreign"]
async fn it_prints_the_details_of_an_error() {
    let server = Server::start(Config::new()).await;
    let mut publish = grpcurl();
    let body = r#"{"domain":"PLAYLIST","filter":""}"#;
    publish.args(["-plaintext", "-d", body, &server.address().to_string(), PUBLISH]);
    let output = run(publish).await;
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    for part in ["InvalidArgument", "google.rpc.ErrorInfo", "INVALID_FILTER", "poke.v1", "google.rpc.BadRequest"] {
        assert!(error.contains(part), "{part} is missing in {error}");
    }
}

#[tokio::test]
#[ignore = "needs grpcurl: tests/run foreign"]
async fn it_asks_for_the_health() {
    let server = Server::start(Config::new()).await;
    for service in ["", "poke.v1.PokeService"] {
        let mut check = grpcurl();
        let body = format!(r#"{{"service":"{service}"}}"#);
        check.args(["-plaintext", "-d", &body, &server.address().to_string(), "grpc.health.v1.Health/Check"]);
        assert!(run_well(check).await.contains("SERVING"));
    }
}

#[tokio::test]
#[ignore = "needs grpcurl: tests/run foreign"]
async fn reflection_can_be_switched_off() {
    let server = Server::start(Config::new().set("reflection", false)).await;
    let mut list = grpcurl();
    list.args(["-plaintext", &server.address().to_string(), "list"]);
    let output = run(list).await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("reflection"), "{output:?}");
}
