//! No interest, however it is named, reaches another's pokes: above all none of everyone's reaches a customer's.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use poke_server::{
    backplane::publish_id,
    frame::Draft,
    interest::{Interest, InvalidInterest, Recipients},
    registry::{Allowance, Cursor, Entry, PublishId, Registry, Request, Retention, Settings, Signal, Start, Watcher},
};
use proptest::{collection::vec, option, prelude::*};
use tokio::time::Instant;

/// Whose it is, domain and filter, as a client or a publisher sends them.
type Names = (Option<String>, String, String);

/// Names out of few parts, so that many are alike when their borders are not seen.
fn text() -> impl Strategy<Value = String> {
    const PARTS: [&str; 18] = [
        "a", "b", "A", "/", ":", "|", ".", "-", "_", " ", "%00", "\\0", "\0", "\n", "\u{1f}", "\u{2028}", "é",
        "e\u{301}",
    ];
    prop_oneof![
        4 => vec(prop::sample::select(&PARTS), 0..4).prop_map(|parts| parts.concat()),
        1 => any::<String>(),
    ]
}

fn names() -> impl Strategy<Value = Names> {
    (option::of(text()), prop_oneof![Just("a".to_owned()), Just("a.b".to_owned()), text()], text())
}

fn interest((customer, domain, filter): &Names) -> Result<Interest, InvalidInterest> {
    let recipients = customer.as_ref().map_or(Recipients::Everyone, |id| Recipients::Customer(id.as_str().into()));
    Interest::new(recipients, domain, filter)
}

fn attach(registry: &Arc<Registry>, interest: &Interest, start: Start) -> Cursor {
    let watcher = Watcher { signal: Arc::new(Signal::new(1)), slot: 0 };
    registry.attach(interest, start, &watcher, &mut usize::MAX.clone()).0
}

/// What a cursor reads: each poke of this test holds the names that it was published under.
fn read(cursor: &mut Cursor) -> Vec<Bytes> {
    let mut seen = Vec::new();
    cursor.read(usize::MAX, |_, entry| match entry {
        Entry::Poke(item) => seen.push(item.frame.clone()),
        Entry::End(frame) => seen.push(frame.clone()),
        Entry::Lost { .. } => {}
    });
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_sees_its_own_pokes_and_no_others(all in vec(names(), 2..24), ended in vec(any::<bool>(), 24)) {
        let named: Vec<_> = all.iter().collect::<HashSet<_>>().into_iter().filter_map(|names| Some((names, interest(names).ok()?))).collect();
        let registry = Arc::new(Registry::new(Settings { window: Duration::from_secs(600), ..Settings::default() }));
        let allowance = Allowance::new(Retention { pokes: 8, bytes: usize::MAX }, 100);
        let request = Request { publisher: "", allowance: &allowance, now: Instant::now() };
        let mut live: Vec<_> = named.iter().map(|(_, interest)| attach(&registry, interest, Start::New)).collect();
        let mut keys = HashSet::new();
        for ((names, interest), is_end) in named.iter().zip(&ended) {
            let own = Bytes::from(format!("{names:?}"));
            let (accepted, _) = registry.publish(interest, request, None, |_| own.clone()).unwrap();
            prop_assert_eq!((accepted.receivers, accepted.duplicate), (1, false));
            // One key of idempotency, used for each of them.
            let id: PublishId = publish_id("publisher", interest, "once", &Draft::new(interest, None));
            prop_assert!(keys.insert(id.key));
            if *is_end {
                drop(registry.end(interest, request, |_| own.clone()).unwrap());
            }
        }
        for (((names, interest), is_end), cursor) in named.iter().zip(&ended).zip(&mut live) {
            let own = vec![Bytes::from(format!("{names:?}")); 1 + usize::from(*is_end)];
            prop_assert_eq!(&read(cursor), &own);
            // And so when it comes back.
            let after = read(&mut attach(&registry, interest, Start::After(0)));
            prop_assert_eq!(&after, &own);
        }
    }
}
