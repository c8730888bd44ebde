//! The one rule about errors: what is retried, when, and what is final.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use poke_proto::v1::ReconnectReason;
use tonic::{Code, Status};

use super::{SECOND, interest, next, peer::*, resumed, start};
use crate::{Client, ErrorKind, Event, clock::Clock};

#[tokio::test(start_paused = true)]
async fn a_final_error_surfaces_once_and_then_the_subscription_is_over() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    call.fail(Code::PermissionDenied, "NOT_YOURS", None).await;
    let error = pokes.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(Code::PermissionDenied)));
    assert_eq!(error.reason(), Some("NOT_YOURS"));
    assert_eq!(next(&mut pokes).await, "over");
    assert!(peer.is_quiet_for(60 * SECOND).await);
}

#[tokio::test(start_paused = true)]
async fn retry_info_is_a_minimum_for_any_code() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    let lost = tokio::time::Instant::now();
    call.fail(Code::Aborted, "CLIENT_STALLED", Some(7 * SECOND)).await;
    match pokes.next().await {
        Some(Ok(Event::Reconnecting(lost))) => {
            assert_eq!(lost.cause.retry_after(), Some(7 * SECOND));
            assert!(lost.delay >= 7 * SECOND && lost.delay <= 8 * SECOND);
        }
        other => panic!("{other:?}"),
    }
    peer.call().await;
    assert!(lost.elapsed() >= 7 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_tried_for_ever_with_growing_waits() {
    let mut peer = Peer::new();
    peer.refuse_connections(true);
    let mut pokes = peer.client().subscribe([interest("a")]);
    for bound in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] {
        match pokes.next().await {
            Some(Ok(Event::Reconnecting(lost))) => {
                assert_eq!(lost.cause.code(), Some(Code::Unavailable));
                assert!(lost.delay.as_secs_f64() <= bound);
            }
            other => panic!("{other:?}"),
        }
    }
    peer.refuse_connections(false);
    let call = loop {
        tokio::select! {
            call = peer.call() => break call,
            event = pokes.next() => assert!(matches!(event, Some(Ok(Event::Reconnecting(_))))),
        }
    };
    call.send_all([welcome(), fresh("a", 0)]).await;
    while next(&mut pokes).await != "live a Fresh" {}
}

#[tokio::test(start_paused = true)]
async fn a_first_call_that_the_transport_cancels_is_retried_at_once_but_only_once() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a")]);
    let begun = tokio::time::Instant::now();
    peer.call().await.trailers(&Status::cancelled("GOAWAY")).await;
    let second = peer.call().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_ne!(second.connection, 0);
    second.trailers(&Status::internal("GOAWAY")).await;
    assert_eq!(next(&mut pokes).await, "reconnecting");
    match pokes.next().await {
        Some(Ok(Event::Reconnecting(lost))) => assert!(!lost.delay.is_zero()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_without_its_server_is_tried_again() {
    let mut peer = Peer::new();
    for status in [408, 429, 500, 502, 503, 504] {
        peer.answer_http(status);
        let mut pokes = peer.client().subscribe([interest("a")]);
        match pokes.next().await {
            Some(Ok(Event::Reconnecting(lost))) => {
                assert_eq!((lost.cause.kind(), lost.cause.http_status()), (ErrorKind::Unavailable, Some(status)));
            }
            other => panic!("{status}: {other:?}"),
        }
        peer.answer_http(0);
        peer.call().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_grpc_and_will_not_become_it_is_final() {
    let peer = Peer::new();
    for (status, kind) in [
        (200, ErrorKind::Protocol),
        (302, ErrorKind::Protocol),
        (400, ErrorKind::Protocol),
        (401, ErrorKind::Refused),
        (403, ErrorKind::Refused),
        (404, ErrorKind::Protocol),
        (405, ErrorKind::Protocol),
        (413, ErrorKind::Refused),
        (415, ErrorKind::Protocol),
        (431, ErrorKind::Refused),
    ] {
        peer.answer_http(status);
        let client = peer.client();
        let mut pokes = client.subscribe([interest("a")]);
        let error = pokes.next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.http_status()), (kind, Some(status)));
        assert_eq!(next(&mut pokes).await, "over");
        let begun = tokio::time::Instant::now();
        assert_eq!(client.publish(crate::Publish::new("D", "a")).await.unwrap_err().kind(), kind);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_without_a_status_or_with_ok_is_lost() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    call.finish().await;
    assert_eq!(next(&mut pokes).await, "reconnecting");
    let call = peer.call().await;
    call.send_all([welcome(), recovered("a", 0)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Recovered");
    drop(call);
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(0))]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_interest_is_asked_for_after_its_delay_and_the_others_go_on() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a"), interest("b")]);
    let old = peer.call().await;
    old.send_all([welcome(), fresh("a", 0), rejected("b", Code::Unavailable, Some(20))]).await;
    let refused = tokio::time::Instant::now();
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    assert_eq!(next(&mut pokes).await, "rejected b false");
    old.send(poke("a", at(1))).await;
    assert_eq!(next(&mut pokes).await, "poke a 1");
    let new = peer.call().await;
    assert!((20 * SECOND..=31 * SECOND).contains(&refused.elapsed()));
    assert_eq!(new.asks(), [("a".into(), Some(1)), ("b".into(), None)]);
}

#[tokio::test(start_paused = true)]
async fn an_interest_that_is_refused_for_a_while_is_not_in_earlier_calls() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a"), interest("b")]);
    let old = peer.call().await;
    old.send_all([welcome(), fresh("a", 0), rejected("b", Code::Unavailable, Some(300))]).await;
    old.send(reconnect(1, 1, 60, ReconnectReason::Rebalance)).await;
    assert_eq!(peer.call().await.asks(), [("a".into(), Some(0))]);
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
}

#[tokio::test(start_paused = true)]
async fn an_interest_that_the_server_had_to_cut_is_known_by_its_beginning() {
    let mut peer = Peer::new();
    let long = "x".repeat(300);
    let mut pokes = peer.client().subscribe([interest("a"), interest(&long)]);
    let call = peer.call().await;
    call.send_all([welcome(), fresh("a", 0), rejected(&long[..256], Code::InvalidArgument, None)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    assert_eq!(next(&mut pokes).await, format!("rejected {long} true"));
    call.send(ended("a", 1)).await;
    assert_eq!(next(&mut pokes).await, "ended a 1");
    assert_eq!(next(&mut pokes).await, "failed Refused");
}

/// A client whose tokens are `t1`, `t2` and so on; the first `failures` attempts to get one fail.
fn client_with_tokens(peer: &Peer, failures: usize) -> Client {
    let fetches = Arc::new(AtomicUsize::new(0));
    let builder = Client::builder("http://peer").token_provider(move || {
        let fetch = fetches.fetch_add(1, Ordering::Relaxed);
        async move { if fetch < failures { Err("no network") } else { Ok(format!("t{}", fetch - failures + 1)) } }
    });
    peer.client_with(builder, Clock::new(|| Duration::ZERO))
}

fn token(call: &Call) -> &str {
    call.headers.get("authorization").unwrap().to_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_accepted_is_refreshed_once() {
    let mut peer = Peer::new();
    let mut pokes = client_with_tokens(&peer, 0).subscribe([interest("a")]);
    let call = peer.call().await;
    assert_eq!(token(&call), "Bearer t1");
    call.fail(Code::Unauthenticated, "TOKEN_EXPIRED", None).await;
    let call = peer.call().await;
    assert_eq!(token(&call), "Bearer t2");
    call.fail(Code::Unauthenticated, "TOKEN_EXPIRED", None).await;
    assert_eq!(next(&mut pokes).await, "failed Refused");
    assert_eq!(next(&mut pokes).await, "over");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_for_its_token_goes_on_with_another() {
    let mut peer = Peer::new();
    let mut pokes = client_with_tokens(&peer, 0).subscribe([interest("a")]);
    let call = peer.call().await;
    call.send_all([welcome(), fresh("a", 0)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    call.fail(Code::Unauthenticated, "TOKEN_EXPIRED", None).await;
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert_eq!(token(&peer.call().await), "Bearer t2");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_about_to_expire_is_refreshed_before_the_move() {
    let mut peer = Peer::new();
    let mut pokes = client_with_tokens(&peer, 0).subscribe([interest("a")]);
    let call = peer.call().await;
    call.send_all([welcome(), fresh("a", 0)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    call.send(reconnect(1, 2, 60, ReconnectReason::TokenExpiring)).await;
    let new = peer.call().await;
    assert_eq!(token(&new), "Bearer t2");
    assert_eq!(new.connection, call.connection);
    assert!(!call.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_can_not_be_had_is_a_lost_connection() {
    let mut peer = Peer::new();
    let mut pokes = client_with_tokens(&peer, 2).subscribe([interest("a")]);
    for _ in 0..2 {
        match pokes.next().await {
            Some(Ok(Event::Reconnecting(lost))) => assert_eq!(lost.cause.kind(), ErrorKind::Token),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(token(&peer.call().await), "Bearer t1");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_never_changes_is_refused_for_good() {
    let mut peer = Peer::new();
    let builder = Client::builder("http://peer").token("secret");
    let mut pokes = peer.client_with(builder, Clock::new(|| Duration::ZERO)).subscribe([interest("a")]);
    let call = peer.call().await;
    assert_eq!(token(&call), "Bearer secret");
    // There is nothing to move to before it ends.
    call.send(reconnect(1, 2, 60, ReconnectReason::TokenExpiring)).await;
    assert!(peer.is_quiet_for(3 * SECOND).await);
    call.fail(Code::Unauthenticated, "TOKEN_EXPIRED", None).await;
    assert_eq!(next(&mut pokes).await, "failed Refused");
    assert_eq!(next(&mut pokes).await, "over");
}
