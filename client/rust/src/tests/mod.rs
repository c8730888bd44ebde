//! The promises of `client/README.md`, each against a scripted server on a paused clock.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

mod connections;
mod endings;
mod limit;
mod peer;
mod publish;
mod replace;
mod resume;
mod retries;
mod watchdog;

use std::time::Duration;

use self::peer::{Call, Peer, fresh, welcome};
use crate::{Builder, Client, Event, Interest, Subscription, clock::Clock};

const SECOND: Duration = Duration::from_secs(1);

fn interest(filter: &str) -> Interest {
    Interest::new("D", filter)
}

/// A subscription to these filters, live from position 0 on, and its call.
async fn start(peer: &mut Peer, filters: &[&str]) -> (Subscription, Call) {
    start_with(peer, Client::builder("http://peer"), filters).await
}

async fn start_with(peer: &mut Peer, builder: Builder, filters: &[&str]) -> (Subscription, Call) {
    let client = peer.client_with(builder, Clock::new(|| Duration::ZERO));
    let mut pokes = client.subscribe(filters.iter().map(|filter| interest(filter)));
    let call = peer.call().await;
    call.send(welcome()).await;
    assert_eq!(next(&mut pokes).await, "connected");
    for filter in filters {
        call.send(fresh(filter, 0)).await;
        assert_eq!(next(&mut pokes).await, format!("live {filter} Fresh"));
    }
    (pokes, call)
}

/// The next event after `Connected`.
async fn resumed(pokes: &mut Subscription) -> String {
    assert_eq!(next(pokes).await, "connected");
    next(pokes).await
}

/// Lets time go by, for everybody.
async fn quiet(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The next event in a few words, for example `poke a 7`.
async fn next(pokes: &mut Subscription) -> String {
    match pokes.next().await {
        Some(Ok(event)) => told(&event),
        Some(Err(error)) => format!("failed {:?}", error.kind()),
        None => "over".into(),
    }
}

fn told(event: &Event) -> String {
    match event {
        Event::Poke(poke) => format!("poke {} {}", poke.interest.filter, poke.position.sequence),
        Event::Gap(gap) => format!("gap {} {:?} {}", gap.interest.filter, gap.reason, gap.position.sequence),
        Event::Ended(ended) => format!("ended {} {}", ended.interest.filter, ended.position.sequence),
        Event::Rejected(rejected) => format!("rejected {} {}", rejected.interest.filter, rejected.is_final),
        Event::Live(live) => format!("live {} {:?}", live.interest.filter, live.outcome),
        Event::Connected(_) => "connected".into(),
        Event::Reconnecting(_) => "reconnecting".into(),
    }
}
