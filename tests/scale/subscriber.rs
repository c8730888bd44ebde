//! The streams that listen.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use poke_tests::{
    Event, Server,
    frames::{Connection, END_STREAM, Messages, kind},
    interest, new_pokes,
    v1::{Interest, Poke, SubscribeRequest, SubscribeResponse},
};
use tokio::{sync::Notify, task::JoinHandle};

use crate::Args;

/// The interest that half of the streams hold.
pub(crate) fn common() -> Interest {
    interest("common")
}

/// The interest of one stream of the other half.
pub(crate) fn own(i: usize) -> Interest {
    interest(&format!("own {i}"))
}

/// All streams, and what they have seen. Everything is on one thread.
pub(crate) struct Subscribers {
    seen: Rc<Seen>,
    streams: usize,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    counts: RefCell<Counts>,
    progress: Notify,
}

#[derive(Default)]
struct Counts {
    live: usize,
    pokes: u64,
    /// Gaps, ends of streams, pokes out of order: what must not happen.
    faults: HashMap<&'static str, u64>,
    /// How many pokes took so many tenths of a millisecond from their acceptance to here; the last counts all longer.
    latencies: Vec<u64>,
}

const LATENCIES: usize = 100_000;

impl Subscribers {
    /// Opens all streams.
    pub(crate) async fn open(server: &Server, args: &Args) -> Self {
        let seen = Rc::new(Seen::default());
        seen.counts.borrow_mut().latencies = vec![0; LATENCIES + 1];
        let local = (0..args.streams).map(|_| common()).chain((0..args.streams).map(own)).collect::<Vec<_>>();
        let mut readers = Vec::new();
        for interests in local.chunks(args.per_connection) {
            let mut connection = Connection::open(server.address()).await;
            for interest in interests {
                connection.call("Subscribe", &SubscribeRequest { subscriptions: vec![new_pokes(interest.clone())] });
            }
            connection.flush().await.expect("the server reads");
            readers.push(tokio::task::spawn_local(read(connection, interests.len(), Rc::clone(&seen))));
        }
        Self { seen, streams: local.len(), readers }
    }

    pub(crate) fn all_live(&self) -> bool {
        self.seen.counts.borrow().live == self.streams
    }

    pub(crate) fn connections(&self) -> usize {
        self.readers.len()
    }

    /// Waits until so many pokes have come.
    pub(crate) async fn have_received(&self, pokes: u64) {
        while self.received() < pokes {
            self.seen.progress.notified().await;
        }
    }

    pub(crate) fn received(&self) -> u64 {
        self.seen.counts.borrow().pokes
    }

    /// What went wrong, if anything did.
    pub(crate) fn faults(&self) -> Option<String> {
        let faults = &self.seen.counts.borrow().faults;
        (!faults.is_empty()).then(|| format!("{faults:?}"))
    }

    /// The time within which this share of the pokes came.
    pub(crate) fn latency(&self, share: f64) -> Duration {
        let counts = self.seen.counts.borrow();
        let total: u64 = counts.latencies.iter().sum();
        let mut left = total as f64 * share;
        let within = counts.latencies.iter().position(|count| {
            left -= *count as f64;
            left <= 0.0
        });
        Duration::from_micros(within.unwrap_or(LATENCIES) as u64 * 100)
    }
}

/// Reads one connection for as long as it lives.
async fn read(mut connection: Connection, streams: usize, seen: Rc<Seen>) {
    let mut messages: Vec<(Messages, i64)> = vec![Default::default(); streams];
    while connection.fill().await {
        let now = SystemTime::now();
        {
            let mut counts = seen.counts.borrow_mut();
            while let Some(frame) = connection.buffered() {
                if matches!(frame.kind, kind::RST_STREAM | kind::GOAWAY)
                    || (frame.kind == kind::HEADERS && frame.flags & END_STREAM != 0)
                {
                    counts.fault("end of a stream or connection");
                }
                if frame.kind != kind::DATA {
                    continue;
                }
                let (buffer, last) = &mut messages[(frame.stream as usize - 1) / 2];
                buffer.push(&frame.payload);
                while let Some(response) = buffer.pop::<SubscribeResponse>() {
                    counts.take(response, last, now);
                }
            }
        }
        seen.progress.notify_one();
        if connection.flush().await.is_err() {
            break;
        }
    }
    seen.counts.borrow_mut().fault("end of a connection");
}

impl Counts {
    fn take(&mut self, response: SubscribeResponse, last: &mut i64, now: SystemTime) {
        match response.event {
            Some(Event::Subscribed(subscribed)) => {
                *last = subscribed.position.map_or(0, |position| position.sequence);
                self.live += 1;
            }
            Some(Event::Poke(poke)) => self.poke(&poke, last, now),
            Some(Event::Gap(_)) => self.fault("gap"),
            Some(Event::Welcome(_) | Event::Heartbeat(_)) => {}
            _ => self.fault("another event"),
        }
    }

    fn poke(&mut self, poke: &Poke, last: &mut i64, now: SystemTime) {
        let sequence = poke.position.as_ref().map_or(0, |position| position.sequence);
        if sequence <= *last {
            self.fault("poke out of order");
        }
        *last = sequence;
        self.pokes += 1;
        let accepted = poke.publish_time.as_ref().map_or(UNIX_EPOCH, |time| {
            UNIX_EPOCH + Duration::new(time.seconds.unsigned_abs(), time.nanos.unsigned_abs())
        });
        let took = now.duration_since(accepted).unwrap_or_default().as_micros() / 100;
        self.latencies[usize::try_from(took).unwrap_or(LATENCIES).min(LATENCIES)] += 1;
    }

    fn fault(&mut self, what: &'static str) {
        *self.faults.entry(what).or_default() += 1;
    }
}
