//! Python's grpcio (C core), with stubs that grpcio-tools made from the contract.

use poke_tests::{
    Config, Server, interest, json,
    tools::{Listener, python_client, run, run_well},
};
use serde_json::{Value, json};

fn listen(server: &Server, filters: &[&str]) -> Listener {
    let mut command = python_client();
    command.arg(server.address().to_string()).arg("listen").args(filters);
    let listener = Listener::start(command);
    for _ in filters {
        assert_eq!(listener.event("subscribed")["outcome"], "OUTCOME_FRESH");
    }
    listener
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs grpcio: tests/run foreign"]
async fn it_publishes_and_shows_the_details_of_errors() {
    let server = Server::start(Config::new()).await;
    let address = server.address().to_string();
    let publish = |filter: &str| {
        let mut command = python_client();
        command.args([&address, "publish", "PLAYLIST", filter, r#"{"a":[null,1.5,"é"]}"#]);
        command
    };
    let answer: Value = serde_json::from_str(&run_well(publish("f")).await).unwrap();
    assert!(answer["position"]["epoch"].is_string(), "{answer}");
    let output = run(publish("")).await;
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(error["code"], "INVALID_ARGUMENT");
    assert_eq!(error["details"][0]["type"], "google.rpc.ErrorInfo", "{error}");
    assert_eq!(error["details"][0]["reason"], "INVALID_FILTER");
    assert_eq!(error["details"][1]["fieldViolations"][0]["field"], "filter", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs grpcio: tests/run foreign"]
async fn it_receives_every_kind_of_data_and_the_end() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let listener = listen(&server, &["f"]);
    // What the deepest data costs a protobuf runtime shows here: upb stops at 100 levels.
    let deepest = (0..24).fold(json!("x"), |inner, _| json!({ "k": inner }));
    for value in [json!("text"), json!(null), json!({"a": [1.5, true, {}]}), deepest] {
        publisher.publish(&interest("f"), json(value.clone())).await;
        assert_eq!(listener.event("poke")["data"], value);
    }
    publisher.publish(&interest("f"), poke_tests::text(&"x".repeat(131_000))).await;
    assert_eq!(listener.event("poke")["data"].as_str().map(str::len), Some(131_000));
    publisher.end(&interest("f"), None).await;
    assert!(listener.event("ended").get("data").is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs grpcio: tests/run foreign"]
async fn it_moves_before_it_breaks_when_its_stream_ages() {
    let config = Config::new().text("stream.max_age", "1s").text("stream.move_timeout", "2s");
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let listener = listen(&server, &["f", "g"]);
    let (mut count, mut moves) = (0, 0);
    while moves < 4 {
        publisher.poke(&interest("f"), &count.to_string()).await;
        loop {
            let line = listener.next();
            match line["event"].as_str().unwrap() {
                "poke" => break assert_eq!(line["data"], count.to_string()),
                "reconnect" => moves += 1,
                "subscribed" => assert_eq!(line["outcome"], "OUTCOME_RECOVERED", "{line}"),
                // A move that began late can lose the race against the end of the old stream.
                "lost" => assert_eq!(line["code"], "UNAVAILABLE", "{line}"),
                other => panic!("{other}: {line}"),
            }
        }
        count += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs grpcio: tests/run foreign"]
async fn it_moves_to_a_new_server_on_the_same_address() {
    let config = || Config::new().text("drain.window", "2s");
    let mut old = Server::start(config()).await;
    let listeners: Vec<_> = (0..5).map(|_| listen(&old, &["rolling"])).collect();
    old.publisher().await.poke(&interest("rolling"), "old").await;
    let new = old.replace(config()).await;
    assert_eq!(old.exited().await.code(), Some(0));
    new.publisher().await.poke(&interest("rolling"), "new").await;
    for listener in &listeners {
        assert_eq!(listener.event("poke")["data"], "old");
        assert_eq!(listener.event("reconnect")["reason"], "RECONNECT_REASON_DRAIN");
        assert_eq!(listener.event("gap")["reason"], "GAP_REASON_EPOCH_CHANGED");
        assert_eq!(listener.event("poke")["data"], "new");
    }
}
