//! What clients can make the server hold.

use std::time::Duration;

use poke_tests::{
    Config, Server, Stream, eventually, frames::Connection, interest, new_pokes, refusal, request, text, v1::Outcome,
};
use tokio::io::AsyncReadExt as _;
use tonic::Code;

#[tokio::test]
async fn messages_that_are_begun_and_never_finished_have_a_budget_between_them() {
    let config = Config::new().text("limits.request_bytes", "4MiB").text("limits.request_timeout", "60s");
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let before = server.rss();
    // A small message, once it is whole, is hardly in the way of the budget; one that comes in parts is.
    let large = || request(&interest("x"), Some(text(&"x".repeat(100_000))));
    let mut idlers = Vec::new();
    let refused = loop {
        assert!(idlers.len() < 50, "40 MB are being read");
        let mut connection = Connection::open_with_credit(server.address()).await;
        for method in ["Publish", "EndInterest", "Subscribe"].iter().cycle().take(30) {
            connection.call_unfinished(method, 30_000);
        }
        connection.flush().await.unwrap();
        idlers.push(connection);
        if let Err(refused) = publisher.send(large()).await {
            break refusal(&refused);
        }
    };
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert_eq!(refused.retry, Some(Duration::from_secs(1)));
    assert!(server.metrics().await.sum("poke_request_bytes") <= f64::from(4 << 20));
    let grown = server.rss().saturating_sub(before);
    assert!(grown < 24 << 20, "{} MiB more than before", grown >> 20);

    drop(idlers);
    server.metric_becomes("poke_request_bytes", |bytes| bytes == 0.0).await;
    assert!(publisher.send(large()).await.is_ok());
}

/// A server with small budgets.
fn frugal() -> Config {
    let budgets = Config::new().text("retention.budget", "2MiB").text("retention.ends_budget", "1MiB");
    budgets.text("limits.request_bytes", "4MiB").set("limits.streams", 1_000_000)
}

#[tokio::test]
async fn when_memory_runs_short_new_streams_are_refused_and_those_that_are_open_go_on() {
    let empty = Server::start(frugal()).await;
    // What the first calls need once.
    empty.publisher().await.poke(&interest("x"), "first").await;
    empty.subscribe([new_pokes(interest("x"))]).await.live(Outcome::Fresh).await;
    let bound = empty.rss() + (24 << 20);
    drop(empty);
    let server = Server::start(frugal().set("limits.memory", bound)).await;
    let ours = || [new_pokes(interest("x"))];
    let mut publisher = server.publisher().await;
    let mut crowd = Vec::new();
    let refused = 'full: loop {
        // It measures itself now and then: no more comes than fits between two looks.
        eventually("the server to know what it has", async || {
            (server.metrics().await.sum("poke_memory_resident_bytes") + 1e6 > server.rss() as f64).then_some(())
        })
        .await;
        let mut client = server.connect().await;
        for _ in 0..100 {
            match Stream::try_open(&mut client, ours()).await {
                Ok(stream) => crowd.push(stream),
                Err(refused) => break 'full refusal(&refused),
            }
        }
    };
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert_eq!(refused.retry, Some(Duration::from_secs(1)));
    assert!(crowd.len() > 100, "{} streams", crowd.len());
    assert!(server.rss() < bound, "{} of {bound}", server.rss());
    // Those who are there aren't paid for by what they are there for.
    publisher.poke(&interest("x"), "still here").await;
    for stream in crowd.iter_mut().step_by(97) {
        stream.live(Outcome::Fresh).await;
        assert_eq!(stream.data(1).await, ["still here"]);
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum_where("poke_shed_total", "stream"), 1.0);
    assert_eq!(metrics.sum("poke_memory_bound_bytes"), bound as f64);

    drop(crowd);
    let mut client = server.connect().await;
    eventually("room", async || Stream::try_open(&mut client, ours()).await.ok()).await;
}

#[tokio::test]
async fn without_any_memory_calls_and_connections_are_refused_and_operators_are_not() {
    let server = Server::start(frugal().text("limits.memory", "8MiB")).await;
    server.metric_becomes("poke_memory_resident_bytes", |bytes| bytes > 0.0).await;
    let mut socket = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let read = poke_tests::within("the end", socket.read(&mut [0])).await;
    assert!(!matches!(read, Ok(1..)), "it is closed at once, without an answer");
    let metrics = server.metrics().await;
    assert!(metrics.sum_where("poke_connections_refused_total", "memory") >= 1.0);
    assert_eq!(server.admin("/healthz").await.status, 200);
}

/// How far the server's memory grew, and what it says to retain, in bytes.
async fn growth(filters: usize, pokes: usize) -> (f64, f64) {
    let config = Config::new().set("retention.pokes", pokes.div_ceil(filters)).text("rates.publisher", "off");
    let server = Server::start(config).await;
    let publisher = server.publisher().await;
    // What the first calls need once isn't retained for anybody.
    publisher.clone().poke(&interest("first"), "hello").await;
    let before = server.rss();
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..32 {
        let mut publisher = publisher.clone();
        lanes.spawn(async move {
            for i in (lane..pokes).step_by(32) {
                publisher.poke(&interest(&format!("playlist-{:05}", i % filters)), "Updated").await;
            }
        });
    }
    lanes.join_all().await;
    let wanted = pokes as f64 + 1.0;
    server.metric_becomes("poke_retained_pokes", |retained| retained == wanted).await;
    ((server.rss() - before) as f64, server.metrics().await.sum("poke_retained_bytes"))
}

#[tokio::test]
async fn what_is_retained_is_counted_as_what_it_takes_on_few_interests_and_on_many() {
    for filters in [100, 20_000] {
        let (taken, counted) = growth(filters, 20_000).await;
        println!("{filters} interests: {taken} bytes taken, {counted} counted");
        assert!(counted > taken * 0.75, "{filters} interests: {taken} bytes taken, {counted} counted");
        assert!(counted < taken * 2.0, "{filters} interests: {taken} bytes taken, {counted} counted");
    }
}
