//! `buf curl` (Go, connect-go), by gRPC, gRPC-Web and Connect.

use poke_tests::{
    Config, Server, interest, new_pokes,
    tools::{buf, run, run_well},
    v1::Outcome,
};
use serde_json::Value;

/// A call of a method, with the schema from reflection.
fn call(server: &Server, protocol: &str, method: &str, body: &str) -> std::process::Command {
    let mut command = buf();
    let url = format!("{}/poke.v1.PokeService/{method}", server.url());
    command.args(["curl", "--data", body]);
    // Connect is its default.
    if protocol != "connect" {
        command.args(["--protocol", protocol]);
    }
    // Plaintext HTTP/2 has to be asked for; reflection is a stream in both directions, which needs it.
    command.args(["--http2-prior-knowledge", &url]);
    command
}

#[tokio::test]
#[ignore = "needs buf: tests/run foreign"]
async fn it_publishes_by_every_protocol() {
    let server = Server::start(Config::new()).await;
    let mut stream = server.subscribe([new_pokes(interest("playlist-id"))]).await;
    stream.live(Outcome::Fresh).await;
    for protocol in ["grpc", "grpcweb", "connect"] {
        let body = format!(r#"{{"domain":"PLAYLIST","filter":"playlist-id","data":{{"by":"{protocol}"}}}}"#);
        let answer: Value = serde_json::from_str(&run_well(call(&server, protocol, "Publish", &body)).await).unwrap();
        assert_eq!(answer["localReceiverCount"], 1, "{answer}");
        assert_eq!(stream.data(1).await, [serde_json::json!({"by": protocol})]);
    }
}

#[tokio::test]
#[ignore = "needs buf: tests/run foreign"]
async fn both_versions_of_reflection_answer() {
    let server = Server::start(Config::new()).await;
    for protocol in ["grpc", "connect"] {
        for version in ["grpc-v1", "grpc-v1alpha"] {
            let mut publish = call(&server, protocol, "Publish", r#"{"domain":"PLAYLIST","filter":"f"}"#);
            publish.args(["--reflect-protocol", version]);
            run_well(publish).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs buf: tests/run foreign"]
async fn it_subscribes_to_the_end() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    publisher.poke(&interest("f"), "x").await;
    publisher.end(&interest("f"), None).await;
    let body = r#"{"subscriptions":[{"interest":{"domain":"PLAYLIST","filter":"f"},"latest":{}}]}"#;
    for protocol in ["grpc", "grpcweb", "connect"] {
        let events = run_well(call(&server, protocol, "Subscribe", body)).await;
        for kind in ["welcome", "subscribed", "poke", "ended"] {
            assert!(events.contains(&format!("\"{kind}\"")), "{protocol}: {kind} is missing in {events}");
        }
    }
}

#[tokio::test]
#[ignore = "needs buf: tests/run foreign"]
async fn it_ends_an_interest_and_prints_what_publish_is_refused_with() {
    let server = Server::start(Config::new()).await;
    let body = r#"{"domain":"PLAYLIST","filter":"f"}"#;
    for protocol in ["grpc", "grpcweb", "connect"] {
        run_well(call(&server, protocol, "EndInterest", body)).await;
        let output = run(call(&server, protocol, "Publish", body)).await;
        assert!(!output.status.success());
        let error = String::from_utf8_lossy(&output.stderr);
        // It prints a detail's value as it is: this is the ErrorInfo with INTEREST_ENDED and poke.v1 in base64.
        for part in ["failed_precondition", "google.rpc.ErrorInfo", "Cg5JTlRFUkVTVF9FTkRFRBIHcG9rZS52MQ"] {
            assert!(error.contains(part), "{protocol}: {part} is missing in {error}");
        }
    }
}
