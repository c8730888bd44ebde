//! Nothing stays behind of those who left, however they left.

use poke_tests::{
    Config, Event, Server, Stream, eventually,
    frames::{Connection, Messages, kind},
    interest, new_pokes,
    v1::{Outcome, SubscribeRequest, SubscribeResponse},
};

#[tokio::test]
async fn after_1000_cancels_fins_and_resets_nothing_is_left() {
    let server = Server::start(Config::new()).await;
    let topics = server.metrics().await.sum("poke_topics");
    let descriptors = server.descriptors();
    let mut shared = server.connect().await;
    for i in 0..1000 {
        let ours = || new_pokes(interest(&format!("left {i}")));
        let mut stream = Stream::open(&mut shared, [ours(), new_pokes(interest("common"))]).await;
        stream.live(Outcome::Fresh).await;
        drop(stream);
        for abruptly in [false, true] {
            let mut connection = Connection::open(server.address()).await;
            connection.call("Subscribe", &SubscribeRequest { subscriptions: vec![ours()] });
            connection.flush().await.unwrap();
            until_live(&mut connection).await;
            connection.close(abruptly);
        }
    }
    drop(shared);
    eventually("everything to be gone", async || {
        let metrics = server.metrics().await;
        let gone = metrics.sum("poke_streams_open") == 0.0 && metrics.sum("poke_topics") == topics;
        (gone && server.descriptors() <= descriptors + 2).then_some(())
    })
    .await;
    assert_eq!(server.metrics().await.sum("poke_streams_opened_total"), 3000.0);
}

/// Reads until the stream says that its interest is live.
async fn until_live(connection: &mut Connection) {
    let mut messages = Messages::default();
    loop {
        let frame = connection.next().await.expect("the server keeps the connection");
        if frame.kind != kind::DATA {
            continue;
        }
        messages.push(&frame.payload);
        while let Some(response) = messages.pop::<SubscribeResponse>() {
            if let Some(Event::Subscribed(_)) = response.event {
                return;
            }
        }
    }
}

#[tokio::test]
async fn one_that_leaves_before_it_is_live_leaves_nothing() {
    let server = Server::start(Config::new()).await;
    for i in 0..300 {
        let many = (0..100).map(|j| new_pokes(interest(&format!("{i} {j}")))).collect();
        let mut connection = Connection::open(server.address()).await;
        connection.call("Subscribe", &SubscribeRequest { subscriptions: many });
        connection.flush().await.unwrap();
        connection.close(i % 2 == 0);
    }
    // The last ones may not have reached the server yet: a call that comes after them has.
    eventually("everything to be gone", async || {
        let metrics = server.metrics().await;
        let connections = metrics.sum("poke_connections_open");
        (metrics.sum("poke_streams_open") + metrics.sum("poke_topics") + connections == 0.0).then_some(())
    })
    .await;
}
