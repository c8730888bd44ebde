//! How many streams there may be.

use super::*;
use crate::{auth::Caller, error::Kind, limits::Source, metrics::StreamLimit};

/// A connection from an address.
struct Remote(Wire, Source);

impl Link for Remote {
    fn retire(&self) {
        self.0.retired.store(true, SeqCst);
    }

    fn is_retired(&self) -> bool {
        self.0.is_retired()
    }

    fn close(&self) {}

    fn source(&self) -> Option<Source> {
        Some(self.1)
    }

    fn tally(&self) -> &Tally {
        self.0.tally()
    }

    fn identity(&self) -> Option<&Arc<crate::auth::PeerIdentity>> {
        None
    }
}

fn link(source: u64) -> Arc<dyn Link> {
    Arc::new(Remote(Wire::default(), Source::V6(source)))
}

#[tokio::test(start_paused = true)]
async fn each_bound_is_told_from_the_others_and_what_has_left_makes_room() {
    let fixture = fixture(Settings {
        max_streams: 5,
        max_streams_per_address: Some(3),
        max_streams_per_customer: Some(1),
        ..Settings::default()
    });
    let open = |link: &Arc<dyn Link>, customer: Option<&str>| {
        let link = Some(Arc::clone(link));
        let opened = fixture.streams.open(Opening {
            link,
            caller: customer.map(Caller::of_customer).unwrap_or_default(),
            ..opening(vec![new("a")])
        });
        opened.map_err(|error| match error.kind() {
            Kind::TooManyStreams { of } => of,
            other => panic!("{other:?}"),
        })
    };
    let [one, two, elsewhere] = [link(1), link(1), link(2)];
    let mut streams = vec![open(&one, None).unwrap(), open(&one, None).unwrap()];
    streams.push(open(&two, Some("c")).unwrap());
    assert_eq!(open(&two, None).err(), Some(StreamLimit::Address));
    assert_eq!(open(&elsewhere, Some("c")).err(), Some(StreamLimit::Customer));
    streams.push(open(&elsewhere, Some("d")).unwrap());
    streams.push(open(&elsewhere, None).unwrap());
    assert_eq!(open(&link(3), None).err(), Some(StreamLimit::Server));
    for of in [StreamLimit::Server, StreamLimit::Address, StreamLimit::Customer] {
        assert_eq!(fixture.metrics.streams_over_limit.get(of), 1, "{of:?}");
    }
    streams.clear();
    streams = (0..2).map(|_| open(&one, None).unwrap()).collect();
    streams.push(open(&two, Some("c")).unwrap());
    drop(streams);
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_to_move_counts_against_no_limit() {
    let fixture = fixture(Settings {
        max_age: Duration::from_secs(100),
        max_age_jitter: 0.0,
        max_streams: 1,
        max_streams_per_address: Some(1),
        max_streams_per_customer: Some(1),
        ..Settings::default()
    });
    let link = link(1);
    let open = || {
        let (link, caller) = (Some(Arc::clone(&link)), Caller::of_customer("c"));
        let stream = fixture.streams.open(Opening { link, caller, ..opening(vec![new("a")]) }).ok()?;
        Some(Reader { stream, events: Default::default(), trailers: None })
    };
    let mut old = open().unwrap();
    assert!(open().is_none());
    assert_eq!(link.tally().moving(), 0);
    while !matches!(old.next().await.unwrap(), Event::Reconnect(_)) {}
    assert_eq!(link.tally().moving(), 1, "its successor may come on the same connection");
    let mut new = open().expect("its successor").live(1).await;
    assert!(open().is_none(), "and no other");
    fixture.publish("a", "x").await;
    assert_eq!((old.poke().await.1, new.poke().await.1), ("x".into(), "x".into()));
    drop(old);
    assert_eq!(link.tally().moving(), 0);
    assert!(open().is_none(), "what has left twice left one seat");
    drop(new);
    assert!(open().is_some());
}
