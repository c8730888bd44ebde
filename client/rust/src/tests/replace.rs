//! Make before break: the server asks to move, or the set of interests changes.

use std::time::Duration;

use poke_proto::v1::{self, GapReason, Outcome, ReconnectReason};

use super::{SECOND, interest, next, peer::*, quiet, resumed, start};
use crate::Position;

#[tokio::test(start_paused = true)]
async fn a_move_goes_to_another_connection_and_loses_nothing() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a", "b"]).await;
    peer.goaway();
    old.send(reconnect(1, 10, 60, ReconnectReason::Drain)).await;
    let asked = tokio::time::Instant::now();
    let new = peer.call().await;
    assert!((SECOND..=10 * SECOND).contains(&asked.elapsed()));
    assert_ne!(new.connection, old.connection);

    // The old stream goes on until the new one is live, interest by interest.
    old.send(poke("a", at(1))).await;
    assert_eq!(next(&mut pokes).await, "poke a 1");
    new.send_all([welcome(), recovered("a", 0)]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    old.send_all([poke("a", at(2)), poke("b", at(3))]).await;
    assert_eq!(next(&mut pokes).await, "poke b 3");
    new.send_all([poke("a", at(1)), poke("a", at(2))]).await;
    assert_eq!(next(&mut pokes).await, "poke a 2");
    assert!(!old.is_cancelled());
    new.send_all([recovered("b", 0), poke("b", at(3)), poke("b", at(4))]).await;
    assert_eq!(next(&mut pokes).await, "poke b 4");
    old.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn a_move_to_another_history_is_a_gap_and_then_what_came_before_the_move() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a", "b"]).await;
    old.send_all([poke("a", at(70)), reconnect(0, 0, 60, ReconnectReason::Drain)]).await;
    assert_eq!(next(&mut pokes).await, "poke a 70");
    let new = peer.call().await;
    let there = |sequence| v1::Position { epoch: "f".into(), sequence };
    new.send_all([welcome(), subscribed("a", there(3), Outcome::Gap)]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    old.send_all([poke("a", at(71)), poke("b", at(72))]).await;
    assert_eq!(next(&mut pokes).await, "poke b 72");
    new.send_all([gap(Some("a"), GapReason::EpochChanged, there(3)), poke("a", there(4))]).await;
    assert_eq!(next(&mut pokes).await, "gap a EpochChanged 3");
    assert_eq!(next(&mut pokes).await, "poke a 4");
}

#[tokio::test(start_paused = true)]
async fn the_old_stream_may_end_first() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a"]).await;
    old.send(reconnect(0, 0, 1, ReconnectReason::MaxAge)).await;
    let new = peer.call().await;
    old.fail(tonic::Code::Unavailable, "MAX_AGE", Some(SECOND)).await;
    // Two streams race: let the old one's end be read first.
    quiet(SECOND).await;
    new.send_all([welcome(), recovered("a", 0), poke("a", at(1))]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Recovered");
    assert_eq!(next(&mut pokes).await, "poke a 1");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_whose_successor_came_late_the_client_is_back_within_the_spread() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a"]).await;
    peer.refuse_connections(true);
    peer.goaway();
    old.send(reconnect(0, 2, 24, ReconnectReason::Drain)).await;
    // Attempt after attempt fails, and the user hears of none.
    quiet(23 * SECOND).await;
    old.send(poke("a", at(1))).await;
    assert_eq!(next(&mut pokes).await, "poke a 1");
    quiet(SECOND).await;
    old.fail(tonic::Code::Unavailable, "SHUTTING_DOWN", Some(SECOND)).await;
    match pokes.next().await {
        Some(Ok(crate::Event::Reconnecting(lost))) => assert!(lost.delay <= 6 * SECOND, "{:?}", lost.delay),
        other => panic!("{other:?}"),
    }
    peer.refuse_connections(false);
    let lost = tokio::time::Instant::now();
    let new = peer.call().await;
    assert!(lost.elapsed() <= 6 * SECOND);
    assert_eq!(new.asks(), [("a".into(), Some(1))]);
}

#[tokio::test(start_paused = true)]
async fn a_move_that_fails_half_way_loses_nothing() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a", "b"]).await;
    old.send(reconnect(0, 0, 60, ReconnectReason::Drain)).await;
    let new = peer.call().await;
    new.send_all([welcome(), recovered("a", 0)]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    // Poke 1 comes on the old stream only, where it doesn't count any more.
    old.send_all([poke("a", at(1)), heartbeat(&[at(1)]), poke("b", at(2))]).await;
    assert_eq!(next(&mut pokes).await, "poke b 2");
    new.reset().await;

    let third = peer.call().await;
    assert_eq!(third.asks(), [("a".into(), Some(0)), ("b".into(), Some(2))]);
    third.send_all([welcome(), recovered("a", 0), poke("a", at(1)), recovered("b", 2)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Recovered");
    assert_eq!(next(&mut pokes).await, "poke a 1");
    old.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn changes_within_50_ms_go_into_one_call_beside_the_old_one() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a"]).await;
    quiet(2 * SECOND).await;
    let control = pokes.control();
    let changed = tokio::time::Instant::now();
    control.add(interest("b")).unwrap();
    control.add(interest("c")).unwrap();
    let new = peer.call().await;
    assert!(changed.elapsed() < SECOND);
    assert_eq!(new.connection, old.connection);
    assert_eq!(new.asks(), [("a".into(), Some(0)), ("b".into(), None), ("c".into(), None)]);
    old.send(poke("a", at(1))).await;
    assert_eq!(next(&mut pokes).await, "poke a 1");
    new.send_all([welcome(), recovered("a", 0), fresh("b", 1), fresh("c", 1)]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(next(&mut pokes).await, "live b Fresh");
    assert_eq!(next(&mut pokes).await, "live c Fresh");
    old.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn the_set_is_changed_at_most_once_a_second() {
    let mut peer = Peer::new();
    let (pokes, _old) = start(&mut peer, &["a"]).await;
    quiet(2 * SECOND).await;
    pokes.control().add(interest("b")).unwrap();
    let first = peer.call().await;
    let opened = tokio::time::Instant::now();
    first.send_all([welcome(), recovered("a", 0), fresh("b", 0)]).await;
    pokes.control().add(interest("c")).unwrap();
    let _second = peer.call().await;
    assert!(opened.elapsed() >= SECOND - Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn a_change_before_the_first_stream_is_live_waits_for_it() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a")]);
    let old = peer.call().await;
    pokes.control().add(interest("b")).unwrap();
    assert!(peer.is_quiet_for(3 * SECOND).await);
    old.send_all([welcome(), fresh("a", 4)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(4)), ("b".into(), None)]);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_a_gap_that_is_announced() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a").after(Position::new("old", 5))]);
    let old = peer.call().await;
    old.send_all([welcome(), subscribed("a", at(7), Outcome::Gap)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Gap");
    pokes.control().add(interest("b")).unwrap();
    // Now it could only ask from where the loss began, and would be told of it, and of what follows, a second time.
    assert!(peer.is_quiet_for(3 * SECOND).await);
    old.send_all([gap(Some("a"), GapReason::EpochChanged, at(7)), poke("a", at(8))]).await;
    assert_eq!(next(&mut pokes).await, "gap a EpochChanged 7");
    assert_eq!(next(&mut pokes).await, "poke a 8");
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(7)), ("b".into(), None)]);
}

#[tokio::test(start_paused = true)]
async fn an_interest_stays_until_each_holder_has_left() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a", "b"]).await;
    let control = pokes.control();
    control.add(interest("b")).unwrap();
    assert!(control.remove(&interest("b")));
    assert!(peer.is_quiet_for(5 * SECOND).await);
    old.send(poke("b", at(1))).await;
    assert_eq!(next(&mut pokes).await, "poke b 1");

    // What waits for the user goes with the last holder.
    old.send_all([poke("b", at(2)), poke("a", at(3))]).await;
    quiet(SECOND).await;
    assert!(control.remove(&interest("b")));
    assert!(!control.remove(&interest("b")));
    assert_eq!(next(&mut pokes).await, "poke a 3");
    assert_eq!(control.positions().len(), 1);
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(3))]);
}

#[tokio::test(start_paused = true)]
async fn an_interest_that_comes_back_starts_again() {
    let mut peer = Peer::new();
    let (mut pokes, old) = start(&mut peer, &["a", "b"]).await;
    let control = pokes.control();
    assert!(control.remove(&interest("b")));
    control.add(interest("b")).unwrap();
    old.send_all([poke("b", at(1)), poke("a", at(2))]).await;
    assert_eq!(next(&mut pokes).await, "poke a 2");
    let new = peer.call().await;
    assert_eq!(new.asks(), [("a".into(), Some(2)), ("b".into(), None)]);
    new.send_all([welcome(), recovered("a", 2), fresh("b", 2)]).await;
    assert_eq!(resumed(&mut pokes).await, "live b Fresh");
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_has_no_call_and_waits() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe::<crate::Interest>([]);
    assert!(peer.is_quiet_for(60 * SECOND).await);
    pokes.control().add(interest("a")).unwrap();
    let call = peer.call().await;
    call.send_all([welcome(), fresh("a", 0)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    assert!(pokes.control().remove(&interest("a")));
    call.cancelled().await;
    pokes.control().add(interest("b")).unwrap();
    assert_eq!(peer.call().await.asks(), [("b".into(), None)]);
}
