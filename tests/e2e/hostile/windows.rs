//! Clients that allow the server to send nothing, or next to nothing.

use std::time::Duration;

use poke_tests::{
    Server, eventually,
    frames::{ACK, Connection, kind},
    interest, new_pokes, text,
    v1::SubscribeRequest,
};

use super::honest::{self, Honest};

fn subscribe() -> SubscribeRequest {
    SubscribeRequest { subscriptions: vec![new_pokes(interest("attacked"))] }
}

#[tokio::test]
async fn streams_whose_window_stays_shut_end_and_hold_little() {
    let config = honest::config().text("stream.stall_timeout", "2s").text("limits.request_timeout", "2s");
    let server = Server::start(config).await;
    let honest = Honest::beside(&server).await;
    let mut held = Vec::new();
    for window in [0, 1, 100] {
        for _ in 0..10 {
            let mut connection = Connection::open_with_window(server.address(), window).await;
            for _ in 0..20 {
                connection.call("Subscribe", &subscribe());
                connection.call_json(
                    "Publish",
                    r#"{"domain":"PLAYLIST","filter":"x","data":"answered with more than a byte"}"#,
                );
            }
            connection.flush().await.unwrap();
            held.push(connection);
        }
    }
    server.metric_becomes("poke_streams_opened_total", |opened| opened >= 600.0).await;
    // What they don't read isn't kept for them.
    let mut publisher = server.publisher().await;
    let large = "x".repeat(100_000);
    for _ in 0..20 {
        publisher.publish(&interest("attacked"), text(&large)).await;
    }
    eventually("the stalled streams to be ended", async || {
        (server.metrics().await.sum_where("poke_streams_ended_total", "stalled") >= 600.0).then_some(())
    })
    .await;
    honest.unharmed(&server).await;
    drop(held);
}

#[tokio::test]
async fn a_window_that_opens_by_a_byte_at_a_time_slows_nobody_else() {
    let server = Server::start(honest::config()).await;
    let honest = Honest::beside(&server).await;
    let mut drips = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let mut connection = Connection::open_with_window(server.address(), 0).await;
        drips.spawn(async move {
            let stream = connection.call("Subscribe", &subscribe());
            let mut bytes = 0;
            while bytes < 60 {
                connection.put(kind::WINDOW_UPDATE, 0, stream, &1_u32.to_be_bytes());
                connection.flush().await.unwrap();
                let Some(frame) = connection.next().await else { break };
                bytes += if frame.kind == kind::DATA { frame.payload.len() } else { 0 };
            }
            bytes
        });
    }
    // Each gets what it lets in: the welcome at least.
    assert!(drips.join_all().await.into_iter().all(|bytes| bytes >= 60));
    honest.unharmed(&server).await;
}

#[tokio::test]
async fn a_client_may_ping_and_go_on() {
    let server = Server::start(honest::config()).await;
    let honest = Honest::beside(&server).await;
    let mut connection = Connection::open(server.address()).await;
    let stream = connection.call("Subscribe", &subscribe());
    // As many as one that pings every ten seconds sends in five minutes.
    for i in 0..30_u64 {
        connection.put(kind::PING, 0, 0, &i.to_be_bytes());
        connection.flush().await.unwrap();
        loop {
            let frame = connection.next().await.expect("the connection stays");
            assert_ne!((frame.kind, frame.stream == stream), (kind::RST_STREAM, true));
            assert_ne!(frame.kind, kind::GOAWAY);
            // The server has pings of its own.
            if frame.kind == kind::PING && frame.flags & ACK != 0 {
                assert_eq!(&frame.payload[..], &i.to_be_bytes());
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(server.metrics().await.sum("poke_streams_open"), 5.0);
    honest.unharmed(&server).await;
}
