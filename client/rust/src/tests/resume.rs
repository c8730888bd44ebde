//! Resume by position, and what is dropped because it has been seen.

use poke_proto::v1::{GapReason, Outcome};

use super::{interest, next, peer::*};

#[tokio::test(start_paused = true)]
async fn a_poke_arrives() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a")]);
    let call = peer.call().await;
    assert_eq!(call.path, "/poke.v1.PokeService/Subscribe");
    assert_eq!(call.asks(), [("a".into(), None)]);
    for event in [welcome(), fresh("a", 3), poke("a", at(7))] {
        call.send(event).await;
    }
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(next(&mut pokes).await, "live a Fresh");
    assert_eq!(next(&mut pokes).await, "poke a 7");
    drop(pokes);
    call.cancelled().await;
}
