//! curl (libcurl), with nothing but JSON.

use poke_tests::{
    Config, Server, interest, new_pokes,
    tools::{curl, run_well},
    v1::Outcome,
};
use serde_json::Value;

/// POST of JSON; gives the HTTP status and the answer.
async fn post(server: &Server, method: &str, body: &str, more: &[&str]) -> (String, Value) {
    let mut command = curl();
    let url = format!("{}/poke.v1.PokeService/{method}", server.url());
    command.args(["--header", "content-type: application/json", "--data-binary", body]);
    command.args(["--write-out", "\n%{http_code}"]).args(more).arg(url);
    let output = run_well(command).await;
    let (answer, status) = output.rsplit_once('\n').unwrap();
    (status.into(), serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error} in {answer}")))
}

#[tokio::test]
#[ignore = "needs curl: tests/run foreign"]
async fn it_publishes_and_ends_and_shows_errors() {
    let server = Server::start(Config::new()).await;
    let mut stream = server.subscribe([new_pokes(interest("playlist-id"))]).await;
    stream.live(Outcome::Fresh).await;
    let body = r#"{"domain":"PLAYLIST","filter":"playlist-id","data":"Updated"}"#;
    let (status, answer) = post(&server, "Publish", body, &[]).await;
    assert_eq!((status.as_str(), &answer["localReceiverCount"]), ("200", &Value::from(1)));
    assert_eq!(stream.data(1).await, ["Updated"]);
    // By HTTP/2 as well, and with a larger body, for which curl waits for "100 Continue" over HTTP/1.1.
    let large = format!(r#"{{"domain":"PLAYLIST","filter":"playlist-id","data":"{}"}}"#, "x".repeat(100_000));
    for more in [&["--http2-prior-knowledge"][..], &[], &["--header", "expect: 100-continue"]] {
        let (status, _) = post(&server, "Publish", &large, more).await;
        assert_eq!(status, "200");
        stream.poke().await;
    }
    let (status, error) = post(&server, "Publish", r#"{"domain":"PLAYLIST","filer":"oops"}"#, &[]).await;
    assert_eq!((status.as_str(), &error["code"]), ("400", &Value::from("invalid_argument")));
    assert!(error["message"].as_str().unwrap().contains("filer"), "{error}");
    let (status, answer) = post(&server, "EndInterest", r#"{"domain":"PLAYLIST","filter":"playlist-id"}"#, &[]).await;
    assert!(status == "200" && answer["position"].is_object(), "{answer}");
}
