//! How fast may be published.

use poke_tests::{
    Config, Server, interest, new_pokes, refusal, request, text,
    v1::{EndInterestRequest, Interest, Outcome, PublishRequest},
};
use tonic::Code;

/// A second apart, three at once: PLAYLIST takes more of one publisher than all of SCORE.
fn slow() -> Config {
    let config = Config::without_domains().open("PLAYLIST").open("SCORE");
    let config = config.set("domains.PLAYLIST.publisher_rate", 1).text("domains.PLAYLIST.burst", "2s");
    config.text("domains.SCORE.publisher_rate", "off").set("domains.SCORE.rate", 1).text("domains.SCORE.burst", "0s")
}

fn keyed(interest: &Interest, key: u32) -> PublishRequest {
    PublishRequest { idempotency_key: key.to_string(), ..request(interest, Some(text("x"))) }
}

#[tokio::test]
async fn too_fast_is_told_with_a_time_to_wait_and_retries_by_key_are_never_refused() {
    let server = Server::start(slow()).await;
    let ours = interest("fast");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    let mut publisher = server.publisher().await;
    let mut accepted = 0;
    let refused = loop {
        match publisher.send(keyed(&ours, accepted)).await {
            Ok(_) => accepted += 1,
            Err(status) => break refusal(&status),
        }
    };
    assert!(accepted >= 3, "a burst of 2 s is three at once, and {accepted} passed");
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    assert_eq!(refused.message, "too fast: one publisher may send 1 a second to this domain");
    let wait = refused.retry.unwrap();
    assert!(!wait.is_zero() && wait.as_secs_f64() <= 1.0, "{wait:?}");

    for key in 0..accepted {
        assert_eq!(
            publisher.send(keyed(&ours, key)).await.unwrap().duplicate,
            Some(true),
            "what was accepted stays so"
        );
    }
    // Another domain has a rate of its own.
    let elsewhere = Interest { domain: "SCORE".into(), ..ours.clone() };
    publisher.poke(&elsewhere, "x").await;

    // The one who waits as told gets through, and nothing was lost or doubled.
    tokio::time::sleep(wait).await;
    publisher.poke(&ours, "next").await;
    let data = stream.data(accepted as usize + 1).await;
    assert_eq!(data.iter().filter(|data| *data == "x").count(), accepted as usize);
    assert_eq!(server.metrics().await.sum_where("poke_rate_limited_total", "publisher"), 1.0);
}

#[tokio::test]
async fn a_domains_rate_counts_ends_and_the_second_end_costs_nothing() {
    let server = Server::start(slow()).await;
    let game = |n: u32| Interest { domain: "SCORE".into(), ..interest(&format!("game {n}")) };
    let mut publisher = server.publisher().await;
    let first = publisher.end(&game(0), None).await;
    let end = |n| {
        let Interest { domain, filter, .. } = game(n);
        EndInterestRequest { domain, filter, ..Default::default() }
    };
    let mut ended = 1;
    let refused = loop {
        match publisher.client().end_interest(end(ended)).await {
            Ok(_) => ended += 1,
            Err(status) => break refusal(&status),
        }
    };
    assert_eq!((refused.reason.as_str(), refused.retry.is_some()), ("RATE_LIMITED", true));
    assert_eq!(refused.message, "too fast: all publishers together may send 1 a second to this domain");
    for _ in 0..10 {
        assert_eq!(publisher.end(&game(0), None).await, first, "a repeat ends nothing, so it is let through");
        // That it is over for good is said at once.
        let refused = publisher.send(request(&game(0), None)).await.expect_err("the interest has ended");
        assert_eq!(refusal(&refused).reason, "INTEREST_ENDED");
    }
    assert_eq!(server.metrics().await.sum_where("poke_rate_limited_total", "domain"), 1.0);
}
