//! The main job on real input: an evening of edits of 20 shared playlists, published by `poke publish` and curl in turn,
//! to 200 subscribers on our SDK and 5 on grpcio, while connections age and break and the server is replaced.

use std::{collections::HashMap, time::Instant};

use poke_client::{Client, Event, GapReason, Interest, Subscription};
use poke_tests::{
    Config, Proxy, Server,
    tools::{Listener, curl, poke, python_client, run_well},
    within,
};
use serde_json::{Value, json};

const SESSION: &str = include_str!("../data/playlist-session.jsonl");
const SUBSCRIBERS: usize = 200;

/// One line of the session.
struct Edit {
    playlist: String,
    data: Value,
}

fn session() -> Vec<Edit> {
    let parse = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        Edit { playlist: line["filter"].as_str().unwrap().into(), data: line["data"].take() }
    };
    SESSION.lines().map(parse).collect()
}

/// Ages of a few seconds, so that each stream moves several times; and room for a successor on the same port.
fn restless() -> Config {
    Config::new()
        .text("stream.max_age", "4s")
        .set("stream.max_age_jitter", 0.5)
        .text("stream.move_timeout", "4s")
        .text("stream.reconnect_spread", "500ms")
        .text("drain.window", "2s")
        .set("listen.reuse_port", true)
}

async fn publish_by_command(url: &str, edit: &Edit, key: &str) {
    let mut command = poke(url);
    command.args(["publish", "PLAYLIST", &edit.playlist, &edit.data.to_string(), "--key", key]);
    run_well(command).await;
}

async fn publish_by_curl(url: &str, edit: &Edit, key: &str) {
    let body = json!({"domain": "PLAYLIST", "filter": edit.playlist, "data": edit.data, "idempotencyKey": key});
    let mut command = curl();
    // Retries are safe, since the call has a key.
    command.args(["--fail-with-body", "--retry", "5", "--retry-all-errors", "--retry-delay", "1"]);
    command.args(["--header", "content-type: application/json", "--data-binary", &body.to_string()]);
    command.arg(format!("{url}/poke.v1.PokeService/Publish"));
    run_well(command).await;
}

/// Takes the events of one playlist until there are as many as there were edits, and gives the number of gaps.
async fn follow(mut pokes: Subscription, edits: Vec<Value>) -> usize {
    let (mut seen, mut gaps) = (0, 0);
    while seen < edits.len() {
        match within("an edit", pokes.next()).await.unwrap().unwrap() {
            Event::Poke(poke) => {
                assert_eq!(poke.json().unwrap().as_ref(), Some(&edits[seen]), "complete, in order, unchanged");
                seen += 1;
            }
            // The new server begins a new history. It replays what it has, so nothing is missing all the same.
            Event::Gap(gap) => {
                assert_eq!(gap.reason, GapReason::EpochChanged, "{gap:?}");
                gaps += 1;
            }
            _ => {}
        }
    }
    gaps
}

async fn live(pokes: &mut Subscription) {
    while !matches!(within("an interest", pokes.next()).await, Some(Ok(Event::Live(_)))) {}
}

fn listen(server: &Server, playlists: &[&str]) -> Listener {
    let mut command = python_client();
    command.arg(server.address().to_string()).arg("listen").args(playlists);
    let listener = Listener::start(command);
    playlists.iter().for_each(|_| drop(listener.event("subscribed")));
    listener
}

/// As `follow`, for one grpcio client and its playlists.
fn follow_foreign(listener: &Listener, edits: &HashMap<String, Vec<Value>>, playlists: &[&str]) -> usize {
    let mut left: usize = playlists.iter().map(|playlist| edits[*playlist].len()).sum();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut gaps = 0;
    while left > 0 {
        let line = listener.next();
        match line["event"].as_str().unwrap() {
            "poke" => {
                let playlist = line["filter"].as_str().unwrap();
                let at = seen.entry(playlist.into()).or_default();
                assert_eq!(line["data"], edits[playlist][*at], "complete, in order, unchanged");
                *at += 1;
                left -= 1;
            }
            "gap" => {
                assert_eq!(line["reason"], "GAP_REASON_EPOCH_CHANGED", "{line}");
                gaps += 1;
            }
            "closed" => panic!("{line}"),
            _ => {}
        }
    }
    gaps
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs grpcio and curl: tests/run foreign"]
async fn everyone_sees_the_edits_of_their_playlist_complete_and_in_order() {
    let session = session();
    let mut edits: HashMap<String, Vec<Value>> = HashMap::new();
    for edit in &session {
        edits.entry(edit.playlist.clone()).or_default().push(edit.data.clone());
    }
    let playlists: Vec<&str> = edits.keys().map(String::as_str).collect();
    assert_eq!((session.len(), playlists.len()), (400, 20));

    let mut server = Server::start(restless()).await;
    let (address, url) = (server.address(), server.url());
    let proxy = Proxy::start(address).await;
    let mut subscribers = Vec::new();
    for i in 0..SUBSCRIBERS {
        // Every other one is behind a network that breaks.
        let client = Client::builder(if i % 2 == 0 { proxy.url() } else { url.clone() }).build().unwrap();
        let playlist = playlists[i % playlists.len()];
        let mut pokes = client.subscribe([Interest::new("PLAYLIST", playlist)]);
        live(&mut pokes).await;
        subscribers.push(tokio::spawn(follow(pokes, edits[playlist].clone())));
    }
    let listeners: Vec<_> = playlists.chunks(4).map(|playlists| (listen(&server, playlists), playlists)).collect();

    let start = Instant::now();
    for (i, edit) in session.iter().enumerate() {
        let key = format!("edit-{i}");
        if i % 2 == 0 {
            publish_by_command(&url, edit, &key).await;
        } else {
            publish_by_curl(&url, edit, &key).await;
        }
        if i % 100 == 50 {
            proxy.cut();
        }
        if i == 200 {
            let new = Server::start(restless().listen(address)).await;
            server.sigterm();
            assert_eq!(server.exited().await.code(), Some(0));
            server = new;
        }
    }
    let took = start.elapsed();

    let mut gaps = 0;
    for subscriber in subscribers {
        gaps += within("a subscriber", subscriber).await.unwrap();
    }
    let foreign: usize =
        listeners.iter().map(|(listener, playlists)| follow_foreign(listener, &edits, playlists)).sum();
    let opened = server.metrics().await.sum("poke_streams_opened_total");
    println!(
        "figure: 400 edits of 20 playlists in {took:.1?}, to 200 SDK and 5 grpcio subscribers: all complete and in order; \
         gaps of the replacement: {gaps} and {foreign}; the second server opened {opened} streams"
    );
}
