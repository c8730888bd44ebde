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

/// Ages of a few seconds, so that each stream moves several times.
fn restless() -> Config {
    Config::new()
        .text("stream.max_age", "4s")
        .set("stream.max_age_jitter", 0.5)
        .text("stream.move_timeout", "4s")
        .text("stream.reconnect_spread", "500ms")
        .text("drain.window", "2s")
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

/// How far one subscriber has come with the edits of one playlist.
#[derive(Default)]
struct Progress {
    seen: usize,
    missed: usize,
    gaps: usize,
    /// A gap was told and no poke has come since: edits may be missing here.
    after_gap: bool,
}

impl Progress {
    /// The next poke carries the next edit, unchanged; only right after a gap it may be a later one.
    fn poke(&mut self, edits: &[Value], data: &Value) {
        let skipped = if self.after_gap { edits.len() - self.seen } else { 1 };
        let next = edits[self.seen..].iter().take(skipped).position(|edit| edit == data);
        let next =
            next.unwrap_or_else(|| panic!("neither complete and in order nor a gap: {data} after {}", self.seen));
        self.missed += next;
        self.seen += next + 1;
        self.after_gap = false;
    }

    /// Only the new server's new history is a reason for a gap: all else is short enough to be caught up with.
    fn gap(&mut self, is_of_new_epoch: bool) {
        assert!(is_of_new_epoch, "a gap for another reason");
        self.gaps += 1;
        self.after_gap = true;
    }
}

/// Takes the events of one playlist until the last edit.
async fn follow(mut pokes: Subscription, edits: Vec<Value>) -> Progress {
    let mut progress = Progress::default();
    while progress.seen < edits.len() {
        match within("an edit", pokes.next()).await.unwrap().unwrap() {
            Event::Poke(poke) => progress.poke(&edits, &poke.json().unwrap().unwrap()),
            Event::Gap(gap) => progress.gap(gap.reason == GapReason::EpochChanged),
            _ => {}
        }
    }
    progress
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

/// Python prints each number as the double that it is.
fn as_doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(as_doubles).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, as_doubles(value))).collect(),
        other => other,
    }
}

/// As `follow`, for one grpcio client and its playlists.
fn follow_foreign(listener: &Listener, edits: &HashMap<String, Vec<Value>>, playlists: &[&str]) -> Vec<Progress> {
    let mut progress: HashMap<String, Progress> =
        playlists.iter().map(|playlist| ((*playlist).into(), Progress::default())).collect();
    while progress.iter().any(|(playlist, progress)| progress.seen < edits[playlist].len()) {
        let line = listener.next();
        match (line["event"].as_str().unwrap(), line["filter"].as_str()) {
            ("poke", Some(playlist)) => {
                progress.get_mut(playlist).unwrap().poke(&edits[playlist], &as_doubles(line["data"].clone()));
            }
            ("gap", Some(playlist)) => {
                progress.get_mut(playlist).unwrap().gap(line["reason"] == "GAP_REASON_EPOCH_CHANGED");
            }
            ("closed", _) => panic!("{line}"),
            _ => {}
        }
    }
    progress.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs grpcio and curl: tests/run foreign"]
async fn everyone_sees_the_edits_of_their_playlist_complete_and_in_order_or_a_gap() {
    let session = session();
    let mut edits: HashMap<String, Vec<Value>> = HashMap::new();
    for edit in &session {
        edits.entry(edit.playlist.clone()).or_default().push(edit.data.clone());
    }
    let names: Vec<String> = edits.keys().cloned().collect();
    let playlists: Vec<&str> = names.iter().map(String::as_str).collect();
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
            let new = server.replace(restless()).await;
            assert_eq!(server.exited().await.code(), Some(0));
            server = new;
        }
    }
    let took = start.elapsed();

    let mut all = Vec::new();
    for subscriber in subscribers {
        all.push(within("a subscriber", subscriber).await.unwrap());
    }
    let edits =
        edits.into_iter().map(|(playlist, edits)| (playlist, edits.into_iter().map(as_doubles).collect())).collect();
    for (listener, playlists) in &listeners {
        all.extend(follow_foreign(listener, &edits, playlists));
    }
    let sum = |what: fn(&Progress) -> usize| all.iter().map(what).sum::<usize>();
    let (seen, missed, gaps) =
        (sum(|progress| progress.seen), sum(|progress| progress.missed), sum(|progress| progress.gaps));
    let opened = server.metrics().await.sum("poke_streams_opened_total");
    println!(
        "figure: 400 edits of 20 playlists in {took:.1?}, to 200 SDK and 5 grpcio subscribers: {} of {seen} seen, all in \
         order; {missed} covered by the {gaps} gaps of a replacement right after the network broke; the second server \
         opened {opened} streams",
        seen - missed
    );
}
