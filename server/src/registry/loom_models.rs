//! Models of the steps that must not be torn apart: loom runs each through every interleaving of its threads with at
//! most three preemptions. A wake that is lost shows as a deadlock.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use loom::{future::block_on, thread};
use tokio::time::Instant;

use super::{
    Accepted, Allowance, Cursor, Entry, Loss, Place, PublishId, Refused, Registry, Request, Retention, Settings,
    Signal, Start, Watcher,
};
use crate::{
    interest::{Interest, Recipients},
    sync::Arc,
};

const WINDOW: Duration = Duration::from_secs(600);

/// Runs a model through its interleavings, and says how many there were.
#[allow(clippy::print_stdout, reason = "the figure that shows how much was checked")]
fn explore(name: &str, model: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check({
        let runs = Arc::clone(&runs);
        move || {
            runs.fetch_add(1, Relaxed);
            model();
        }
    });
    println!("figure: loom, {name}: {} interleavings", runs.load(Relaxed));
}

/// A registry as several threads use it, with the time standing still unless a model moves it.
#[derive(Clone)]
struct World {
    registry: Arc<Registry>,
    allowance: Arc<Allowance>,
    start: Instant,
}

impl World {
    fn new() -> Self {
        Self::with_budget(usize::MAX)
    }

    fn with_budget(budget: usize) -> Self {
        let settings = Settings { window: WINDOW, budget, ends_budget: usize::MAX };
        Self {
            registry: Arc::new(Registry::new(settings)),
            allowance: Arc::new(Allowance::new(Retention { pokes: 8, bytes: usize::MAX }, 8)),
            start: Instant::now(),
        }
    }

    fn request(&self) -> Request<'_> {
        Request { publisher: "", allowance: &self.allowance, now: self.start }
    }

    fn publish(&self, filter: &str) -> Result<Accepted, Refused> {
        self.registry.publish(&interest(filter), self.request(), None, seal).map(|(accepted, _)| accepted)
    }

    fn publish_with(&self, filter: &str, id: PublishId) -> Result<Accepted, Refused> {
        self.registry.publish(&interest(filter), self.request(), Some(&id), seal).map(|(accepted, _)| accepted)
    }

    fn end(&self, filter: &str) -> Result<i64, Refused> {
        self.registry.end(&interest(filter), self.request(), seal).map(|(sequence, _)| sequence)
    }

    fn topics(&self) -> usize {
        self.registry.stats().topics.load(Relaxed)
    }

    /// Lets everything expire. Nothing may be left.
    fn clear(&self) {
        while self.registry.sweep(self.start + WINDOW) {}
        assert_eq!(self.topics(), 0, "a topic has leaked");
        assert_eq!(self.registry.stats().retained_bytes.load(Relaxed), 0, "a poke has leaked");
    }
}

fn interest(filter: &str) -> Interest {
    Interest::new(Recipients::Everyone, "LOOM", filter).expect("a valid interest")
}

fn seal(sequence: i64) -> Bytes {
    Bytes::copy_from_slice(&sequence.to_be_bytes())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Poke(i64),
    End(i64),
    Lost(i64),
}

/// A stream, as far as the registry knows one.
struct Stream {
    signal: Arc<Signal>,
    cursors: Vec<Cursor>,
    places: Vec<Place>,
    seen: Vec<Seen>,
}

impl Stream {
    fn attach(world: &World, filters: &[&str], start: Start) -> Self {
        let signal = Arc::new(Signal::new(filters.len()));
        let mut stream = Self { signal, cursors: Vec::new(), places: Vec::new(), seen: Vec::new() };
        for (slot, filter) in (0..).zip(filters) {
            let watcher = Watcher { signal: Arc::clone(&stream.signal), slot };
            let (cursor, place) = world.registry.attach(&interest(filter), start, &watcher, &mut usize::MAX.clone());
            stream.cursors.push(cursor);
            stream.places.push(place);
        }
        stream
    }

    fn read(&mut self, slot: usize) {
        let seen = &mut self.seen;
        let more = self.cursors[slot].read(usize::MAX, |_, entry| {
            seen.push(match entry {
                Entry::Poke(item) => Seen::Poke(item.sequence),
                Entry::End(frame) => Seen::End(i64::from_be_bytes(frame[..].try_into().expect("what seal made"))),
                Entry::Lost { position, .. } => Seen::Lost(position),
            });
        });
        assert!(!more);
    }

    fn read_all(&mut self) -> &[Seen] {
        (0..self.cursors.len()).for_each(|slot| self.read(slot));
        &self.seen
    }

    /// Reads what it is woken for, and nothing else, until it has seen `count` entries.
    fn wait_for(&mut self, count: usize) {
        let signal = Arc::clone(&self.signal);
        block_on(poll_fn(|context| {
            signal.register(context.waker());
            let raised = signal.take(0, u64::MAX);
            (0..self.cursors.len()).filter(|slot| raised & (1 << slot) != 0).for_each(|slot| self.read(slot));
            if self.seen.len() >= count { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
}

#[test]
fn loom_a_poke_is_replayed_or_wakes_who_attaches() {
    explore("publish and attach, new pokes only", || {
        let world = World::new();
        let publisher = thread::spawn({
            let world = world.clone();
            move || world.publish("a").expect("nothing has ended").receivers
        });
        let mut stream = Stream::attach(&world, &["a"], Start::New);
        if stream.places[0].position == 0 {
            stream.wait_for(1);
            assert_eq!(stream.seen, [Seen::Poke(1)]);
        }
        let receivers = publisher.join().expect("no panic");
        assert_eq!(stream.places[0].loss, None);
        if stream.places[0].position == 0 {
            assert_eq!(receivers, 1, "who gets the poke was there");
        } else {
            assert_eq!((stream.places[0].position, stream.read_all()), (1, &[][..]));
        }
        drop(stream);
        world.clear();
    });
}

#[test]
fn loom_a_resume_gets_each_poke_once() {
    explore("two publishes and resume", || {
        let world = World::new();
        let publisher = thread::spawn({
            let world = world.clone();
            move || {
                world.publish("a").expect("nothing has ended");
                world.publish("a").expect("nothing has ended");
            }
        });
        let mut stream = Stream::attach(&world, &["a"], Start::After(0));
        assert_eq!(stream.places[0], Place { position: 0, recovered: true, loss: None });
        // The replay, as a stream reads it without being woken. The rest must wake it.
        stream.read_all();
        stream.wait_for(2);
        publisher.join().expect("no panic");
        assert_eq!(stream.read_all(), [Seen::Poke(1), Seen::Poke(2)]);
        drop(stream);
        world.clear();
    });
}

#[test]
fn loom_no_poke_goes_into_a_topic_that_has_left() {
    explore("publish and the last one's leaving", || {
        let world = World::new();
        let leaving = Stream::attach(&world, &["a"], Start::New);
        let leaver = thread::spawn(move || drop(leaving));
        assert_eq!(world.publish("a").expect("nothing has ended").sequence, 1);
        leaver.join().expect("no panic");
        assert_eq!(world.topics(), 1, "what is retained keeps its topic");
        let mut stream = Stream::attach(&world, &["a"], Start::After(0));
        assert_eq!((stream.places[0].loss, stream.read_all()), (None, &[Seen::Poke(1)][..]));
        drop(stream);
        world.clear();
    });
}

#[test]
fn loom_who_attaches_while_the_last_one_leaves_is_woken() {
    explore("attach, the last one's leaving, and publish", || {
        let world = World::new();
        let leaving = Stream::attach(&world, &["a"], Start::New);
        let leaver = thread::spawn(move || drop(leaving));
        let publisher = thread::spawn({
            let world = world.clone();
            move || world.publish("a").map(|accepted| accepted.sequence)
        });
        let mut stream = Stream::attach(&world, &["a"], Start::After(0));
        stream.read_all();
        stream.wait_for(1);
        assert_eq!(stream.seen, [Seen::Poke(1)]);
        leaver.join().expect("no panic");
        assert_eq!(publisher.join().expect("no panic"), Ok(1));
        assert_eq!(world.topics(), 1);
        drop(stream);
        world.clear();
    });
}

#[test]
fn loom_who_takes_a_leavers_place_while_a_crowd_is_woken_is_woken() {
    explore("publish to a crowd, one of which leaves", || {
        let world = World::new();
        let leaving = Stream::attach(&world, &["a"], Start::New);
        let mut last = Stream::attach(&world, &["a"], Start::New);
        let leaver = thread::spawn(move || drop(leaving));
        let publisher = thread::spawn({
            let world = world.clone();
            move || world.publish("a").map(|accepted| accepted.sequence)
        });
        last.wait_for(1);
        assert_eq!(last.seen, [Seen::Poke(1)]);
        leaver.join().expect("no panic");
        assert_eq!(publisher.join().expect("no panic"), Ok(1));
        drop(last);
        world.clear();
    });
}

#[test]
fn loom_bits_that_are_put_back_are_not_lost() {
    explore("raise, take and put back", || {
        let signal = Arc::new(Signal::new(2));
        signal.raise(0);
        let raiser = thread::spawn({
            let signal = Arc::clone(&signal);
            move || signal.raise(1)
        });
        let taken = signal.take(0, 0b11);
        signal.put(0, taken);
        raiser.join().expect("no panic");
        assert_eq!(signal.take(0, 0b11), 0b11);
    });
}

#[test]
fn loom_what_expires_meanwhile_is_replayed_or_a_loss() {
    explore("resume and sweep", || {
        let world = World::new();
        world.publish("a").expect("nothing has ended");
        let sweeper = thread::spawn({
            let world = world.clone();
            move || world.registry.sweep(world.start + WINDOW)
        });
        let mut stream = Stream::attach(&world, &["a"], Start::After(0));
        let place = stream.places[0];
        stream.read_all();
        sweeper.join().expect("no panic");
        match place.loss {
            None => assert!(matches!(stream.seen[..], [Seen::Poke(1) | Seen::Lost(1)]), "{:?}", stream.seen),
            Some(loss) => assert_eq!((loss, place.position, &stream.seen[..]), (Loss::Evicted, 1, &[][..])),
        }
        drop(stream);
        world.clear();
    });
}

#[test]
fn loom_the_last_one_out_leaves_no_topic_behind() {
    explore("the last one's leaving and sweep", || {
        let world = World::new();
        let leaving = Stream::attach(&world, &["a"], Start::New);
        world.publish("a").expect("nothing has ended");
        let leaver = thread::spawn(move || drop(leaving));
        while world.registry.sweep(world.start + WINDOW) {}
        leaver.join().expect("no panic");
        assert_eq!(world.topics(), 0, "either of them has to forget it");
    });
}

#[test]
fn loom_a_stream_hears_of_all_its_interests() {
    explore("two publishers and one stream", || {
        let world = World::new();
        let mut stream = Stream::attach(&world, &["a", "b"], Start::New);
        let publishers = ["a", "b"].map(|filter| {
            let world = world.clone();
            thread::spawn(move || world.publish(filter).map(|accepted| accepted.sequence))
        });
        stream.wait_for(2);
        for publisher in publishers {
            assert!(publisher.join().expect("no panic").is_ok());
        }
        stream.seen.sort_by_key(|seen| format!("{seen:?}"));
        assert_eq!(stream.seen, [Seen::Poke(1), Seen::Poke(2)]);
    });
}

#[test]
fn loom_two_publishers_of_one_interest_wake_its_stream() {
    explore("two publishers of one interest", || {
        let world = World::new();
        let mut stream = Stream::attach(&world, &["a"], Start::New);
        let publishers = [(); 2].map(|()| {
            let world = world.clone();
            thread::spawn(move || world.publish("a").map(|accepted| accepted.sequence))
        });
        stream.wait_for(2);
        for publisher in publishers {
            assert!(publisher.join().expect("no panic").is_ok());
        }
        assert_eq!(stream.seen, [Seen::Poke(1), Seen::Poke(2)], "in the order of acceptance");
    });
}

#[test]
fn loom_no_checkpoint_passes_a_poke_that_is_unread() {
    explore("checkpoint and publish", || {
        let world = World::new();
        let mut stream = Stream::attach(&world, &["a", "b"], Start::New);
        let publisher = thread::spawn({
            let world = world.clone();
            move || {
                world.publish("a").expect("nothing has ended");
                world.publish("b").expect("nothing has ended");
            }
        });
        stream.read_all();
        let head = world.registry.head();
        let checkpoint = stream.cursors.iter().map(|cursor| cursor.complete(head)).min().expect("two cursors");
        let before = stream.seen.len();
        publisher.join().expect("no panic");
        for seen in &stream.read_all()[before..] {
            assert!(matches!(seen, Seen::Poke(sequence) if *sequence > checkpoint), "{seen:?} <= {checkpoint}");
        }
        let head = world.registry.head();
        assert!(stream.cursors.iter().all(|cursor| cursor.complete(head) == 2), "all has been read");
    });
}

#[test]
fn loom_a_publish_precedes_the_end_or_is_refused() {
    explore("publish and end", || {
        let world = World::new();
        let mut stream = Stream::attach(&world, &["a"], Start::New);
        let ender = thread::spawn({
            let world = world.clone();
            move || world.end("a").expect("there is room")
        });
        let published = world.publish("a").map(|accepted| accepted.sequence);
        stream.wait_for(1 + usize::from(published.is_ok()));
        let end = ender.join().expect("no panic");
        match published {
            Ok(sequence) => assert_eq!(stream.seen, [Seen::Poke(sequence), Seen::End(end)]),
            Err(refused) => assert_eq!((refused, &stream.seen[..]), (Refused::Ended, &[Seen::End(end)][..])),
        }
        assert_eq!(world.publish("a"), Err(Refused::Ended));
        drop(stream);
        world.clear();
    });
}

#[test]
fn loom_one_key_is_one_poke() {
    explore("two publishes with one key", || {
        let world = World::new();
        let mut stream = Stream::attach(&world, &["a"], Start::New);
        let id = PublishId { key: [1; 16], content: [1; 16] };
        let other = thread::spawn({
            let world = world.clone();
            move || world.publish_with("a", id).expect("nothing has ended")
        });
        let mine = world.publish_with("a", id).expect("nothing has ended");
        let theirs = other.join().expect("no panic");
        assert_eq!((mine.sequence, theirs.sequence), (1, 1));
        assert!(mine.duplicate != theirs.duplicate, "one of them came first");
        assert_eq!(stream.read_all(), [Seen::Poke(1)]);
    });
}

/// Room for a poke, and not for two.
const ONE: usize = 700;

#[test]
fn loom_making_room_blocks_nobody_for_ever() {
    explore("publish over the budget, attach and leave", || {
        let world = World::with_budget(ONE);
        world.publish("a").expect("nothing has ended");
        let publisher = thread::spawn({
            let world = world.clone();
            move || world.publish("b").map(|accepted| accepted.sequence)
        });
        let mut stream = Stream::attach(&world, &["a"], Start::After(0));
        let loss = stream.places[0].loss;
        stream.read_all();
        match loss {
            None => assert!(matches!(stream.seen[..], [Seen::Poke(1) | Seen::Lost(1)]), "{:?}", stream.seen),
            Some(loss) => assert_eq!((loss, &stream.seen[..]), (Loss::Evicted, &[][..])),
        }
        drop(stream);
        assert_eq!(publisher.join().expect("no panic"), Ok(2));
        assert!(world.registry.stats().retained_bytes.load(Relaxed) <= ONE);
        world.clear();
    });
}
