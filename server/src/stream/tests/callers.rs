//! Streams whose callers' rights end.

use super::*;
use crate::auth::{Access, Auth, Publishers, Subscribers};

fn status(reader: &Reader) -> i32 {
    reader.trailers.as_ref().unwrap()["grpc-status"].to_str().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn before_a_token_expires_its_client_is_told_and_then_nothing_more_comes() {
    let fixture = fixture(Settings::default());
    let began = Instant::now();
    let caller = Caller::until(began + Duration::from_secs(300));
    let mut reader = fixture.open_as(caller, [new("a")]);
    let reconnect = loop {
        match reader.next().await.unwrap() {
            Event::Reconnect(reconnect) => break reconnect,
            event => assert!(!matches!(event, Event::Poke(_))),
        }
    };
    assert_eq!(reconnect.reason(), ReconnectReason::TokenExpiring);
    let told = began.elapsed();
    assert!((240..=241).contains(&told.as_secs()), "{told:?}");
    let seconds = |duration: Option<prost_types::Duration>| duration.unwrap().seconds;
    assert!(seconds(reconnect.max_delay) <= 30 && seconds(reconnect.closes_after) <= 60);
    // It goes on until then.
    fixture.publish("a", "in time").await;
    while !matches!(reader.next().await.unwrap(), Event::Poke(_)) {}
    advance(Duration::from_secs(300) - began.elapsed()).await;
    fixture.publish("a", "too late").await;
    while let Some(event) = reader.next().await {
        assert!(!matches!(event, Event::Poke(_)), "{event:?}");
    }
    assert_eq!(status(&reader), 16);
    drop(reader);
    assert_eq!(fixture.metrics.streams_ended.get(StreamEnd::Expired), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_token_leaves_half_of_its_time_for_the_move() {
    let fixture = fixture(Settings::default());
    let began = Instant::now();
    let mut reader = fixture.open_as(Caller::until(began + Duration::from_secs(10)), [new("a")]);
    while !matches!(reader.next().await.unwrap(), Event::Reconnect(_)) {}
    assert!((5..=6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    while reader.next().await.is_some() {}
    assert!((10..=11).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn new_rules_withdraw_interests_and_leave_the_others() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open_as(Caller::default(), [new("a")]);
    while !matches!(reader.next().await.unwrap(), Event::Subscribed(_)) {}
    let open = Access::open();
    let auth = Arc::new(Auth::new(&Default::default(), [("PLAYLIST", &open)], None));
    fixture.streams.review(&auth);
    fixture.publish("a", "still").await;
    assert!(matches!(reader.next().await.unwrap(), Event::Poke(_)));
    let closed = Access { publishers: Publishers::Anyone, subscribers: Subscribers::Grant };
    auth.replace(&Default::default(), [("PLAYLIST", &closed)], None);
    fixture.streams.review(&auth);
    fixture.publish("a", "not any more").await;
    let Event::Rejected(rejected) = reader.next().await.unwrap() else { unreachable!("it may not listen") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (16, "CREDENTIALS_REQUIRED"));
    assert!(rejected.retry_delay.is_none() && reader.next().await.is_none());
    assert_eq!(status(&reader), 0, "nothing is left");
    // Who was let in just before looks as well.
    let mut late = fixture.open_as(Caller::default(), [new("a")]);
    while !matches!(late.next().await.unwrap(), Event::Rejected(_)) {}
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_no_longer_known_is_cut_off() {
    let fixture = fixture(Settings::default());
    let caller = Caller::until(Instant::now() + Duration::from_secs(300));
    let mut reader = fixture.open_as(caller, [new("a")]);
    while !matches!(reader.next().await.unwrap(), Event::Subscribed(_)) {}
    fixture.publish("a", "not any more").await;
    fixture.streams.review(&Arc::new(Auth::open()));
    assert!(reader.next().await.is_none());
    assert_eq!(status(&reader), 16);
}
