//! What clients can make the server hold.

use std::time::Duration;

use poke_tests::{Config, Server, frames::Connection, interest, refusal, request, text};
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
        let mut connection = Connection::open(server.address()).await;
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

/// How far the server's memory grew, and what it says to retain, in bytes.
async fn growth(filters: usize, pokes: usize) -> (f64, f64) {
    let server = Server::start(Config::new().set("retention.pokes", pokes.div_ceil(filters))).await;
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
