#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

/// A server of keys, of which it counts the fetches.
struct Issuer {
    keys: Arc<Keys>,
    answer: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
}

fn set(ids: &[&str]) -> String {
    let keys: Vec<_> =
        ids.iter().map(|id| serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": id})).collect();
    let body = serde_json::json!({ "keys": keys }).to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

impl Issuer {
    async fn start(fetching: Fetching) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let settings = IssuerSettings { jwks_url: Some(url), ..IssuerSettings::default() };
        let keys = Arc::new(Keys::new(&settings, fetching));
        let (answer, fetches) = (Arc::new(Mutex::new(set(&["first"]))), Arc::new(AtomicUsize::new(0)));
        let (answers, count) = (Arc::clone(&answer), Arc::clone(&fetches));
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, SeqCst);
                let _ = socket.read(&mut [0; 4096]).await;
                let answer = answers.lock().clone();
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        let running = Arc::clone(&keys);
        tokio::spawn(async move { running.run("test", &Metrics::new()).await });
        Self { keys, answer, fetches }
    }

    async fn find(&self, id: &str) -> Result<(), Missing> {
        self.keys.find(Some(id), Algorithm::EdDSA).await.map(drop)
    }

    fn becomes(&self, answer: String) {
        *self.answer.lock() = answer;
    }
}

fn fetching() -> Fetching {
    Fetching { timeout: Duration::from_secs(30), ..Fetching::default() }
}

#[tokio::test]
async fn a_thousand_made_up_ids_cause_two_fetches_and_keep_nobody_from_theirs() {
    let issuer = Issuer::start(fetching()).await;
    issuer.find("first").await.unwrap();
    let made_up = (0..1000).map(|i| {
        let keys = Arc::clone(&issuer.keys);
        tokio::spawn(async move { keys.find(Some(&format!("made-up-{i}")), Algorithm::EdDSA).await.err() })
    });
    for asked in made_up.collect::<Vec<_>>() {
        assert!(asked.await.unwrap().is_some());
    }
    issuer.find("first").await.unwrap();
    assert_eq!(issuer.fetches.load(SeqCst), 2);
    // Whoever comes now isn't told that the key is wrong: that can't be known yet.
    let Err(Missing::Unclear(retry)) = issuer.find("rotated").await else { unreachable!("the budget is spent") };
    assert!(retry <= MINUTE && !retry.is_zero(), "{retry:?}");
}

#[tokio::test]
async fn a_rotated_key_works_at_once_and_all_who_bring_it_share_one_fetch() {
    let issuer = Issuer::start(fetching()).await;
    issuer.find("first").await.unwrap();
    issuer.becomes(set(&["first", "second"]));
    let all = (0..50).map(|_| issuer.find("second"));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches.load(SeqCst), 2);
}

#[tokio::test]
async fn old_keys_hold_while_the_issuer_is_down_and_unknown_ones_may_be_asked_for_again() {
    let issuer = Issuer::start(fetching()).await;
    issuer.find("first").await.unwrap();
    let huge = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n{}", " ".repeat(300_000));
    for down in [
        "",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<!--",
        "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}",
        &huge,
    ] {
        issuer.becomes(down.to_owned());
        // Each is a fetch of its own, as a minute had passed.
        issuer.keys.fetches.lock().begun.clear();
        assert!(matches!(issuer.find("second").await, Err(Missing::Unclear(_))), "{down}");
        issuer.find("first").await.unwrap();
    }
    assert_eq!(issuer.fetches.load(SeqCst), 7, "no redirect was followed");
    issuer.becomes(set(&["second"]));
    issuer.keys.fetches.lock().begun.clear();
    issuer.find("second").await.unwrap();
    issuer.keys.fetches.lock().begun.clear();
    assert_eq!(issuer.find("first").await, Err(Missing::Unknown), "what the issuer withdrew is withdrawn");
}

#[tokio::test]
async fn whoever_asks_before_the_first_answer_waits_for_it() {
    let issuer = Issuer::start(fetching()).await;
    let all = (0..50).map(|_| issuer.find("first"));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches.load(SeqCst), 1);
}
