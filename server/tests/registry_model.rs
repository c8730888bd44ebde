//! The registry against a reference that is too simple to be wrong: a list of everything that was accepted. Any order
//! of operations, on a clock that the test moves: a subscriber sees all, in order, or a loss that covers what it misses.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use poke_server::{
    interest::{Interest, Recipients},
    registry::{
        Allowance, Cursor, Entry, Loss, PublishId, Refused, Registry, Request, Retention, Settings, Signal, Start,
        Watcher,
    },
};
use proptest::prelude::*;
use tokio::time::Instant;

const INTERESTS: usize = 3;
const WINDOW: u64 = 20;
const POKES: usize = 4;
const KEYS: usize = 3;
/// What six pokes of 100 bytes on two interests cost, and a little.
const BUDGET: usize = 6 * 270 + 2 * 450;

#[derive(Clone, Debug)]
enum Op {
    Publish {
        interest: usize,
        key: Option<(u8, u8)>,
    },
    /// Its time is a little earlier than what came before it: callers read the clock before they have the lock.
    End {
        interest: usize,
        late: u64,
    },
    Subscribe {
        interest: usize,
        start: From,
        budget: usize,
    },
    Read {
        who: usize,
        budget: usize,
    },
    Checkpoint {
        whos: Vec<usize>,
    },
    Leave {
        who: usize,
    },
    Pass {
        seconds: u64,
        sweep: bool,
    },
}

#[derive(Clone, Copy, Debug)]
enum From {
    New,
    Latest,
    Unknown,
    Future,
    Saved(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let interest = 0..INTERESTS;
    let start = prop_oneof![
        2 => Just(From::New), 1 => Just(From::Latest), 1 => Just(From::Unknown), 1 => Just(From::Future),
        8 => any::<usize>().prop_map(From::Saved)
    ];
    let key = proptest::option::weighted(0.3, (0..5u8, 0..2u8));
    prop_oneof![
        8 => (interest.clone(), key).prop_map(|(interest, key)| Op::Publish { interest, key }),
        1 => (interest.clone(), 0..3u64).prop_map(|(interest, late)| Op::End { interest, late }),
        5 => (interest, start, prop_oneof![4 => Just(usize::MAX), 1 => 0..400usize])
            .prop_map(|(interest, start, budget)| Op::Subscribe { interest, start, budget }),
        5 => (any::<usize>(), prop_oneof![Just(usize::MAX), 1..300usize])
            .prop_map(|(who, budget)| Op::Read { who, budget }),
        3 => proptest::collection::vec(any::<usize>(), 1..4).prop_map(|whos| Op::Checkpoint { whos }),
        3 => any::<usize>().prop_map(|who| Op::Leave { who }),
        5 => (0..WINDOW / 2, any::<bool>()).prop_map(|(seconds, sweep)| Op::Pass { seconds, sweep }),
    ]
}

/// Something that was accepted.
#[derive(Clone, Copy, Debug)]
struct Fact {
    interest: usize,
    sequence: i64,
    at: u64,
    end: bool,
}

struct First {
    key: [u8; 16],
    content: u8,
    sequence: i64,
    at: u64,
}

struct Subscriber {
    interest: usize,
    cursor: Cursor,
    signal: Arc<Signal>,
    /// Up to here it has seen everything, or knows that it hasn't.
    seen: i64,
}

struct World {
    registry: Arc<Registry>,
    allowance: Allowance,
    epoch: Instant,
    now: u64,
    tight: bool,
    history: Vec<Fact>,
    /// What an interest retains, oldest first, as long as the budget isn't tight.
    retained: [Vec<Fact>; INTERESTS],
    ended: [Option<Fact>; INTERESTS],
    firsts: Vec<First>,
    subscribers: Vec<Subscriber>,
    saved: Vec<(usize, i64)>,
}

fn interest(n: usize) -> Interest {
    Interest::new(Recipients::Everyone, "MODEL", &format!("{n}")).expect("a valid interest")
}

fn frame(sequence: i64) -> Bytes {
    let mut frame = vec![0; 100];
    frame[..8].copy_from_slice(&sequence.to_be_bytes());
    frame.into()
}

fn sequence_of(frame: &Bytes) -> i64 {
    i64::from_be_bytes(*frame.first_chunk().expect("what `frame` made"))
}

impl World {
    fn new(tight: bool) -> Self {
        let budget = if tight { BUDGET } else { usize::MAX };
        let settings = Settings { window: Duration::from_secs(WINDOW), budget, ends_budget: usize::MAX };
        Self {
            registry: Arc::new(Registry::new(settings)),
            allowance: Allowance::new(Retention { pokes: POKES, bytes: usize::MAX }, KEYS),
            epoch: Instant::now() + Duration::from_secs(1000),
            now: 10,
            tight,
            history: Vec::new(),
            retained: Default::default(),
            ended: [None; INTERESTS],
            firsts: Vec::new(),
            subscribers: Vec::new(),
            saved: Vec::new(),
        }
    }

    fn request(&self, at: u64) -> Request<'_> {
        Request { publisher: "", allowance: &self.allowance, now: self.instant(at) }
    }

    fn instant(&self, at: u64) -> Instant {
        self.epoch + Duration::from_secs(at)
    }

    fn head(&self) -> i64 {
        self.history.last().map_or(0, |fact| fact.sequence)
    }

    /// What was accepted for an interest after a sequence.
    fn after(&self, interest: usize, sequence: i64) -> impl Iterator<Item = &Fact> {
        self.history.iter().filter(move |fact| fact.interest == interest && fact.sequence > sequence)
    }

    fn expire(&mut self, interest: usize, now: u64) {
        let retained = &mut self.retained[interest];
        let old = retained.iter().take_while(|fact| now.saturating_sub(fact.at) >= WINDOW).count();
        retained.drain(..old);
        // With a tight budget the pokes before an end may have gone long ago: see `is_ended`.
        if retained.is_empty() {
            self.ended[interest].take_if(|end| now.saturating_sub(end.at) >= WINDOW);
        }
    }

    fn accept(&mut self, interest: usize, sequence: i64, at: u64, end: bool) {
        assert!(sequence > self.head(), "sequences rise over all interests");
        let fact = Fact { interest, sequence, at, end };
        self.history.push(fact);
        self.saved.push((interest, sequence));
        if end {
            self.ended[interest] = Some(fact);
        } else {
            self.retained[interest].push(fact);
            let over = self.retained[interest].len().saturating_sub(POKES);
            self.retained[interest].drain(..over);
        }
        for subscriber in &self.subscribers {
            let woken = subscriber.signal.take(0, 1) != 0;
            assert_eq!(woken, subscriber.interest == interest, "all of the interest are woken, and nobody else");
        }
    }

    fn publish(&mut self, n: usize, key: Option<(u8, u8)>) {
        let at = self.now;
        let id = key.map(|(key, content)| {
            let mut scoped = [key; 16];
            scoped[0] = u8::try_from(n).expect("few interests");
            PublishId { key: scoped, content: [content; 16] }
        });
        self.expire(n, at);
        let first = id.and_then(|id| {
            let recent = self.firsts.iter().rev().take(KEYS);
            recent.filter(|first| at - first.at < WINDOW).find(|first| first.key == id.key)
        });
        let expected = match (first, &id) {
            (Some(first), Some(id)) if first.content != id.content[0] => Err(Refused::Conflict),
            (Some(first), _) => Ok(Some(first.sequence)),
            (None, _) if self.ended[n].is_some() => Err(Refused::Ended),
            (None, _) => Ok(None),
        };
        let accepted = self.registry.publish(&interest(n), self.request(at), id.as_ref(), frame);
        match (expected, accepted) {
            (Err(expected), Err(refused)) => assert_eq!(expected, refused),
            (Ok(Some(first)), Ok((accepted, _))) => assert_eq!((first, true), (accepted.sequence, accepted.duplicate)),
            (Ok(None), Ok((accepted, _))) => {
                assert!(!accepted.duplicate);
                assert_eq!(accepted.receivers, self.subscribers.iter().filter(|s| s.interest == n).count());
                self.accept(n, accepted.sequence, at, false);
                if let Some(id) = id {
                    let (content, sequence) = (id.content[0], accepted.sequence);
                    self.firsts.push(First { key: id.key, content, sequence, at });
                }
            }
            (expected, accepted) => panic!("expected {expected:?}, was {accepted:?}"),
        }
        if self.tight {
            assert!(self.registry.stats().retained_bytes.load(Relaxed) <= BUDGET);
        }
    }

    fn end(&mut self, n: usize, late: u64) {
        let at = if self.tight { self.now } else { self.now - late };
        self.expire(n, at);
        let (sequence, _) = self.registry.end(&interest(n), self.request(at), frame).expect("there is room");
        match self.ended[n] {
            Some(end) => {
                assert_eq!(end.sequence, sequence, "the first end wins");
                // A repeat wakes for nothing, which is allowed.
                for subscriber in &self.subscribers {
                    subscriber.signal.take(0, 1);
                }
            }
            None => self.accept(n, sequence, at, true),
        }
    }

    fn subscribe(&mut self, n: usize, from: From, budget: usize) {
        let start = match from {
            From::New => Start::New,
            From::Latest => Start::Latest,
            From::Unknown => Start::Unknown,
            From::Future => Start::After(self.head() + 1),
            From::Saved(_) if self.saved.is_empty() => Start::After(0),
            From::Saved(which) => Start::After(self.saved[which % self.saved.len()].1),
        };
        // Half of the saved positions are used for their own interest, the others for any: neither may lie.
        let n = match from {
            From::Saved(which) if !self.saved.is_empty() && which % 2 == 0 => self.saved[which % self.saved.len()].0,
            _ => n,
        };
        let signal = Arc::new(Signal::new(1));
        let watcher = Watcher { signal: Arc::clone(&signal), slot: 0 };
        let (cursor, place) = self.registry.attach(&interest(n), start, &watcher, &mut { budget });
        assert!((0..=self.head()).contains(&place.position), "a place that is not of this history");
        let end = self.ended[n];
        match (start, place.loss) {
            (Start::New, loss) => {
                assert_eq!((loss, place.recovered), (None, false));
                assert_eq!(place.position, end.map_or(self.head(), |end| end.sequence - 1));
            }
            (Start::Latest, loss) => {
                assert_eq!((loss, place.recovered), (None, false));
                if let (Some(newest), false) = (self.retained[n].last(), self.tight) {
                    assert_eq!(place.position, newest.sequence - 1, "it begins with the newest");
                }
            }
            (Start::Unknown, loss) => assert_eq!(loss, Some(Loss::EpochChanged)),
            (Start::After(after), Some(Loss::EpochChanged)) => assert!(after > self.head()),
            (Start::After(after), loss) => {
                assert!(after <= self.head());
                assert_eq!(place.recovered, loss.is_none());
                let missing = self.after(n, after).find(|fact| !self.is_retained(fact)).is_some();
                if loss.is_none() {
                    assert!(self.tight || !missing, "something is missing, in silence");
                    assert_eq!(place.position, end.map_or(after, |end| after.min(end.sequence - 1)));
                } else {
                    assert_eq!(loss, Some(Loss::Evicted));
                    assert!(place.position > after, "a client would ignore this loss");
                    // A position past all that was accepted a window ago can't be older than any floor.
                    let old = self.history.iter().filter(|fact| self.now - fact.at >= WINDOW).map(|f| f.sequence).max();
                    let replay = self.after(n, after).filter(|fact| !fact.end).count() * 100;
                    let due = missing || replay > budget || self.tight || after < old.unwrap_or(0);
                    assert!(due, "a loss of nothing: after {after}, {old:?}");
                }
            }
        }
        self.saved.push((n, place.position));
        self.subscribers.push(Subscriber { interest: n, cursor, signal, seen: place.position });
    }

    fn is_retained(&self, fact: &Fact) -> bool {
        let kept = self.retained[fact.interest].iter().chain(&self.ended[fact.interest]);
        kept.into_iter().any(|kept| kept.sequence == fact.sequence)
    }

    fn read(&mut self, who: usize, budget: usize) {
        let mut entries = Vec::new();
        let subscriber = &mut self.subscribers[who];
        let (n, mut seen) = (subscriber.interest, subscriber.seen);
        let more = subscriber.cursor.read(budget, |_, entry| {
            entries.push(match entry {
                Entry::Poke(item) => {
                    assert_eq!(sequence_of(&item.frame), item.sequence, "it is the poke that was published");
                    (item.sequence, None, false)
                }
                Entry::End(frame) => (sequence_of(frame), None, true),
                Entry::Lost { position, missed } => (position, Some(missed), false),
            });
        });
        assert!(!more || !entries.is_empty(), "it gets on");
        for (position, missed, end) in entries {
            match missed {
                None => {
                    let next = self.after(n, seen).next().expect("nothing is made up");
                    assert_eq!((position, end), (next.sequence, next.end), "the next one, and none left out");
                }
                Some(missed) => {
                    let lost: Vec<_> = self.after(n, seen).take_while(|fact| fact.sequence <= position).collect();
                    assert_eq!(lost.len() as u64, missed);
                    assert_eq!(lost.last().map(|fact| fact.sequence), Some(position));
                    assert!(self.tight || lost.iter().all(|fact| !self.is_retained(fact)), "it was there all along");
                }
            }
            seen = position;
            self.saved.push((n, position));
        }
        assert_eq!(more, self.after(n, seen).next().is_some(), "says whether there is more");
        self.subscribers[who].seen = seen;
    }

    fn checkpoint(&mut self, whos: &[usize]) {
        let whos: Vec<_> = whos.iter().map(|who| who % self.subscribers.len()).collect();
        let head = self.registry.head();
        let complete = whos.iter().map(|who| self.subscribers[*who].cursor.complete(head)).min().expect("one at least");
        for who in whos {
            let Subscriber { interest: n, seen, .. } = self.subscribers[who];
            assert!(self.after(n, seen).all(|fact| fact.sequence > complete), "it passes something unread");
            if self.after(n, seen).next().is_none() {
                assert_eq!(self.subscribers[who].cursor.complete(head), head, "all read: as far as the history goes");
            }
            self.saved.push((n, complete.max(seen)));
        }
    }

    fn sweep(&mut self) {
        (0..INTERESTS).for_each(|n| self.expire(n, self.now));
        while self.registry.sweep(self.instant(self.now)) {}
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Publish { interest, key } => self.publish(*interest, *key),
            Op::End { interest, late } => self.end(*interest, *late),
            Op::Subscribe { interest, start, budget } => self.subscribe(*interest, *start, *budget),
            Op::Pass { seconds, sweep } => {
                self.now += seconds;
                if *sweep {
                    self.sweep();
                }
            }
            _ if self.subscribers.is_empty() => {}
            Op::Read { who, budget } => self.read(who % self.subscribers.len(), *budget),
            Op::Checkpoint { whos } => self.checkpoint(whos),
            Op::Leave { who } => drop(self.subscribers.swap_remove(who % self.subscribers.len())),
        }
        self.check_stats();
    }

    fn check_stats(&self) {
        let stats = self.registry.stats();
        if !self.tight {
            let pokes: usize = self.retained.iter().map(Vec::len).sum();
            assert_eq!(stats.retained_pokes.load(Relaxed), pokes);
            let lives = |n: &usize| {
                let kept = !self.retained[*n].is_empty() || self.ended[*n].is_some();
                kept || self.subscribers.iter().any(|subscriber| subscriber.interest == *n)
            };
            assert_eq!(stats.topics.load(Relaxed), (0..INTERESTS).filter(lives).count(), "nothing is left behind");
        }
    }

    /// Resumes from every position that was ever handed out, then lets everything go.
    fn finish(&mut self) {
        for which in (0..self.saved.len()).map(|which| which * 2) {
            self.subscribe(0, From::Saved(which), usize::MAX);
            self.read(self.subscribers.len() - 1, usize::MAX);
            self.subscribers.pop();
        }
        (0..self.subscribers.len()).for_each(|who| self.read(who, usize::MAX));
        self.subscribers.clear();
        for _ in 0..2 {
            self.now += WINDOW;
            self.sweep();
        }
        let stats = self.registry.stats();
        let left = [&stats.topics, &stats.retained_pokes, &stats.retained_bytes, &stats.ends_bytes];
        assert_eq!(left.map(|count| count.load(Relaxed)), [0; 4], "something has leaked");
        assert_eq!(self.allowance.expire(self.instant(self.now), Duration::from_secs(WINDOW)), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_subscriber_sees_all_in_order_or_knows_what_it_misses(
        tight in proptest::bool::weighted(0.3),
        ops in proptest::collection::vec(op(), 1..150),
    ) {
        let mut world = World::new(tight);
        ops.iter().for_each(|op| world.apply(op));
        world.finish();
    }
}
