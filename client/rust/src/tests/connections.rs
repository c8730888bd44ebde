//! Which calls share a connection.

use super::*;
use crate::Publish;

#[tokio::test(start_paused = true)]
async fn a_client_with_many_subscriptions_opens_another_connection_before_one_is_full() {
    let mut peer = Peer::new();
    let client = peer.client();
    let mut held = Vec::new();
    for n in 0..101 {
        let pokes = client.subscribe([interest("a")]);
        let call = peer.call().await;
        assert_eq!(call.connection, n / 50, "subscription {n}");
        held.push((pokes, call));
    }
    // A unary call goes where there is room.
    let sender = client.clone();
    let publishing = tokio::spawn(async move { sender.publish(Publish::new("D", "a")).await });
    assert_eq!(peer.call().await.connection, 2);
    publishing.abort();
    // Subscriptions that have ended make room on the connection of new calls, which is the last one.
    held.drain(100..);
    quiet(SECOND).await;
    for _ in 0..50 {
        let pokes = client.subscribe([interest("a")]);
        let call = peer.call().await;
        assert_eq!(call.connection, 2);
        held.push((pokes, call));
    }
}
