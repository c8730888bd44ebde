//! The promises of `client/README.md`, each against a scripted server on a paused clock.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

mod peer;
mod resume;

use std::time::Duration;

use crate::{Event, Interest, Subscription};

const SECOND: Duration = Duration::from_secs(1);

fn interest(filter: &str) -> Interest {
    Interest::new("D", filter)
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
