//! The `poke` command against the real server: what scripts and people count on.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Output,
};

use poke_tests::{
    Config, Server, interest,
    tools::{Listener, poke, run},
};
use serde_json::Value;

async fn poke_with(url: &str, arguments: &[&str]) -> Output {
    let mut command = poke(url);
    command.args(arguments);
    run(command).await
}

fn printed(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one object of JSON")
}

/// The exit code and what a person reads.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn json_is_the_form_of_every_commands_output_and_a_position_looks_the_same_in_all() {
    let server = Server::start(Config::new()).await;
    let url = server.url();
    let mut listening = poke(&url);
    listening.args(["subscribe", "PLAYLIST", "json", "--json", "--count", "1"]);
    let listener = Listener::start(listening);
    while listener.next()["event"] != "live" {}

    let published = printed(&poke_with(&url, &["publish", "PLAYLIST", "json", "Updated", "--json"]).await);
    assert!(published["position"]["epoch"].is_string() && published["position"]["sequence"].is_string());
    let poke = listener.next();
    assert_eq!((&poke["event"], &poke["data"]), (&"poke".into(), &"Updated".into()));
    assert_eq!(poke["position"], published["position"]);
    assert!(poke["publishTime"].is_string() && poke["receivedTime"].is_string(), "{poke}");

    let ended = printed(&poke_with(&url, &["end", "PLAYLIST", "json", "--json"]).await);
    assert!(ended["position"]["sequence"].is_string(), "{ended}");
    assert_eq!(printed(&poke_with(&url, &["status", "--json"]).await)["health"], "serving");

    // What was printed can be passed on.
    let after = published["position"].to_string();
    let resumed = poke_with(&url, &["subscribe", "PLAYLIST", "json", "--after", &after]).await;
    assert_eq!(said(&resumed).0, Some(6), "{resumed:?}");
    assert!(String::from_utf8_lossy(&resumed.stdout).contains("ended"), "{resumed:?}");
}

#[tokio::test]
async fn an_error_says_what_is_wrong_and_dumps_nothing() {
    let server = Server::start(Config::new()).await;
    let admin = format!("http://{}", server.admin_address());
    let large = "x".repeat(17_000);
    for command in
        [&["publish", "PLAYLIST", "f"][..], &["subscribe", "PLAYLIST", "f"], &["end", "PLAYLIST", "f"], &["status"]]
    {
        let wrong_port = said(&poke_with(&admin, command).await);
        assert_eq!(wrong_port.0, Some(4));
        assert!(wrong_port.1.contains("isn't a poke server (HTTP 405): it is the admin port"), "{wrong_port:?}");

        let too_large = said(&poke_with(&server.url(), &[command, &["--token", &large]].concat()).await);
        assert_eq!(too_large.0, Some(3));
        assert!(
            too_large.1.contains("the header fields of a request are at most 16384 bytes")
                && too_large.1.contains("17,000"),
            "{too_large:?}"
        );

        for url in ["http://127.0.0.1:99999", "http://ann:secret@127.0.0.1:1", "http://127.0.0.1:1/path"] {
            let refused = said(&poke_with(url, command).await);
            assert_eq!(refused.0, Some(2), "{refused:?}");
            assert!(!refused.1.contains("secret") && refused.1.contains("the URL"), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_interest_is_told_on_standard_error_and_by_the_exit_code() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    publisher.end(&interest("over"), None).await;
    let (bad, told) = ("b\n", r"PLAYLIST/b\n was refused: filter must not contain control characters");
    for (filters, counts) in
        [(&[bad][..], "1 refused"), (&["over", bad], "1 ended, 1 refused"), (&[bad, "over"], "1 ended, 1 refused")]
    {
        for format in [&[][..], &["--json", "--quiet"]] {
            let arguments = [&["subscribe", "PLAYLIST"], filters, format].concat();
            let (exit, said) = said(&poke_with(&server.url(), &arguments).await);
            assert_eq!(exit, Some(3), "{said}");
            assert!(said.contains(told) && said.contains("INVALID_FILTER") && said.contains(counts), "{said}");
        }
    }
    // The others go on, until the time is up.
    let partly = poke_with(&server.url(), &["subscribe", "PLAYLIST", "live", bad, "--timeout", "5s"]).await;
    let (exit, said) = said(&partly);
    assert_eq!(exit, Some(3), "{said}");
    assert!(said.contains("listening to 1 of 2 interests") && said.contains("refused: 1 of 2 interests"), "{said}");
}

#[tokio::test]
async fn interests_over_the_limit_are_refused_for_now_and_get_their_turn_when_others_end() {
    let server = Server::start(Config::new().set("stream.max_interests", 2)).await;
    let mut publisher = server.publisher().await;
    for filter in ["a", "b", "c"] {
        publisher.end(&interest(filter), None).await;
    }
    let output = poke_with(&server.url(), &["subscribe", "PLAYLIST", "a", "b", "c"]).await;
    let (exit, said) = said(&output);
    assert_eq!(exit, Some(6), "{said}");
    assert!(said.contains("PLAYLIST/c is refused for now: over the limit of 2 interests of a stream"), "{said}");
    assert!(said.contains("listening to PLAYLIST/c as well") && said.contains("3 ended"), "{said}");

    let crowd: Vec<_> = (0..103).map(|number| number.to_string()).collect();
    let crowd: Vec<_> = crowd.iter().map(String::as_str).collect();
    let server = Server::start(Config::new().set("stream.max_interests", 102)).await;
    let output = poke_with(&server.url(), &[&["subscribe", "PLAYLIST", "--timeout", "5s"], &crowd[..]].concat()).await;
    let (exit, said) = self::said(&output);
    assert_eq!(exit, Some(3), "{said}");
    assert!(said.contains("listening to 102 of 103 interests") && said.contains("refused: 1 of 103"), "{said}");
}

#[tokio::test]
async fn who_waits_for_a_server_that_does_not_come_runs_out_of_time() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it is bound");
    let url = format!("http://{nobody}");
    for command in
        [&["publish", "PLAYLIST", "f"][..], &["subscribe", "PLAYLIST", "f"], &["end", "PLAYLIST", "f"], &["status"]]
    {
        assert_eq!(said(&poke_with(&url, command).await).0, Some(4));
        assert_eq!(said(&poke_with(&url, &[command, &["--wait", "--timeout", "1s"]].concat()).await).0, Some(5));
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_said_to_be_one() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer);
            // Until the client leaves: a reset could overtake the answer.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    let (exit, said) = said(&poke_with(&url, &["status"]).await);
    assert!(exit == Some(4) && said.contains("doesn't speak HTTP/2"), "{said}");
}
