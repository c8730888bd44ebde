use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::interest::Recipients;

const WINDOW: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);
/// What a poke of these tests costs.
const COST: usize = 1160;
/// What a topic with any costs besides.
const TOPIC_COST: usize = 352;

/// A registry with a clock that a test moves.
struct Fixture {
    registry: Arc<Registry>,
    allowance: Allowance,
    now: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Lost { position: i64, missed: u64 },
    Poke(i64),
    End,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Settings { window: WINDOW, budget: usize::MAX, ends_budget: usize::MAX })
    }

    fn with(settings: Settings) -> Self {
        let allowance = Allowance::new(Retention { pokes: 64, bytes: usize::MAX }, 100);
        Self { registry: Arc::new(Registry::new(settings)), allowance, now: Instant::now() }
    }

    /// A registry that retains `pokes` of these tests on as many topics at most.
    fn with_room_for(pokes: usize, topics: usize) -> Self {
        let budget = pokes * COST + topics * TOPIC_COST;
        Self::with(Settings { window: WINDOW, budget, ends_budget: usize::MAX })
    }

    /// Publishes a second after the last. Answers the sequence.
    fn publish(&mut self, filter: &str) -> i64 {
        self.now += SECOND;
        self.try_publish(filter, None).expect("nothing has ended").sequence
    }

    fn request(&self) -> Request<'_> {
        Request { publisher: "", allowance: &self.allowance, now: self.now }
    }

    fn try_publish(&self, filter: &str, id: Option<&PublishId>) -> Result<Accepted, Refused> {
        let seal = |_| Bytes::from(vec![0; 1000]);
        self.registry.publish(&interest(filter), self.request(), id, seal).map(|(accepted, _)| accepted)
    }

    fn end(&self, filter: &str) -> Result<i64, Refused> {
        let ended = self.registry.end(&interest(filter), self.request(), |_| Bytes::from_static(b"end"));
        ended.map(|(sequence, _)| sequence)
    }

    fn attach(&self, filter: &str, start: Start) -> (Cursor, Place) {
        let watcher = Watcher { signal: Arc::new(Signal::new(1)), slot: 0 };
        self.registry.attach(&interest(filter), start, &watcher, &mut usize::MAX.clone())
    }

    fn replay(&self, filter: &str, start: Start) -> Vec<Seen> {
        read(&mut self.attach(filter, start).0)
    }

    fn loss(&self, filter: &str, after: i64) -> Option<Loss> {
        self.attach(filter, Start::After(after)).1.loss
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.registry.sweep(self.now) {}
    }

    fn topics(&self) -> usize {
        self.registry.stats.topics.load(Relaxed)
    }

    /// Everything is as in the beginning.
    fn assert_empty(&self) {
        let Stats { topics, retained_pokes, retained_bytes, ends_bytes, .. } = self.registry.stats();
        let left = [topics, retained_pokes, retained_bytes, ends_bytes].map(|count| count.load(Relaxed));
        assert_eq!(left, [0; 4]);
        assert!(self.registry.ages.lock().is_empty());
        assert!(self.registry.shards.iter().all(|shard| shard.lock().topics.is_empty()));
    }
}

fn interest(filter: &str) -> Interest {
    Interest::new(Recipients::Everyone, "TEST", filter).expect("a valid interest")
}

fn id(key: u8, content: u8) -> PublishId {
    PublishId { key: [key; 16], content: [content; 16] }
}

fn read(cursor: &mut Cursor) -> Vec<Seen> {
    let mut seen = Vec::new();
    let more = cursor.read(usize::MAX, |_, entry| {
        seen.push(match entry {
            Entry::Lost { position, missed } => Seen::Lost { position, missed },
            Entry::Poke(item) => Seen::Poke(item.sequence),
            Entry::End(_) => Seen::End,
        });
    });
    assert!(!more, "it has all been read");
    seen
}

#[test]
fn a_poke_reaches_all_who_hold_its_interest_and_nobody_else() {
    let mut fixture = Fixture::new();
    let (mut one, mut two) = (fixture.attach("a", Start::New).0, fixture.attach("a", Start::New).0);
    let mut other = fixture.attach("A", Start::New).0;
    assert_eq!(fixture.try_publish("a", None), Ok(Accepted { sequence: 1, duplicate: false, receivers: 2 }));
    assert_eq!(fixture.publish("elsewhere"), 2, "one history for all interests");
    assert_eq!((read(&mut one), read(&mut two), read(&mut other)), (vec![Seen::Poke(1)], vec![Seen::Poke(1)], vec![]));
    drop(one);
    assert_eq!(fixture.try_publish("a", None).map(|accepted| accepted.receivers), Ok(1));
}

#[test]
fn customers_and_everyone_have_topics_of_their_own() {
    let mut fixture = Fixture::new();
    fixture.publish("a");
    let customer = Interest::new(Recipients::Customer("c".into()), "TEST", "a").expect("a valid interest");
    let watcher = Watcher { signal: Arc::new(Signal::new(1)), slot: 0 };
    let (mut cursor, place) = fixture.registry.attach(&customer, Start::After(0), &watcher, &mut usize::MAX.clone());
    assert_eq!((place.loss, read(&mut cursor)), (None, vec![]));
}

#[test]
fn a_poke_raises_the_bit_of_its_interest() {
    let mut fixture = Fixture::new();
    let signal = Arc::new(Signal::new(2));
    let cursors = [("a", 0), ("b", 1)].map(|(filter, slot)| {
        let watcher = Watcher { signal: Arc::clone(&signal), slot };
        fixture.registry.attach(&interest(filter), Start::New, &watcher, &mut 0)
    });
    assert_eq!(signal.take(0, u64::MAX), 0, "subscribing is no news");
    fixture.publish("b");
    assert_eq!(signal.take(0, u64::MAX), 0b10);
    assert!(fixture.end("a").is_ok());
    assert_eq!(signal.take(0, u64::MAX), 0b01);
    drop(cursors);
    fixture.publish("b");
    assert_eq!(signal.take(0, u64::MAX), 0);
}

#[test]
fn a_repeat_under_its_key_is_the_first_one_again() {
    let fixture = Fixture::new();
    let (mut cursor, _) = fixture.attach("a", Start::New);
    let first = fixture.try_publish("a", Some(&id(1, 1)));
    assert_eq!(first, Ok(Accepted { sequence: 1, duplicate: false, receivers: 1 }));
    assert_eq!(fixture.try_publish("a", Some(&id(1, 1))), Ok(Accepted { sequence: 1, duplicate: true, receivers: 1 }));
    assert_eq!(fixture.try_publish("a", Some(&id(1, 2))), Err(Refused::Conflict));
    assert_eq!(fixture.try_publish("a", Some(&id(2, 1))).map(|accepted| accepted.sequence), Ok(2), "none was used up");
    assert_eq!(read(&mut cursor), [Seen::Poke(1), Seen::Poke(2)]);
}

#[test]
fn a_repeat_is_known_for_the_window_whatever_became_of_its_poke() {
    let mut fixture = Fixture::new();
    fixture.allowance = Allowance::new(Retention { pokes: 1, bytes: 0 }, 100);
    assert!(fixture.try_publish("a", Some(&id(1, 1))).is_ok());
    assert!(fixture.try_publish("a", None).is_ok());
    assert_eq!(fixture.end("a"), Ok(3));
    fixture.pass(WINDOW - SECOND);
    assert_eq!(fixture.try_publish("a", Some(&id(1, 1))).map(|a| (a.sequence, a.duplicate)), Ok((1, true)));
    assert_eq!(fixture.try_publish("a", Some(&id(1, 2))), Err(Refused::Conflict));
    assert_eq!(fixture.try_publish("a", Some(&id(2, 1))), Err(Refused::Ended));
    fixture.pass(SECOND);
    assert_eq!(fixture.try_publish("a", Some(&id(1, 2))).map(|a| (a.sequence, a.duplicate)), Ok((4, false)));
    assert_eq!(fixture.allowance.expire(fixture.now, WINDOW), 1);
    assert_eq!(fixture.allowance.expire(fixture.now + WINDOW, WINDOW), 0);
}

#[test]
fn a_refused_publish_leaves_nothing() {
    let mut fixture = Fixture::new();
    assert!(fixture.try_publish("a", Some(&id(1, 1))).is_ok());
    assert!(fixture.try_publish("b", Some(&id(1, 1))).is_ok_and(|accepted| accepted.duplicate));
    assert_eq!(fixture.try_publish("b", Some(&id(1, 2))), Err(Refused::Conflict));
    assert_eq!((fixture.topics(), fixture.registry.head()), (1, 1));
    fixture.pass(WINDOW);
    fixture.assert_empty();
}

#[test]
fn the_first_end_wins_and_nothing_follows_it_for_the_window() {
    let mut fixture = Fixture::new();
    fixture.publish("a");
    assert_eq!(fixture.end("a"), Ok(2));
    fixture.pass(WINDOW - SECOND);
    assert_eq!(fixture.end("a"), Ok(2), "a repeat doesn't prolong it either");
    assert_eq!(fixture.try_publish("a", None), Err(Refused::Ended));
    assert_eq!(fixture.replay("a", Start::New), [Seen::End]);
    fixture.pass(SECOND);
    fixture.assert_empty();
    assert_eq!((fixture.loss("a", 1), fixture.loss("a", 2)), (Some(Loss::Evicted), None));
    assert_eq!(fixture.publish("a"), 3, "afresh");
    assert_eq!(fixture.replay("a", Start::After(2)), [Seen::Poke(3)]);
}

#[test]
fn an_end_whose_window_has_passed_is_over_before_the_sweep() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.end("a"), Ok(1));
    fixture.now += WINDOW;
    assert_eq!(fixture.end("a"), Ok(2), "another end");
    fixture.now += WINDOW;
    assert_eq!(fixture.try_publish("a", None).map(|accepted| accepted.sequence), Ok(3));
    fixture.pass(WINDOW);
    fixture.assert_empty();
}

#[test]
fn ends_have_a_budget_that_comes_back() {
    let mut fixture = Fixture::with(Settings { window: WINDOW, budget: usize::MAX, ends_budget: TOPIC_COST + 200 });
    assert_eq!((fixture.end("a"), fixture.end("b")), (Ok(1), Ok(2)), "the last one may go a little over");
    assert_eq!(fixture.end("c"), Err(Refused::Full));
    assert_eq!(fixture.end("a"), Ok(1), "a repeat needs no room");
    assert_eq!(fixture.topics(), 2, "a refused end leaves no topic");
    fixture.pass(WINDOW);
    assert_eq!(fixture.end("c"), Ok(3));
}

#[test]
fn naming_random_interests_leaves_nothing() {
    let fixture = Fixture::new();
    for n in 0..10_000 {
        drop(fixture.attach(&format!("random {n}"), Start::Latest));
    }
    fixture.assert_empty();
    let capacity: usize = fixture.registry.shards.iter().map(|shard| shard.lock().topics.capacity()).sum();
    assert!(capacity <= 64 * SHARDS, "{capacity}");
}

#[test]
fn a_crowd_of_topics_that_has_gone_leaves_no_room_behind() {
    let mut fixture = Fixture::new();
    let cursors: Vec<_> = (0..10_000).map(|n| fixture.attach(&format!("quiet {n}"), Start::New).0).collect();
    for n in 0..10_000 {
        assert!(fixture.try_publish(&format!("loud {n}"), None).is_ok());
    }
    assert_eq!(fixture.topics(), 20_000);
    drop(cursors);
    fixture.pass(WINDOW);
    fixture.assert_empty();
    let capacity: usize = fixture.registry.shards.iter().map(|shard| shard.lock().topics.capacity()).sum();
    assert!(capacity <= 64 * SHARDS, "{capacity}");
    assert!(fixture.registry.ages.lock().capacity() <= 1024);
}

#[test]
fn a_forgotten_topic_leaves_its_floor() {
    let mut fixture = Fixture::new();
    let last = (0..500).map(|n| fixture.publish(&format!("{n}"))).last();
    assert_eq!(last, Some(500));
    fixture.pass(WINDOW);
    fixture.assert_empty();
    for n in 0..500 {
        let sequence = i64::from(n) + 1;
        assert_eq!(fixture.loss(&format!("{n}"), sequence - 1), Some(Loss::Evicted), "its poke is lost");
        assert_eq!(fixture.attach(&format!("{n}"), Start::New).1.position, 500);
        assert_eq!(fixture.loss(&format!("{n}"), 500), None);
    }
}

#[test]
fn a_quiet_interest_resumes_from_its_checkpoint_for_the_window() {
    let mut fixture = Fixture::new();
    let filters: Vec<_> = (0..500).map(|n| format!("{n}")).collect();
    for filter in &filters {
        fixture.publish(filter);
    }
    let quiet: Vec<_> = (0..500).map(|n| fixture.attach(&format!("quiet {n}"), Start::New).0).collect();
    let head = fixture.registry.head();
    assert!(quiet.iter().all(|cursor| cursor.complete(head) == 500));
    drop(quiet);
    for filter in &filters {
        assert!(fixture.try_publish(filter, None).is_ok());
    }
    fixture.pass(WINDOW - SECOND);
    for n in 0..500 {
        assert_eq!(fixture.loss(&format!("quiet {n}"), 500), None, "{n}");
    }
    fixture.pass(SECOND);
    let lost = (0..500).filter(|n| fixture.loss(&format!("quiet {n}"), 500).is_some()).count();
    assert!(lost > 400, "after the window a loss is all that can be said, where anything was forgotten: {lost}");
}

#[test]
fn a_watched_topic_keeps_its_own_floor() {
    let mut fixture = Fixture::new();
    let watched: Vec<_> = (0..100).map(|n| fixture.attach(&format!("quiet {n}"), Start::New).0).collect();
    for n in 0..500 {
        fixture.publish(&format!("{n}"));
    }
    fixture.pass(WINDOW);
    assert_eq!(fixture.topics(), 100);
    for n in 0..100 {
        assert_eq!(fixture.loss(&format!("quiet {n}"), 0), None, "somebody was there all the time: {n}");
    }
    drop(watched);
    fixture.assert_empty();
}

#[test]
fn room_is_made_by_unwatched_topics_first() {
    let mut fixture = Fixture::with_room_for(32, 23);
    let mut watched = fixture.attach("watched", Start::New).0;
    for _ in 0..10 {
        fixture.publish("watched");
    }
    for n in 0..23 {
        fixture.publish(&format!("unwatched {n}"));
    }
    assert_eq!(read(&mut watched).len(), 10, "the oldest of all, but somebody watches");
    for n in 0..23 {
        let left = fixture.replay(&format!("unwatched {n}"), Start::Latest).len();
        assert_eq!(left, usize::from(n >= 3), "the oldest three have gone, to a sixteenth below the budget: {n}");
    }
    assert_eq!(fixture.loss("unwatched 2", 12), Some(Loss::Evicted));
    assert_eq!(fixture.registry.stats.evicted_budget.load(Relaxed), 3);
}

#[test]
fn room_is_made_by_the_oldest_pokes_when_all_topics_are_watched() {
    let mut fixture = Fixture::with_room_for(32, 2);
    let mut cursors = ["a", "b"].map(|filter| fixture.attach(filter, Start::New).0);
    for n in 0..32 {
        fixture.publish(["a", "b"][n % 2]);
    }
    fixture.publish("a");
    let lost = |position| Seen::Lost { position, missed: 2 };
    let firsts = cursors.each_mut().map(|cursor| read(cursor).swap_remove(0));
    assert_eq!(firsts, [lost(3), lost(4)], "1 to 4, not all of one topic's");
}

#[test]
fn ends_are_never_let_go_to_make_room() {
    let mut fixture = Fixture::with_room_for(1, 1);
    assert!(fixture.end("ended").is_ok());
    fixture.publish("a");
    assert!(fixture.end("a").is_ok());
    for n in 0..10 {
        fixture.publish(&format!("{n}"));
    }
    assert!(fixture.registry.stats.retained_bytes.load(Relaxed) <= COST + TOPIC_COST);
    for filter in ["a", "ended"] {
        assert_eq!(fixture.try_publish(filter, None), Err(Refused::Ended));
        assert_eq!(fixture.replay(filter, Start::After(0)).pop(), Some(Seen::End));
    }
    fixture.pass(WINDOW);
    fixture.assert_empty();
}

#[test]
fn no_room_at_all_is_a_loss_and_no_endless_search() {
    let mut fixture = Fixture::with_room_for(0, 0);
    let mut cursor = fixture.attach("watched", Start::New).0;
    assert!(fixture.end("ended").is_ok());
    fixture.publish("watched");
    fixture.publish("unwatched");
    assert_eq!(read(&mut cursor), [Seen::Lost { position: 2, missed: 1 }]);
    assert_eq!(fixture.registry.stats.retained_pokes.load(Relaxed), 0);
    assert_eq!(fixture.topics(), 2);
}

#[test]
fn what_the_domain_does_not_allow_is_let_go() {
    let mut fixture = Fixture::new();
    fixture.allowance = Allowance::new(Retention { pokes: 64, bytes: 2 * COST }, 100);
    for _ in 0..5 {
        fixture.publish("a");
    }
    assert_eq!(fixture.replay("a", Start::Unknown), [Seen::Poke(4), Seen::Poke(5)]);
    let stats = fixture.registry.stats();
    assert_eq!((stats.retained_bytes.load(Relaxed), stats.evicted_limit.load(Relaxed)), (2 * COST + TOPIC_COST, 3));
}

#[test]
fn a_sweep_lets_go_exactly_what_the_window_has_passed_for() {
    let mut fixture = Fixture::new();
    let first = fixture.now + SECOND;
    for _ in 0..5 {
        fixture.publish("a");
    }
    for (left, passed) in (0..5).rev().zip(0..) {
        while fixture.registry.sweep(first + passed * SECOND + WINDOW - Duration::from_nanos(1)) {}
        assert_eq!(fixture.registry.stats.retained_pokes.load(Relaxed), left + 1);
        while fixture.registry.sweep(first + passed * SECOND + WINDOW) {}
        assert_eq!(fixture.registry.stats.retained_pokes.load(Relaxed), left);
    }
    fixture.assert_empty();
    assert_eq!(fixture.registry.stats.evicted_age.load(Relaxed), 5);
}
