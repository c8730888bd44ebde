//! More interests than a stream may have: the surplus waits, and harms nobody.

use tonic::Code;

use super::{SECOND, interest, next, peer::*, quiet, start};
use crate::{Event, Subscription};

/// A subscription to interests "00", "01", … of which the first call carries the first 100, and that call.
async fn crowd(peer: &mut Peer, count: usize) -> (Subscription, Call) {
    let pokes = peer.client().subscribe((0..count).map(|number| interest(&format!("{number:03}"))));
    let call = peer.call().await;
    assert_eq!(call.asks().len(), count.min(100));
    (pokes, call)
}

async fn events(pokes: &mut Subscription, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..count {
        told.push(next(pokes).await);
    }
    told
}

#[tokio::test(start_paused = true)]
async fn of_102_interests_two_wait_and_the_others_are_live() {
    let mut peer = Peer::new();
    let (mut pokes, call) = crowd(&mut peer, 102).await;
    call.send(welcome_with(100)).await;
    assert_eq!(events(&mut pokes, 3).await, ["connected", "rejected 100 false", "rejected 101 false"]);
    for number in 0..100 {
        call.send(fresh(&format!("{number:03}"), 0)).await;
        assert_eq!(next(&mut pokes).await, format!("live {number:03} Fresh"));
    }
    assert!(peer.is_quiet_for(40 * SECOND).await, "nobody asks for what has no room");

    // With one less, the first that waits is asked for.
    assert!(pokes.control().remove(&interest("050")));
    let next_call = peer.call().await;
    let asked: Vec<_> = next_call.asks().into_iter().map(|(filter, _)| filter).collect();
    assert_eq!(asked.len(), 100);
    assert!(asked.contains(&"100".into()) && !asked.contains(&"101".into()) && !asked.contains(&"050".into()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_more_than_was_assumed_gets_all() {
    let mut peer = Peer::new();
    let (mut pokes, call) = crowd(&mut peer, 102).await;
    call.send(welcome_with(500)).await;
    for number in 0..100 {
        call.send(fresh(&format!("{number:03}"), 0)).await;
    }
    let told = events(&mut pokes, 101).await;
    assert!(!told.iter().any(|event| event.starts_with("rejected")), "there is room: {told:?}");
    assert_eq!(peer.call().await.asks().len(), 102);
}

#[tokio::test(start_paused = true)]
async fn what_is_added_over_the_limit_waits_until_one_ends_is_refused_or_removed() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b", "c"]).await;
    let control = pokes.control();
    for filter in ["z", "d", "e"] {
        control.add(interest(filter)).unwrap();
        assert_eq!(next(&mut pokes).await, format!("rejected {filter} false"));
    }
    call.send(ended("a", 5)).await;
    assert_eq!(next(&mut pokes).await, "ended a 5");
    let second = peer.call().await;
    assert_eq!(second.asks(), [("b".into(), Some(0)), ("c".into(), Some(0)), ("z".into(), None)], "in their order");
    second.send_all([welcome(), recovered("b", 0), recovered("c", 0), fresh("z", 6)]).await;
    assert_eq!(events(&mut pokes, 2).await, ["connected", "live z Fresh"]);

    second.send(rejected("b", Code::NotFound, None)).await;
    assert_eq!(next(&mut pokes).await, "rejected b true");
    let third = peer.call().await;
    assert_eq!(third.asks(), [("c".into(), Some(0)), ("d".into(), None), ("z".into(), Some(6))]);
    third.send_all([welcome(), recovered("c", 0), fresh("d", 6), recovered("z", 6)]).await;
    assert_eq!(events(&mut pokes, 2).await, ["connected", "live d Fresh"]);

    assert!(control.remove(&interest("c")));
    assert_eq!(peer.call().await.asks(), [("d".into(), Some(6)), ("e".into(), None), ("z".into(), Some(6))]);
}

#[tokio::test(start_paused = true)]
async fn what_waited_is_asked_for_soon_after_all_others_have_ended_and_no_call_is_lost() {
    for closes in [true, false] {
        let mut peer = Peer::new();
        let (mut pokes, call) = start(&mut peer, &["a", "b", "c"]).await;
        let control = pokes.control();
        control.add(interest("d")).unwrap();
        assert_eq!(next(&mut pokes).await, "rejected d false");
        // The server may end what the client no longer wants.
        assert!(control.remove(&interest("c")));
        control.add(interest("e")).unwrap();
        assert_eq!(next(&mut pokes).await, "rejected e false");
        call.send_all([ended("a", 1), rejected("b", Code::NotFound, None), ended("c", 1)]).await;
        assert_eq!(events(&mut pokes, 2).await, ["ended a 1", "rejected b true"]);
        if closes {
            call.finish().await;
        }
        let second = tokio::time::timeout(2 * SECOND, peer.call()).await.expect("there is room at once");
        assert_eq!(second.asks(), [("d".into(), None), ("e".into(), None)]);
        second.send_all([welcome(), fresh("d", 2), fresh("e", 2)]).await;
        assert_eq!(events(&mut pokes, 3).await, ["connected", "live d Fresh", "live e Fresh"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_lower_limit_is_asked_again_at_once_and_positions_are_kept() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b", "c"]).await;
    call.send(poke("c", at(7))).await;
    assert_eq!(next(&mut pokes).await, "poke c 7");
    call.fail(Code::Unavailable, "SHUTTING_DOWN", None).await;
    assert_eq!(next(&mut pokes).await, "reconnecting");
    peer.call().await.too_many_interests("2").await;
    assert_eq!(events(&mut pokes, 2).await, ["rejected c false", "reconnecting"]);
    let lower = peer.call().await;
    assert_eq!(lower.asks(), [("a".into(), Some(0)), ("b".into(), Some(0))]);
    lower.send_all([welcome_with(2), recovered("a", 0), recovered("b", 0)]).await;
    assert_eq!(events(&mut pokes, 3).await, ["connected", "live a Recovered", "live b Recovered"]);

    // Another server has room again: what waited goes on where it was.
    quiet(SECOND).await;
    lower.send(reconnect(0, 0, 60, poke_proto::v1::ReconnectReason::Drain)).await;
    let higher = peer.call().await;
    higher.send_all([welcome_with(3), recovered("a", 0), recovered("b", 0)]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(0)), ("b".into(), Some(0)), ("c".into(), Some(7))]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_lets_nothing_through_is_final() {
    for limit in ["0", "1", "2", "-1", "many"] {
        let mut peer = Peer::new();
        let mut pokes = peer.client().subscribe([interest("a")]);
        peer.call().await.too_many_interests(limit).await;
        assert_eq!(next(&mut pokes).await, "failed Refused", "{limit}");
        assert_eq!(next(&mut pokes).await, "over");
    }
}

#[tokio::test(start_paused = true)]
async fn the_words_name_the_limit() {
    let mut peer = Peer::new();
    let (mut pokes, _call) = start(&mut peer, &["a", "b", "c"]).await;
    pokes.control().add(interest("d")).unwrap();
    let Some(Ok(Event::Rejected(rejected))) = pokes.next().await else { panic!("it was not told") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (Code::InvalidArgument, "TOO_MANY_INTERESTS"));
    assert!(rejected.message.starts_with("over the limit of 3 interests"), "{}", rejected.message);
}
