//! Resume by position, and what is dropped because it has been seen.

use poke_proto::v1::{self, GapReason, Outcome};

use super::{interest, next, peer::*, resumed, start};
use crate::{Event, Position, Positions};

#[tokio::test(start_paused = true)]
async fn a_poke_arrives_and_dropping_the_subscription_cancels_the_call() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a")]);
    let call = peer.call().await;
    assert_eq!(call.path, "/poke.v1.PokeService/Subscribe");
    assert_eq!(call.asks(), [("a".into(), None)]);
    call.send_all([welcome(), fresh("a", 3), poke("a", at(7))]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(next(&mut pokes).await, "live a Fresh");
    assert_eq!(next(&mut pokes).await, "poke a 7");
    drop(pokes);
    call.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_stream_is_resumed_after_the_last_poke() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b"]).await;
    call.send(poke("a", at(7))).await;
    assert_eq!(next(&mut pokes).await, "poke a 7");
    call.reset().await;
    assert_eq!(next(&mut pokes).await, "reconnecting");

    let call = peer.call().await;
    assert_eq!(call.asks(), [("a".into(), Some(7)), ("b".into(), Some(0))]);
    call.send_all([welcome(), recovered("a", 7), poke("a", at(8))]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(next(&mut pokes).await, "live a Recovered");
    assert_eq!(next(&mut pokes).await, "poke a 8");
}

#[tokio::test(start_paused = true)]
async fn checkpoints_raise_the_quiet_interests_of_their_epoch() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b"]).await;
    let elsewhere = |sequence| v1::Position { epoch: "f".into(), sequence };
    call.send_all([poke("b", elsewhere(2)), heartbeat(&[at(40)]), poke("a", at(41)), heartbeat(&[at(30)])]).await;
    assert_eq!(next(&mut pokes).await, "poke b 2");
    assert_eq!(next(&mut pokes).await, "poke a 41");
    call.reset().await;
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(41)), ("b".into(), Some(2))]);
}

#[tokio::test(start_paused = true)]
async fn a_loss_whose_gap_has_not_come_yet_is_not_forgotten() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a").after(Position::new("e", 5))]);
    let call = peer.call().await;
    assert_eq!(call.asks(), [("a".into(), Some(5))]);
    // Neither the new start nor a checkpoint may hide what is between 5 and 20.
    call.send_all([welcome(), subscribed("a", at(20), Outcome::Gap), heartbeat(&[at(30)])]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(next(&mut pokes).await, "live a Gap");
    assert_eq!(pokes.control().positions().get(&interest("a")), Some(&Position::new("e", 5)));
    call.reset().await;
    assert_eq!(next(&mut pokes).await, "reconnecting");

    let call = peer.call().await;
    assert_eq!(call.asks(), [("a".into(), Some(5))]);
    let gap = gap(Some("a"), GapReason::Evicted, at(20));
    call.send_all([welcome(), subscribed("a", at(20), Outcome::Gap), gap, poke("a", at(21))]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Gap");
    assert_eq!(next(&mut pokes).await, "gap a Evicted 20");
    assert_eq!(next(&mut pokes).await, "poke a 21");
}

#[tokio::test(start_paused = true)]
async fn what_is_at_or_before_the_saved_position_is_dropped() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    let old = [poke("a", at(10)), poke("a", at(9)), gap(Some("a"), GapReason::Lagged, at(10))];
    call.send(poke("a", at(10))).await;
    call.send_all(old).await;
    call.send(poke("a", at(11))).await;
    assert_eq!(next(&mut pokes).await, "poke a 10");
    assert_eq!(next(&mut pokes).await, "poke a 11");
}

#[tokio::test(start_paused = true)]
async fn another_epoch_is_always_new() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    let elsewhere = |sequence| v1::Position { epoch: "f".into(), sequence };
    call.send_all([poke("a", at(10)), poke("a", elsewhere(3)), poke("a", at(4))]).await;
    assert_eq!(next(&mut pokes).await, "poke a 10");
    assert_eq!(next(&mut pokes).await, "poke a 3");
    assert_eq!(next(&mut pokes).await, "poke a 4");
}

#[tokio::test(start_paused = true)]
async fn a_new_epoch_replaces_the_saved_position_whatever_that_is() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    call.send_all([poke("a", at(10)), gap(Some("a"), GapReason::EpochChanged, at(2)), poke("a", at(3))]).await;
    assert_eq!(next(&mut pokes).await, "poke a 10");
    assert_eq!(next(&mut pokes).await, "gap a EpochChanged 2");
    assert_eq!(next(&mut pokes).await, "poke a 3");
}

#[tokio::test(start_paused = true)]
async fn a_gap_of_all_interests_is_told_for_each_that_has_lost_something() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b", "c"]).await;
    call.send_all([poke("b", at(9)), gap(None, GapReason::Backplane, at(8)), poke("a", at(10))]).await;
    assert_eq!(next(&mut pokes).await, "poke b 9");
    assert_eq!(next(&mut pokes).await, "gap a Backplane 8");
    assert_eq!(next(&mut pokes).await, "gap c Backplane 8");
    assert_eq!(next(&mut pokes).await, "poke a 10");
}

#[tokio::test(start_paused = true)]
async fn positions_are_those_of_what_the_user_has_been_handed() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b"]).await;
    let control = pokes.control();
    call.send_all([poke("a", at(7)), heartbeat(&[at(8)]), poke("b", at(9))]).await;
    assert_eq!(next(&mut pokes).await, "poke a 7");
    let saved = control.positions();
    assert_eq!(saved.get(&interest("a")), Some(&Position::new("e", 7)));
    assert_eq!(saved.get(&interest("b")), Some(&Position::new("e", 0)));
    assert_eq!(next(&mut pokes).await, "poke b 9");
    assert_eq!(control.positions().get(&interest("a")), Some(&Position::new("e", 8)));

    // They survive the process, as JSON.
    let json = serde_json::to_value(&saved).unwrap();
    assert_eq!(
        json[0],
        serde_json::json!({ "domain": "D", "filter": "a", "position": {"epoch": "e", "sequence": "7"} })
    );
    let saved: Positions = serde_json::from_value(json).unwrap();
    let _again = peer.client().subscribe(saved);
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(7)), ("b".into(), Some(0))]);
}

#[tokio::test(start_paused = true)]
async fn latest_is_asked_for_once() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a").latest()]);
    let call = peer.call().await;
    assert!(matches!(call.subscriptions()[0].start, Some(v1::subscription::Start::Latest(_))));
    call.send_all([welcome(), fresh("a", 4)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    call.reset().await;
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(4))]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_becomes_a_gap_and_is_never_asked_for_again() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    call.send(poke("a", at(7))).await;
    assert_eq!(next(&mut pokes).await, "poke a 7");
    call.message(b"\xff\xff\xff").await;
    assert_eq!(next(&mut pokes).await, "reconnecting");
    call.cancelled().await;

    let call = peer.call().await;
    assert_eq!(call.asks(), [("a".into(), None)]);
    call.send_all([welcome(), fresh("a", 9), poke("a", at(10))]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    assert_eq!(next(&mut pokes).await, "gap a Undecodable 9");
    assert_eq!(next(&mut pokes).await, "poke a 10");
}

#[tokio::test(start_paused = true)]
async fn a_message_without_what_the_contract_promises_cannot_be_read() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    let (interest, position) = (None, Some(at(1)));
    call.send(v1::subscribe_response::Event::Ended(v1::Ended { interest, position, data: None })).await;
    match pokes.next().await {
        Some(Ok(Event::Reconnecting(lost))) => assert_eq!(lost.cause.kind(), crate::ErrorKind::Protocol),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_later_contract_is_ignored() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    // Field 1000, a string.
    call.message(b"\xc2\x3e\x02hi").await;
    call.send(poke("a", at(1))).await;
    assert_eq!(next(&mut pokes).await, "poke a 1");
}

#[tokio::test(start_paused = true)]
async fn an_end_is_final_and_the_last_one_ends_the_subscription() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b", "c"]).await;
    call.send(ended("a", 5)).await;
    assert_eq!(next(&mut pokes).await, "ended a 5");
    call.reset().await;
    assert_eq!(next(&mut pokes).await, "reconnecting");

    let call = peer.call().await;
    assert_eq!(call.asks(), [("b".into(), Some(0)), ("c".into(), Some(0))]);
    let refused = rejected("c", tonic::Code::NotFound, None);
    call.send_all([welcome(), recovered("b", 0), refused, poke("b", at(8)), ended("b", 9)]).await;
    call.finish().await;
    assert_eq!(resumed(&mut pokes).await, "live b Recovered");
    assert_eq!(next(&mut pokes).await, "rejected c true");
    assert_eq!(next(&mut pokes).await, "poke b 8");
    assert_eq!(next(&mut pokes).await, "ended b 9");
    assert_eq!(next(&mut pokes).await, "failed Refused");
    assert_eq!(next(&mut pokes).await, "over");
    let error = pokes.control().add(interest("d")).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_end_counts_also_before_the_saved_position() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a").after(Position::new("e", 9))]);
    let call = peer.call().await;
    call.send_all([welcome(), recovered("a", 9), ended("a", 8)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Recovered");
    assert_eq!(next(&mut pokes).await, "ended a 8");
    assert_eq!(next(&mut pokes).await, "over");
}
