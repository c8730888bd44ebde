use super::*;

const WINDOW: Duration = Duration::from_secs(600);
const ALL: usize = usize::MAX;
const SECOND: Duration = Duration::from_secs(1);

/// A log with a clock that a test moves. The shared history is ten times as long as the log: sequences are 10, 20, ...
struct Fixture {
    log: Log,
    head: i64,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        Self { log: Log::new(0), head: 0, now: Instant::now() }
    }

    fn with_pokes(count: usize) -> Self {
        let mut fixture = Self::new();
        (0..count).for_each(|_| fixture.append(100));
        fixture
    }

    /// Appends a poke of `len` bytes, one second after the last.
    fn append(&mut self, len: usize) {
        self.head += 10;
        self.now += SECOND;
        self.log.append(self.head, Bytes::from(vec![0; len]), self.now);
    }

    fn finish(&mut self) {
        self.head += 10;
        self.now += SECOND;
        self.log.finish(self.head, Bytes::from_static(b"end"), self.now);
    }

    fn trim(&mut self, pokes: usize) {
        self.log.make_room(0, Retention { pokes: pokes + 1, bytes: ALL });
    }

    fn expire(&mut self, now: Instant) {
        self.log.expire(now, WINDOW);
    }

    fn place(&self, start: Start) -> Place {
        self.subscribe(start).1
    }

    fn subscribe(&self, start: Start) -> (Mark, Place) {
        self.log.place(start, self.head, &mut ALL.clone())
    }

    /// What a subscriber from `start` on reads.
    fn replay(&self, start: Start) -> Vec<Seen> {
        self.read(&mut self.subscribe(start).0)
    }

    fn read(&self, mark: &mut Mark) -> Vec<Seen> {
        let mut seen = Vec::new();
        assert!(!self.log.read(mark, ALL, |entry| seen.push(entry.into())), "it has all been read");
        seen
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Lost { position: i64, missed: u64 },
    Poke(i64),
    End,
}

impl From<Entry<'_>> for Seen {
    fn from(entry: Entry<'_>) -> Self {
        match entry {
            Entry::Lost { position, missed } => Self::Lost { position, missed },
            Entry::Poke(item) => Self::Poke(item.sequence),
            Entry::End(_) => Self::End,
        }
    }
}

fn fresh(position: i64) -> Place {
    Place { position, recovered: false, loss: None }
}

fn recovered(position: i64) -> Place {
    Place { position, recovered: true, loss: None }
}

fn lost(position: i64, loss: Loss) -> Place {
    Place { position, recovered: false, loss: Some(loss) }
}

#[test]
fn new_pokes_only_start_at_the_head() {
    let mut fixture = Fixture::with_pokes(3);
    let (mut mark, place) = fixture.subscribe(Start::New);
    assert_eq!(place, fresh(30));
    assert_eq!(fixture.read(&mut mark), []);
    fixture.append(1);
    assert_eq!(fixture.read(&mut mark), [Seen::Poke(40)]);
    assert_eq!(Fixture::new().place(Start::New), fresh(0));
}

#[test]
fn latest_starts_before_the_newest_retained_poke() {
    let mut fixture = Fixture::with_pokes(3);
    assert_eq!(fixture.place(Start::Latest), fresh(29));
    assert_eq!(fixture.replay(Start::Latest), [Seen::Poke(30)]);
    fixture.expire(fixture.now + WINDOW);
    assert_eq!(fixture.place(Start::Latest), fresh(30), "nothing is retained: as if new");
    assert_eq!(fixture.replay(Start::Latest), []);
    assert_eq!(Fixture::new().place(Start::Latest), fresh(0));
}

#[test]
fn a_position_is_gone_on_after() {
    let fixture = Fixture::with_pokes(3);
    for (after, follows) in [(0, &[10, 20, 30][..]), (10, &[20, 30]), (15, &[20, 30]), (29, &[30]), (30, &[])] {
        assert_eq!(fixture.place(Start::After(after)), recovered(after));
        let follows: Vec<_> = follows.iter().map(|sequence| Seen::Poke(*sequence)).collect();
        assert_eq!(fixture.replay(Start::After(after)), follows, "after {after}");
    }
}

#[test]
fn a_position_that_cannot_be_is_another_history() {
    let fixture = Fixture::with_pokes(3);
    for start in [Start::After(31), Start::After(i64::MAX), Start::After(-1), Start::After(i64::MIN), Start::Unknown] {
        assert_eq!(fixture.place(start), lost(9, Loss::EpochChanged), "{start:?}");
        assert_eq!(fixture.replay(start), [Seen::Poke(10), Seen::Poke(20), Seen::Poke(30)], "{start:?}");
    }
    assert_eq!(Fixture::new().place(Start::Unknown), lost(0, Loss::EpochChanged));
    assert_eq!(Fixture::new().place(Start::After(1)), lost(0, Loss::EpochChanged));
}

#[test]
fn a_position_older_than_what_is_retained_is_a_loss_up_to_what_follows() {
    let mut fixture = Fixture::with_pokes(5);
    fixture.trim(2);
    assert_eq!(fixture.place(Start::After(29)), lost(39, Loss::Evicted));
    assert_eq!(fixture.replay(Start::After(29)), [Seen::Poke(40), Seen::Poke(50)]);
    assert_eq!(fixture.place(Start::After(30)), recovered(30), "the last evicted poke itself had been seen");
    fixture.expire(fixture.now + WINDOW);
    assert_eq!(fixture.place(Start::After(49)), lost(50, Loss::Evicted), "nothing is left: everything up to the head");
    assert_eq!(fixture.place(Start::After(50)), recovered(50));
}

#[test]
fn an_inherited_floor_counts_as_evicted() {
    let log = Log::new(70);
    let place = |after| log.place(Start::After(after), 90, &mut ALL.clone()).1;
    assert_eq!(place(69), lost(90, Loss::Evicted));
    assert_eq!(place(70), recovered(70));
}

#[test]
fn a_replay_keeps_to_its_budget_and_says_what_is_missing() {
    let fixture = Fixture::with_pokes(4);
    for (budget, place, rest) in [
        (400, recovered(0), 0),
        (399, lost(19, Loss::Evicted), 99),
        (100, lost(39, Loss::Evicted), 0),
        (99, lost(40, Loss::Evicted), 99),
        (0, lost(40, Loss::Evicted), 0),
    ] {
        let mut left = budget;
        assert_eq!(fixture.log.place(Start::After(0), 40, &mut left).1, place, "{budget}");
        assert_eq!(left, rest, "{budget}");
    }
    let mut left = 99;
    assert_eq!(fixture.log.place(Start::Latest, 40, &mut left).1, fresh(39), "the newest poke is always replayed");
    assert_eq!(left, 99, "and leaves the others what they have");
    assert_eq!(fixture.log.place(Start::New, 40, &mut 0).1, fresh(40), "new pokes aren't a replay");
    assert_eq!(fixture.log.place(Start::After(40), 40, &mut 0).1, recovered(40), "nothing is missing");
    assert_eq!(
        fixture.log.place(Start::Unknown, 40, &mut 100).1,
        lost(39, Loss::EpochChanged),
        "the first cause stays"
    );
}

#[test]
fn every_start_on_an_ended_topic_hears_of_the_end() {
    let mut fixture = Fixture::with_pokes(2);
    fixture.finish();
    assert_eq!(fixture.place(Start::New), fresh(29));
    assert_eq!(fixture.replay(Start::New), [Seen::End]);
    assert_eq!(fixture.place(Start::Latest), fresh(19));
    assert_eq!(fixture.replay(Start::Latest), [Seen::Poke(20), Seen::End]);
    assert_eq!(fixture.place(Start::After(10)), recovered(10));
    assert_eq!(fixture.replay(Start::After(10)), [Seen::Poke(20), Seen::End]);
    assert_eq!(fixture.replay(Start::Unknown), [Seen::Poke(10), Seen::Poke(20), Seen::End]);
    fixture.head = 99;
    for after in [30, 50] {
        assert_eq!(fixture.place(Start::After(after)), recovered(29), "the end follows, so the place is before it");
        assert_eq!(fixture.replay(Start::After(after)), [Seen::End]);
    }
    assert_eq!(
        fixture.log.place(Start::After(0), 99, &mut 0).1,
        lost(29, Loss::Evicted),
        "the end is never in the gap"
    );
}

#[test]
fn a_topic_that_ended_without_a_poke_only_ends() {
    let mut fixture = Fixture::new();
    fixture.finish();
    for start in [Start::New, Start::Latest, Start::After(0), Start::Unknown] {
        assert_eq!(fixture.replay(start), [Seen::End], "{start:?}");
        assert!(fixture.place(start).position < 10, "{start:?}");
    }
}

#[test]
fn an_end_is_read_once() {
    let mut fixture = Fixture::with_pokes(1);
    let mut mark = fixture.subscribe(Start::New).0;
    fixture.finish();
    assert_eq!(fixture.read(&mut mark), [Seen::End]);
    assert_eq!(fixture.read(&mut mark), []);
}

#[test]
fn pokes_go_by_count_to_make_room_for_the_next() {
    let mut fixture = Fixture::with_pokes(4);
    let cost = 100 + POKE_OVERHEAD;
    assert_eq!(fixture.log.make_room(100, Retention { pokes: 5, bytes: 5 * cost }), Freed::default());
    assert_eq!(fixture.log.make_room(100, Retention { pokes: 4, bytes: ALL }), Freed { pokes: 1, bytes: cost });
    assert_eq!(fixture.replay(Start::Unknown), [20, 30, 40].map(Seen::Poke));
    for pokes in [1, 0] {
        fixture.log.make_room(100, Retention { pokes, bytes: ALL });
        assert!(fixture.log.is_empty());
        fixture.append(100);
    }
    assert_eq!(fixture.replay(Start::Latest), [Seen::Poke(60)]);
}

#[test]
fn pokes_go_by_bytes_and_a_large_one_stays_alone() {
    let mut fixture = Fixture::with_pokes(3);
    let retention = Retention { pokes: 64, bytes: 3 * (100 + POKE_OVERHEAD) };
    assert_eq!(fixture.log.make_room(100, retention).pokes, 1);
    assert_eq!(fixture.log.make_room(101, retention).pokes, 1);
    assert_eq!(fixture.log.make_room(100_000, retention).pokes, 1);
    fixture.append(100_000);
    assert_eq!(fixture.replay(Start::Latest), [Seen::Poke(40)]);
    assert_eq!(fixture.log.make_room(1, retention).pokes, 1, "a large one goes as soon as there is a newer one");
}

#[test]
fn an_overrun_subscriber_learns_how_much_it_missed_and_goes_on() {
    let mut fixture = Fixture::with_pokes(1);
    let mut mark = fixture.subscribe(Start::New).0;
    (0..5).for_each(|_| fixture.append(100));
    fixture.trim(2);
    let entries = [Seen::Lost { position: 40, missed: 3 }, Seen::Poke(50), Seen::Poke(60)];
    assert_eq!(fixture.read(&mut mark), entries);
    assert_eq!(fixture.read(&mut mark), []);
}

#[test]
fn a_subscriber_that_keeps_up_misses_nothing_when_pokes_go() {
    let mut fixture = Fixture::with_pokes(3);
    let mut mark = fixture.subscribe(Start::After(0)).0;
    assert_eq!(fixture.read(&mut mark).len(), 3);
    fixture.expire(fixture.now + WINDOW);
    assert_eq!(fixture.read(&mut mark), []);
    fixture.append(1);
    assert_eq!(fixture.read(&mut mark), [Seen::Poke(40)]);
}

#[test]
fn a_read_stops_at_its_budget_and_says_that_there_is_more() {
    let mut fixture = Fixture::with_pokes(3);
    fixture.finish();
    let mut mark = fixture.subscribe(Start::After(0)).0;
    let mut steps = Vec::new();
    while {
        let mut seen = Vec::new();
        let more = fixture.log.read(&mut mark, 150, |entry| seen.push(Seen::from(entry)));
        steps.push(seen);
        more
    } {}
    assert_eq!(steps, [vec![Seen::Poke(10), Seen::Poke(20)], vec![Seen::Poke(30), Seen::End]]);
}

#[test]
fn pokes_and_ends_live_for_the_window_and_no_longer() {
    let mut fixture = Fixture::with_pokes(2);
    let first = fixture.now - SECOND;
    fixture.finish();
    fixture.expire(first + WINDOW - Duration::from_nanos(1));
    assert_eq!(fixture.replay(Start::After(0)).len(), 3);
    fixture.expire(first + WINDOW);
    assert_eq!(fixture.place(Start::After(9)), lost(19, Loss::Evicted));
    fixture.expire(first + WINDOW + 2 * SECOND);
    assert!(fixture.log.is_empty());
    assert_eq!(fixture.log.oldest(), None);
}

#[test]
fn a_position_from_before_an_expired_end_is_a_loss() {
    let mut fixture = Fixture::with_pokes(1);
    fixture.finish();
    let (freed, end) = fixture.log.expire(fixture.now + WINDOW, WINDOW);
    assert_eq!((freed.pokes, end), (1, Some(3 + POKE_OVERHEAD + TOPIC_OVERHEAD)));
    assert_eq!(fixture.place(Start::After(10)), lost(20, Loss::Evicted));
    assert_eq!(fixture.place(Start::After(19)), lost(20, Loss::Evicted));
    assert_eq!(fixture.place(Start::After(20)), recovered(20));
    assert_eq!(fixture.place(Start::New), fresh(20));
    fixture.append(1);
    assert_eq!(fixture.replay(Start::After(10)), [Seen::Poke(30)], "afresh");
}

#[test]
fn who_had_read_an_end_that_expires_sees_what_comes_afresh() {
    let mut fixture = Fixture::with_pokes(1);
    let (mut read, mut unread) = (fixture.subscribe(Start::New).0, fixture.subscribe(Start::New).0);
    fixture.finish();
    assert_eq!(fixture.read(&mut read), [Seen::End]);
    fixture.expire(fixture.now + WINDOW);
    fixture.append(1);
    assert_eq!(fixture.read(&mut read), [Seen::Poke(30)]);
    assert_eq!(fixture.read(&mut unread), [Seen::Lost { position: 20, missed: 1 }, Seen::Poke(30)]);
}

/// Callers read the clock before they have the lock, so times can be a little out of order.
#[test]
fn an_end_outlives_the_pokes_before_it_even_if_its_time_is_earlier() {
    let mut fixture = Fixture::with_pokes(2);
    let (mut mark, earlier) = (fixture.subscribe(Start::After(10)).0, fixture.now - SECOND / 2);
    fixture.log.finish(30, Bytes::from_static(b"end"), earlier);
    fixture.head = 30;
    fixture.expire(earlier + WINDOW);
    assert_eq!(fixture.replay(Start::Unknown), [Seen::Poke(20), Seen::End]);
    assert_eq!(fixture.read(&mut mark), [Seen::Poke(20), Seen::End]);
    fixture.expire(fixture.now + WINDOW);
    assert!(fixture.log.is_empty());
}

#[test]
fn who_has_read_everything_is_complete_up_to_the_head() {
    let mut fixture = Fixture::with_pokes(2);
    let mut mark = fixture.subscribe(Start::After(10)).0;
    assert_eq!(fixture.log.complete(&mark, 99), 10, "a poke is unread");
    fixture.read(&mut mark);
    assert_eq!(fixture.log.complete(&mark, 99), 99);
    assert_eq!(fixture.log.complete(&mark, 5), 20, "never less than what has been read");
    fixture.finish();
    assert_eq!(fixture.log.complete(&mark, 99), 20, "the end is unread");
    fixture.read(&mut mark);
    assert_eq!(fixture.log.complete(&mark, 99), 99);
}

#[test]
fn who_has_been_overrun_is_not_complete_before_it_knows() {
    let mut fixture = Fixture::with_pokes(1);
    let mut mark = fixture.subscribe(Start::New).0;
    (0..3).for_each(|_| fixture.append(1));
    fixture.expire(fixture.now + WINDOW);
    assert_eq!(fixture.log.complete(&mark, 99), 10);
    assert_eq!(fixture.read(&mut mark), [Seen::Lost { position: 40, missed: 3 }]);
    assert_eq!(fixture.log.complete(&mark, 99), 99);
}

#[test]
fn the_cost_is_what_is_retained() {
    let mut fixture = Fixture::new();
    let costs: usize =
        [0, 10, 131_072].map(|len| fixture.log.append(1, Bytes::from(vec![0; len]), fixture.now)).iter().sum();
    assert_eq!(fixture.log.bytes + TOPIC_OVERHEAD, costs);
    let freed = std::iter::repeat_with(|| fixture.log.evict_oldest()).take(4).fold(0, |sum, freed| sum + freed.bytes);
    assert_eq!((freed, fixture.log.bytes), (costs, 0));
}

#[test]
fn a_log_that_is_empty_again_holds_no_memory() {
    let mut fixture = Fixture::with_pokes(1);
    assert_eq!(fixture.log.items.capacity(), 1);
    (0..63).for_each(|_| fixture.append(100));
    assert!(fixture.log.items.capacity() >= 64);
    fixture.expire(fixture.now + WINDOW);
    assert_eq!(fixture.log.items.capacity(), 0);
}
