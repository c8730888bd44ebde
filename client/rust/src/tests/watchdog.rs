//! Silence, sleep and slow users.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, advance};

use super::{SECOND, interest, next, peer::*, quiet, resumed, start, start_with};
use crate::{Client, clock::Clock};

#[tokio::test(start_paused = true)]
async fn silence_of_two_and_a_half_heartbeats_is_a_lost_connection() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a"]).await;
    quiet(49 * SECOND).await;
    call.send(heartbeat(&[])).await;
    quiet(SECOND).await;
    let last = Instant::now();
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert!((48 * SECOND..=51 * SECOND).contains(&last.elapsed()));
    call.cancelled().await;
    // What has swallowed the old stream isn't asked again.
    assert_ne!(peer.call().await.connection, call.connection);
}

#[tokio::test(start_paused = true)]
async fn patience_doubles_each_time_in_a_row() {
    let mut peer = Peer::new();
    let (mut pokes, _held) = start(&mut peer, &["a"]).await;
    let mut held = Vec::new();
    for patience in [50, 100, 200, 400, 400] {
        let last = Instant::now();
        assert_eq!(next(&mut pokes).await, "reconnecting");
        assert!((patience - 1..=patience + 1).contains(&last.elapsed().as_secs()), "{patience}");
        let call = peer.call().await;
        call.send_all([welcome(), recovered("a", 0)]).await;
        assert_eq!(resumed(&mut pokes).await, "live a Recovered");
        held.push(call);
    }
    // A heartbeat in time shows that the network doesn't hold them back.
    held.last().unwrap().send(heartbeat(&[])).await;
    quiet(SECOND).await;
    let last = Instant::now();
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert!(last.elapsed() <= 51 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_welcome_is_given_up() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("a")]);
    let _call = peer.call().await;
    let begun = Instant::now();
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert!((9 * SECOND..=11 * SECOND).contains(&begun.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_sleep_of_the_machine_is_silence() {
    let mut peer = Peer::new();
    let slept = Arc::new(Mutex::new(Duration::ZERO));
    let told = slept.clone();
    let clock = Clock::new(move || *told.lock());
    let mut pokes = peer.client_with(Client::builder("http://peer"), clock).subscribe([interest("a")]);
    let call = peer.call().await;
    call.send_all([welcome(), fresh("a", 0)]).await;
    assert_eq!(resumed(&mut pokes).await, "live a Fresh");
    *slept.lock() = 3600 * SECOND;
    let woken = Instant::now();
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert!(woken.elapsed() <= 6 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_slow_user_makes_the_server_wait_and_is_not_silence() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start_with(&mut peer, Client::builder("http://peer").event_buffer(4), &["a"]).await;
    let mut sent = 0;
    // The user reads nothing for ten minutes. What the server can send meanwhile is bounded by buffers and windows.
    for _ in 0..600 {
        if call.try_poke(at(sent + 1), 64 * 1024) {
            sent += 1;
        }
        advance(SECOND).await;
        tokio::task::yield_now().await;
    }
    assert!((4..150).contains(&sent), "{sent}");
    for sequence in 1..=sent {
        assert_eq!(next(&mut pokes).await, format!("poke a {sequence}"));
    }
    call.send(poke("a", at(sent + 1))).await;
    assert_eq!(next(&mut pokes).await, format!("poke a {}", sent + 1));
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_watches_again_when_the_user_is_back() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start_with(&mut peer, Client::builder("http://peer").event_buffer(4), &["a"]).await;
    for sequence in 1..=4 {
        call.send(poke("a", at(sequence))).await;
    }
    quiet(600 * SECOND).await;
    for sequence in 1..=4 {
        assert_eq!(next(&mut pokes).await, format!("poke a {sequence}"));
    }
    let back = Instant::now();
    assert_eq!(next(&mut pokes).await, "reconnecting");
    assert!((49 * SECOND..=51 * SECOND).contains(&back.elapsed()));
}
