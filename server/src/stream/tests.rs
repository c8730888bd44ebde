#![allow(clippy::unwrap_used, reason = "tests")]

mod callers;
mod seats;
mod unread;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Buf as _;
use http::HeaderMap;
use http_body::Body as _;
use poke_proto::{
    Data,
    v1::{self, GapReason, Outcome, ReconnectReason, subscribe_response::Event},
};
use prost::Message as _;
use tokio::time::{Instant, advance, timeout};

use super::*;
use crate::{
    backplane::{Backplane as _, Ending, Memory, Publication},
    domain::{Domains, Settings as DomainSettings},
    frame::Draft,
    interest::Recipients,
    metrics::{Metrics, StreamEnd},
    registry::{self, Retention},
};

struct Fixture {
    backplane: Arc<Memory>,
    streams: Arc<Streams<Memory>>,
    domains: Domains,
    metrics: Arc<Metrics>,
}

struct Reader {
    stream: Stream<Memory>,
    events: std::collections::VecDeque<Event>,
    trailers: Option<HeaderMap>,
}

#[derive(Default)]
struct Wire {
    retired: AtomicBool,
    asked: AtomicBool,
    closed: AtomicBool,
    tally: Tally,
}

impl Link for Wire {
    fn retire(&self) {
        self.asked.store(true, SeqCst);
    }
    fn is_retired(&self) -> bool {
        self.retired.load(SeqCst)
    }
    fn close(&self) {
        self.closed.store(true, SeqCst);
    }
    fn tally(&self) -> &Tally {
        &self.tally
    }
    fn identity(&self) -> Option<&Arc<crate::auth::PeerIdentity>> {
        None
    }
}

fn fixture(settings: Settings) -> Fixture {
    let backplane = Arc::new(Memory::new(registry::Settings::default()));
    let metrics = Arc::new(Metrics::new());
    let streams = Streams::new(Arc::clone(&backplane), settings, backplane.window(), Arc::clone(&metrics));
    tokio::spawn(Arc::clone(&streams).run());
    let retention = Retention { pokes: 4, bytes: 1 << 20 };
    let domains = Domains::open(&DomainSettings { retention, ..DomainSettings::default() });
    Fixture { backplane, streams, domains, metrics }
}

fn interest(filter: &str) -> Interest {
    Interest::new(Recipients::Everyone, "PLAYLIST", filter).unwrap()
}

impl Fixture {
    async fn publish(&self, filter: &str, data: &str) -> i64 {
        let interest = interest(filter);
        let draft = Draft::new(&interest, Some(&Data::string(data)));
        let domain = self.domains.get("PLAYLIST").unwrap();
        let publication = Publication { interest, domain, publisher: "".into(), draft, id: None, deadline: None };
        self.backplane.publish(publication).await.unwrap().position.sequence
    }

    async fn end(&self, filter: &str) -> i64 {
        let domain = self.domains.get("PLAYLIST").unwrap();
        let (interest, data) = (interest(filter), Some(Data::string("over")));
        let ending = Ending { interest, domain, publisher: "".into(), data, deadline: None };
        self.backplane.end(ending).await.unwrap().sequence
    }

    fn open(&self, wants: impl IntoIterator<Item = Want>) -> Reader {
        self.open_on(None, wants, None)
    }

    fn open_as(&self, caller: Caller, wants: impl IntoIterator<Item = Want>) -> Reader {
        let wants = wants.into_iter().collect();
        let stream = self.streams.open(Opening { caller, ..opening(wants) }).unwrap();
        Reader { stream, events: Default::default(), trailers: None }
    }

    fn open_on(
        &self,
        link: Option<Arc<dyn Link>>,
        wants: impl IntoIterator<Item = Want>,
        deadline: Option<Instant>,
    ) -> Reader {
        let wants = wants.into_iter().collect();
        let stream = self.streams.open(Opening { link, deadline, ..opening(wants) }).unwrap();
        Reader { stream, events: Default::default(), trailers: None }
    }

    fn after(&self, filter: &str, sequence: i64) -> Want {
        let epoch = self.backplane.epoch().as_ref().to_owned();
        Want::Attach(interest(filter), Start::After { epoch, sequence })
    }
}

fn opening(wants: Vec<Want>) -> Opening {
    Opening { wants, protocol: Protocol::Grpc, link: None, deadline: None, caller: Caller::default() }
}

fn new(filter: &str) -> Want {
    Want::Attach(interest(filter), Start::New)
}

impl Reader {
    /// The next chunk's events. None at the end.
    async fn chunk(&mut self) -> Option<Vec<Event>> {
        let frame = poll_fn(|cx| Pin::new(&mut self.stream).poll_frame(cx)).await?.unwrap();
        match frame.into_data() {
            Ok(data) => Some(decode(data)),
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                assert!(poll_fn(|cx| Pin::new(&mut self.stream).poll_frame(cx)).await.is_none());
                None
            }
        }
    }

    async fn next(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            let events = timeout(Duration::from_secs(100_000), self.chunk()).await.expect("an event comes")?;
            self.events.extend(events);
        }
        self.events.pop_front()
    }

    /// Reads past what every stream starts with.
    async fn live(mut self, interests: usize) -> Self {
        for _ in 0..=interests {
            assert!(matches!(self.next().await, Some(Event::Welcome(_) | Event::Subscribed(_))));
        }
        self
    }

    async fn poke(&mut self) -> (String, String) {
        match self.next().await {
            Some(Event::Poke(poke)) => (poke.filter, poke.data.unwrap().to_value().unwrap().as_str().unwrap().into()),
            other => panic!("{other:?}"),
        }
    }

    fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.events.is_empty() && Pin::new(&mut self.stream).poll_frame(&mut cx).is_pending()
    }

    async fn status(&mut self) -> String {
        while self.next().await.is_some() {}
        self.trailers.as_ref().unwrap()["grpc-status"].to_str().unwrap().into()
    }
}

fn decode(mut chunk: Chunk) -> Vec<Event> {
    let mut data = chunk.copy_to_bytes(chunk.remaining());
    let mut events = Vec::new();
    while data.has_remaining() {
        assert_eq!(data.get_u8(), 0);
        let length = data.get_u32() as usize;
        events.push(v1::SubscribeResponse::decode(data.split_to(length)).unwrap().event.unwrap());
    }
    events
}

#[tokio::test(start_paused = true)]
async fn welcome_comes_first_and_at_once() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open([new("a")]);
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut reader.stream).poll_frame(&mut cx) else { panic!("at once") };
    let events = decode(frame.into_data().unwrap());
    let Event::Welcome(welcome) = &events[0] else { panic!("{events:?}") };
    assert_eq!(welcome.heartbeat_interval.unwrap().seconds, 20);
    assert_eq!(welcome.limits.unwrap().max_poke_bytes, 131_072);
    assert!(matches!(&events[1], Event::Subscribed(subscribed) if subscribed.outcome() == Outcome::Fresh));
}

#[tokio::test(start_paused = true)]
async fn pokes_of_an_interest_arrive_in_order_and_no_others() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open([new("a"), new("b")]).live(2).await;
    for n in 0..3 {
        fixture.publish("a", &n.to_string()).await;
        fixture.publish("c", "not mine").await;
    }
    for n in 0..3 {
        assert_eq!(reader.poke().await, ("a".into(), n.to_string()));
    }
    assert!(reader.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_resumed_interest_gets_what_it_missed_and_then_what_is_new() {
    let fixture = fixture(Settings::default());
    let seen = fixture.publish("a", "1").await;
    fixture.publish("a", "2").await;
    let mut reader = fixture.open([fixture.after("a", seen)]);
    fixture.publish("a", "3").await;
    reader.next().await;
    let Some(Event::Subscribed(subscribed)) = reader.next().await else { panic!() };
    assert_eq!((subscribed.outcome(), subscribed.position.unwrap().sequence), (Outcome::Recovered, seen));
    assert_eq!(reader.poke().await.1, "2");
    assert_eq!(reader.poke().await.1, "3");
    assert!(reader.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn latest_starts_with_the_newest_retained_poke() {
    let fixture = fixture(Settings::default());
    fixture.publish("a", "1").await;
    fixture.publish("a", "2").await;
    let mut reader = fixture.open([Want::Attach(interest("a"), Start::Latest)]).live(1).await;
    assert_eq!(reader.poke().await.1, "2");
    assert!(reader.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_foreign_position_is_a_gap_and_then_all_that_is_retained() {
    let fixture = fixture(Settings::default());
    fixture.publish("a", "1").await;
    let foreign = Start::After { epoch: "another".into(), sequence: 77 };
    let mut reader = fixture.open([Want::Attach(interest("a"), foreign)]);
    reader.next().await;
    assert!(matches!(reader.next().await, Some(Event::Subscribed(subscribed)) if subscribed.outcome() == Outcome::Gap));
    let Some(Event::Gap(gap)) = reader.next().await else { panic!() };
    assert_eq!((gap.reason(), gap.position.unwrap().sequence, gap.missed_count), (GapReason::EpochChanged, 0, None));
    assert_eq!(reader.poke().await.1, "1");
}

#[tokio::test(start_paused = true)]
async fn an_overrun_reader_is_told_how_much_it_missed() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open([new("a")]).live(1).await;
    for n in 0..10 {
        fixture.publish("a", &n.to_string()).await;
    }
    let Some(Event::Gap(gap)) = reader.next().await else { panic!() };
    assert_eq!((gap.reason(), gap.missed_count, gap.position.unwrap().sequence), (GapReason::Lagged, Some(6), 6));
    for n in 6..10 {
        assert_eq!(reader.poke().await.1, n.to_string());
    }
    assert!(reader.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_interests_have_all_ended_closes_with_ok() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open([new("a"), new("b")]).live(2).await;
    fixture.publish("a", "last").await;
    let end = fixture.end("a").await;
    assert_eq!(reader.poke().await.1, "last");
    assert!(
        matches!(reader.next().await, Some(Event::Ended(ended)) if ended.position.as_ref().unwrap().sequence == end)
    );
    assert!(reader.is_quiet());
    fixture.end("b").await;
    assert!(matches!(reader.next().await, Some(Event::Ended(_))));
    assert_eq!(reader.status().await, "0");
    // Who comes late hears it at once.
    let mut late = fixture.open([new("a"), fixture.after("b", 1)]).live(2).await;
    assert!(matches!(late.next().await, Some(Event::Ended(_))));
    assert!(matches!(late.next().await, Some(Event::Ended(_))));
    assert_eq!(late.status().await, "0");
}

#[tokio::test(start_paused = true)]
async fn a_refused_interest_leaves_the_others_alone() {
    let fixture = fixture(Settings::default());
    let refuse = || Want::Refuse(rejected(v1::Interest::default(), &crate::error::Kind::UnknownDomain.into()));
    let mut reader = fixture.open([refuse(), new("a")]);
    reader.next().await;
    assert!(matches!(reader.next().await, Some(Event::Rejected(rejected)) if rejected.reason == "UNKNOWN_DOMAIN"));
    assert!(matches!(reader.next().await, Some(Event::Subscribed(_))));
    fixture.publish("a", "1").await;
    assert_eq!(reader.poke().await.1, "1");
    assert_eq!(fixture.open([refuse()]).status().await, "0");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_interest_resumes_from_a_checkpoint_without_a_gap() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open([new("quiet")]).live(1).await;
    for n in 0..100 {
        fixture.publish("busy", &n.to_string()).await;
    }
    let Some(Event::Heartbeat(heartbeat)) = reader.next().await else { panic!() };
    let checkpoint = heartbeat.checkpoints[0].sequence;
    assert_eq!(checkpoint, 100);
    drop(reader);
    let mut reader = fixture.open([fixture.after("quiet", checkpoint)]);
    reader.next().await;
    assert!(matches!(reader.next().await, Some(Event::Subscribed(s)) if s.outcome() == Outcome::Recovered));
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_beats_and_a_busy_one_does_so_more_rarely() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open([new("a")]).live(1).await;
    let start = Instant::now();
    assert!(matches!(reader.next().await, Some(Event::Heartbeat(_))));
    let idle = start.elapsed();
    assert!((Duration::from_secs(20)..Duration::from_secs(22)).contains(&idle), "{idle:?}");
    let (start, mut pokes) = (Instant::now(), 0);
    loop {
        advance(Duration::from_secs(5)).await;
        fixture.publish("a", "x").await;
        match reader.next().await {
            Some(Event::Poke(_)) => pokes += 1,
            Some(Event::Heartbeat(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    let busy = start.elapsed();
    assert!((Duration::from_secs(55)..Duration::from_secs(70)).contains(&busy), "{busy:?}");
    assert!(pokes > 8, "{pokes}");
}

#[tokio::test(start_paused = true)]
async fn an_old_stream_is_asked_to_move_after_goaway_and_closes_later() {
    let fixture = fixture(Settings { max_age: Duration::from_secs(100), ..Settings::default() });
    let wire = Arc::new(Wire::default());
    let link: Arc<dyn Link> = Arc::clone(&wire) as _;
    let mut reader = fixture.open_on(Some(link), [new("a")], None).live(1).await;
    let start = Instant::now();
    while !wire.asked.load(SeqCst) {
        if let Ok(event) = timeout(Duration::from_secs(1), reader.next()).await {
            assert!(matches!(event, Some(Event::Heartbeat(_))), "{event:?}");
        }
    }
    wire.retired.store(true, SeqCst);
    assert!((89..113).contains(&start.elapsed().as_secs()));
    assert!(matches!(reader.next().await, Some(Event::Heartbeat(h)) if h.checkpoints.len() == 1));
    let Some(Event::Reconnect(reconnect)) = reader.next().await else { panic!() };
    assert_eq!((reconnect.reason(), reconnect.max_delay.unwrap().seconds), (ReconnectReason::MaxAge, 10));
    // It goes on until then.
    fixture.publish("a", "meanwhile").await;
    assert_eq!(reader.poke().await.1, "meanwhile");
    assert_eq!(reader.status().await, "14");
    assert_eq!(fixture.metrics.streams_ended.get(StreamEnd::Aged), 0);
    drop(reader);
    assert_eq!(fixture.metrics.streams_ended.get(StreamEnd::Aged), 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_moves_everyone_and_then_ends_what_is_left() {
    let fixture = fixture(Settings::default());
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(fixture.open([new("a")]).live(1).await);
    }
    fixture.streams.drain(Drain { window: Duration::from_secs(5), closes_after: Duration::from_secs(8) });
    let refused = fixture.streams.open(opening(vec![new("a")]));
    assert_eq!(refused.err().unwrap().reason(), "SHUTTING_DOWN");
    for reader in &mut readers {
        assert!(matches!(reader.next().await, Some(Event::Heartbeat(_))));
        let Some(Event::Reconnect(reconnect)) = reader.next().await else { panic!() };
        assert_eq!((reconnect.reason(), reconnect.max_delay.unwrap().seconds), (ReconnectReason::Drain, 5));
        assert_eq!(reconnect.closes_after.unwrap().seconds, 8);
    }
    let start = Instant::now();
    for reader in &mut readers {
        assert_eq!(reader.status().await, "14");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(readers);
    assert_eq!(fixture.streams.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_callers_deadline_ends_its_stream_when_it_passes() {
    let fixture = fixture(Settings::default());
    for millis in [30, 1_510, 3_001] {
        let (began, deadline) = (Instant::now(), Duration::from_millis(millis));
        let mut reader = fixture.open_on(None, [new("a")], Some(began + deadline)).live(1).await;
        assert_eq!(reader.status().await, "4");
        let late = began.elapsed().checked_sub(deadline).expect("not before it");
        assert!(late <= Duration::from_millis(2), "{millis} ms: {late:?} late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_interest_does_not_starve_the_others() {
    let fixture = fixture(Settings::default());
    let mut reader = fixture.open((0..70).map(|n| new(&n.to_string()))).live(70).await;
    let large = "x".repeat(10_000);
    for n in 0..70 {
        for _ in 0..2 {
            fixture.publish(&n.to_string(), &large).await;
        }
    }
    let mut first_seen = std::collections::HashSet::new();
    for read in 0..140 {
        fixture.publish("0", &large).await;
        first_seen.insert(reader.next().await.map(|event| match event {
            Event::Poke(poke) => poke.filter,
            Event::Gap(gap) => gap.interest.unwrap().filter,
            other => panic!("{other:?}"),
        }));
        if first_seen.len() == 70 {
            return;
        }
        assert!(read < 139, "{} of 70 interests were read", first_seen.len());
    }
}
