//! The load: subscribers and a publisher on one thread. It costs less than any of the servers, and the same for all.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};

use crate::{
    Fault,
    channel::Channel,
    tls::Identity,
    wire::{ENVELOPE_BYTES, Event, Headers, SHARED, Session, Wire},
};

const READ_BYTES: usize = 256 << 10;
/// The receive buffer of those who don't read: little, so that they stall soon.
const STALLED_BUFFER_BYTES: usize = 8 << 10;
/// Nothing in a run may take longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How far a publisher may be ahead of a subscriber: less than any of the servers keeps.
const AHEAD: usize = 48;
/// How many connections may be opening at once.
const OPENING: usize = 64;

/// A group of equal subscribers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) connections: usize,
    /// On each connection.
    pub(crate) streams: usize,
    /// On each stream.
    pub(crate) interests: usize,
    /// Every interest is another one; else all are the one that is published to.
    pub(crate) distinct: bool,
}

impl Crowd {
    /// Connections with one stream for the shared interest.
    pub(crate) fn of(connections: usize) -> Self {
        Self { connections, streams: 1, interests: 1, distinct: false }
    }
}

/// What a run showed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) took: Duration,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
}

struct Member {
    channel: Channel,
    session: Box<dyn Session>,
    /// Pokes that came on each stream, counted from the load's first.
    received: Vec<usize>,
    /// Whether pokes are expected on its streams.
    reads: bool,
}

#[derive(Debug)]
struct Tally {
    live: usize,
    delivered: u64,
    answers: u64,
    heartbeats: u64,
    /// Bytes of each poke's payload.
    payload: usize,
    /// The first thing that came and wasn't expected.
    surprise: Option<String>,
    /// When each poke was published.
    sent: Vec<Instant>,
    latency: Histogram<u64>,
}

/// Everyone who is connected to one server.
pub(crate) struct Load<'a> {
    wire: Wire,
    /// How gRPC clients encode their requests.
    headers: Headers,
    tls: Option<&'a Identity>,
    epoll: OwnedFd,
    members: Vec<Member>,
    /// Who publishes, as an index of `members`.
    publisher: Option<usize>,
    /// Subscribers that read.
    readers: u64,
    named: usize,
    tally: Tally,
    buffer: Box<[u8]>,
    /// What a session wants to be said.
    words: Vec<u8>,
    events: Vec<epoll::Event>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(wire: Wire, headers: Headers, tls: Option<&'a Identity>) -> Result<Self, Fault> {
        Ok(Self {
            wire,
            headers,
            tls,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            members: Vec::new(),
            publisher: None,
            readers: 0,
            named: 0,
            tally: Tally {
                live: 0,
                delivered: 0,
                answers: 0,
                heartbeats: 0,
                payload: 0,
                surprise: None,
                sent: Vec::new(),
                latency: histogram()?,
            },
            buffer: vec![0; READ_BYTES].into(),
            words: Vec::new(),
            events: Vec::with_capacity(1024),
        })
    }

    /// Connects subscribers and waits until all are live.
    pub(crate) fn join(&mut self, address: SocketAddr, crowd: Crowd) -> Result<(), Fault> {
        let each = crowd.streams * crowd.interests;
        let wanted = self.tally.live + crowd.connections * each;
        for left in (0..crowd.connections).rev() {
            let streams: Vec<_> = (0..crowd.streams).map(|_| self.filters(crowd)).collect();
            let (session, opening) = self.wire.subscribe(self.headers, &streams, crate::wire::STREAM_WINDOW);
            self.add(TcpStream::connect(address)?, session, &opening, crowd.streams)?;
            while wanted - self.tally.live > (left + OPENING) * each {
                self.turn()?;
            }
        }
        self.until("subscribers to be live", |load| load.tally.live >= wanted)?;
        self.readers += (crowd.connections * crowd.streams) as u64;
        Ok(())
    }

    /// Connects subscribers of the shared interest who read until they are live, and then no more.
    pub(crate) fn join_stalled(&mut self, address: SocketAddr, count: usize) -> Result<(), Fault> {
        let (first, readers) = (self.members.len(), self.readers);
        // The window that RFC 9113 gives who says nothing.
        for _ in 0..count {
            let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
            socket.set_recv_buffer_size(STALLED_BUFFER_BYTES)?;
            socket.connect(&address.into())?;
            let wanted = self.tally.live + 1;
            let (session, opening) = self.wire.subscribe(self.headers, &[vec![SHARED.to_owned()]], 65_535);
            self.add(socket.into(), session, &opening, 1)?;
            self.until("a subscriber to be live", |load| load.tally.live >= wanted)?;
        }
        for member in &mut self.members[first..] {
            member.reads = false;
            member.channel.ignore(&self.epoll)?;
        }
        self.readers = readers;
        Ok(())
    }

    /// Connects the publisher.
    pub(crate) fn publish_to(&mut self, address: SocketAddr) -> Result<(), Fault> {
        let (session, opening) = self.wire.publisher(self.headers);
        self.publisher = Some(self.members.len());
        self.add(TcpStream::connect(address)?, session, &opening, 0)
    }

    fn filters(&mut self, crowd: Crowd) -> Vec<String> {
        let name = |_| {
            self.named += 1;
            if crowd.distinct { format!("idle-{:06}", self.named) } else { SHARED.to_owned() }
        };
        (0..crowd.interests).map(name).collect()
    }

    fn add(
        &mut self,
        socket: TcpStream,
        session: Box<dyn Session>,
        opening: &[u8],
        streams: usize,
    ) -> Result<(), Fault> {
        let token = self.members.len() as u64;
        let mut channel = Channel::open(socket, self.tls, &self.epoll, token)?;
        channel.send(opening, &self.epoll)?;
        let received = vec![self.tally.sent.len(); streams];
        self.members.push(Member { channel, session, received, reads: true });
        Ok(())
    }

    /// Keeps `backlog` pokes under way to everyone for `span`, and waits for the last to arrive.
    pub(crate) fn run(&mut self, payload: &[u8], backlog: u64, span: Duration) -> Result<Run, Fault> {
        self.start(payload)?;
        let begun = Instant::now();
        let mut published = 0;
        while begun.elapsed() < span {
            while under_way(published, self.tally.delivered, self.readers) < backlog {
                self.publish(payload)?;
                published += 1;
            }
            let before = self.tally.delivered;
            self.until("a delivery", |load| load.tally.delivered > before)?;
        }
        self.finish(published, begun)
    }

    /// Publishes as fast as `pending` unanswered calls allow, and no faster than the slowest subscriber reads.
    pub(crate) fn flood(&mut self, payload: &[u8], pending: u64, span: Duration) -> Result<Run, Fault> {
        self.start(payload)?;
        let begun = Instant::now();
        let mut published = 0;
        while begun.elapsed() < span {
            while published < self.tally.answers + pending && self.unread() < AHEAD {
                self.publish(payload)?;
                published += 1;
            }
            let before = (self.tally.answers, self.tally.delivered);
            self.until("an answer or a delivery", |load| (load.tally.answers, load.tally.delivered) > before)?;
        }
        self.until("the last answer", |load| load.tally.answers >= published)?;
        self.finish(published, begun)
    }

    /// Publishes so many pokes, whoever receives them.
    pub(crate) fn fill(&mut self, payload: &[u8], pokes: u64) -> Result<(), Fault> {
        self.start(payload)?;
        for published in 1..=pokes {
            self.publish(payload)?;
            self.until("a delivery", |load| load.tally.delivered >= published * load.readers)?;
        }
        Ok(())
    }

    /// Answers what the server asks for, for so long.
    pub(crate) fn rest(&mut self, span: Duration) -> Result<(), Fault> {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.turn()?;
        }
        Ok(())
    }

    /// How many heartbeats have come to all.
    pub(crate) fn heartbeats(&self) -> u64 {
        self.tally.heartbeats
    }

    /// How many pokes the slowest subscriber hasn't read.
    fn unread(&self) -> usize {
        let received = self.members.iter().filter(|member| member.reads).flat_map(|member| &member.received);
        self.tally.sent.len() - received.min().copied().unwrap_or(self.tally.sent.len())
    }

    fn start(&mut self, payload: &[u8]) -> Result<(), Fault> {
        (self.tally.delivered, self.tally.answers, self.tally.payload) = (0, 0, payload.len());
        self.tally.latency = histogram()?;
        Ok(())
    }

    /// Waits until everyone who reads has every poke, once: what is lost or doubled would make a server look cheap.
    fn finish(&mut self, published: u64, begun: Instant) -> Result<Run, Fault> {
        self.until("the last delivery", |load| load.tally.delivered >= published * load.readers)?;
        let took = begun.elapsed();
        if self.tally.delivered != published * self.readers || self.unread() > 0 {
            let (delivered, expected) = (self.tally.delivered, published * self.readers);
            return Err(format!("{delivered} deliveries, expected {expected}, as many on each stream").into());
        }
        Ok(Run {
            published,
            delivered: self.tally.delivered,
            took,
            latency: std::mem::replace(&mut self.tally.latency, histogram()?),
        })
    }

    fn publish(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let index = self.publisher.ok_or("nobody publishes")?;
        let member = &mut self.members[index];
        self.tally.sent.push(Instant::now());
        member.session.publish(payload, &mut self.words);
        self.say(index)
    }

    fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<(), Fault> {
        let begun = Instant::now();
        while !condition(self) {
            self.turn()?;
            if begun.elapsed() > PATIENCE {
                return Err(format!("waited for {what} in vain").into());
            }
        }
        Ok(())
    }

    /// Waits for sockets, 100 ms at most, and serves them.
    fn turn(&mut self) -> Result<(), Fault> {
        let patience = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let mut events = std::mem::take(&mut self.events);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&patience)) {
            Err(error) if error != rustix::io::Errno::INTR => return Err(error.into()),
            _ => {}
        }
        for event in events.drain(..) {
            self.serve(usize::try_from(event.data.u64())?)?;
        }
        self.events = events;
        self.tally.surprise.take().map_or(Ok(()), |surprise| Err(surprise.into()))
    }

    fn serve(&mut self, index: usize) -> Result<(), Fault> {
        let Member { channel, session, received, .. } = &mut self.members[index];
        let (tally, words) = (&mut self.tally, &mut self.words);
        let now = Instant::now();
        channel.read(&mut self.buffer, &mut |bytes| {
            session.read(bytes, words, &mut |event| tally.note(event, received, now))
        })?;
        self.say(index)
    }

    fn say(&mut self, index: usize) -> Result<(), Fault> {
        self.members[index].channel.send(&self.words, &self.epoll)?;
        self.words.clear();
        Ok(())
    }
}

impl Tally {
    fn note(&mut self, event: Event, received: &mut [usize], now: Instant) {
        match event {
            Event::Live(interests) => self.live += interests,
            Event::Answer => self.answers += 1,
            Event::Heartbeat => self.heartbeats += 1,
            Event::Loss => self.surprise = Some("a subscriber has missed something".to_owned()),
            Event::Delivery { stream, bytes } => {
                if !(self.payload..=self.payload + ENVELOPE_BYTES).contains(&bytes) {
                    self.surprise = Some(format!("a poke of {bytes} bytes, of which {} are payload", self.payload));
                }
                self.delivered += 1;
                // Pokes come in order, so their count says which one it is.
                let ordinal = received.get_mut(stream).map(|count| std::mem::replace(count, *count + 1));
                if let Some(sent) = ordinal.and_then(|ordinal| self.sent.get(ordinal)) {
                    let micros = u64::try_from(now.duration_since(*sent).as_micros()).unwrap_or(u64::MAX);
                    self.latency.saturating_record(micros);
                }
            }
        }
    }
}

/// How many pokes haven't reached everyone, when each comes after the one before it.
fn under_way(published: u64, delivered: u64, readers: u64) -> u64 {
    published - delivered / readers
}

fn histogram() -> Result<Histogram<u64>, Fault> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poke_is_under_way_until_its_last_delivery() {
        assert_eq!([0, 1, 999, 1000].map(|delivered| under_way(1, delivered, 1000)), [1, 1, 1, 0]);
        assert_eq!([1999, 2000].map(|delivered| under_way(17, delivered, 1000)), [16, 15]);
    }

    /// A load of so many connections, on a server that a thread of this test runs.
    fn on(
        wire: Wire,
        connections: usize,
        serve: impl FnOnce(SocketAddr) -> Result<(), Fault> + Send + 'static,
    ) -> Result<Load<'static>, Fault> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        drop(listener);
        std::thread::spawn(move || serve(address));
        while TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
        let mut load = Load::new(wire, Headers::default(), None)?;
        load.join(address, Crowd::of(connections))?;
        load.publish_to(address)?;
        Ok(load)
    }

    fn on_a_floor(connections: usize) -> Result<Load<'static>, Fault> {
        on(Wire::Raw, connections, crate::floor)
    }

    /// Returns true if the kernel doesn't acknowledge within a read of any subscriber (`pingpong`, the lowest bit of the 15th
    /// column of `/proc/net/tcp`).
    fn sender_acknowledges(load: &Load<'_>) -> Result<bool, Fault> {
        let table = std::fs::read_to_string("/proc/net/tcp")?;
        let subscribers = load.members.iter().enumerate().filter(|&(index, _)| Some(index) != load.publisher);
        for (_, member) in subscribers {
            let local = format!("0100007F:{:04X}", member.channel.port()?);
            let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let row = row.into_iter().find(|row| row.get(1) == Some(&local.as_str())).ok_or("the socket has no row")?;
            if row.get(14).ok_or("the row is short")?.parse::<u32>()? & 1 == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[test]
    fn acknowledgements_are_charged_to_the_sender_whatever_is_spoken() -> Result<(), Fault> {
        for mut load in [on_a_floor(3)?, on(Wire::Poke, 3, |address| crate::naive(address, None))?] {
            // The mode that clients are in when they begin lasts until they have heard nothing for a while.
            load.rest(Duration::from_secs(1))?;
            // A reading more than 40 ms after the read that it is about is too late.
            load.run(&[b'x'; 300], 1, Duration::from_millis(20))?;
            let begun = Instant::now();
            while !sender_acknowledges(&load)? {
                load.run(&[b'x'; 300], 1, Duration::from_millis(20))?;
                assert!(begun.elapsed() < PATIENCE, "{:?} acknowledges within its reads", load.wire);
            }
        }
        Ok(())
    }

    #[test]
    fn a_run_counts_every_delivery() -> Result<(), Fault> {
        let mut load = on_a_floor(7)?;
        for backlog in [1, 16] {
            let run = load.run(&[b'x'; 300], backlog, Duration::from_millis(20))?;
            assert_eq!(run.delivered, 7 * run.published);
            assert_eq!(run.latency.len(), run.delivered);
        }
        Ok(())
    }

    #[test]
    fn a_poke_that_is_cut_lost_or_doubled_fails_the_run() -> Result<(), Fault> {
        let mut load = on_a_floor(3)?;
        load.start(&[0; 100])?;
        load.publish(&[0; 99])?;
        let cut = load.until("a delivery", |load| load.tally.delivered >= 3);
        assert!(cut.is_err_and(|fault| fault.to_string().contains("99 bytes")));

        let mut load = on_a_floor(3)?;
        load.start(&[0; 100])?;
        load.publish(&[0; 100])?;
        load.publish(&[0; 100])?;
        load.until("deliveries", |load| load.tally.delivered >= 6)?;
        // As if one poke had been published, and as if three had.
        assert!(load.finish(1, Instant::now()).is_err());
        load.members[0].received[0] -= 1;
        assert!(load.finish(2, Instant::now()).is_err());
        Ok(())
    }
}
