//! A stream as the body of its response.

use std::{
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Opening, Streams, Want,
    chunk::{HANDED_OVER_BYTES, Queue},
    entry::Entry,
    event,
    life::{Duty, Life},
    seats::Seat,
    transit::Chunk,
};
use crate::{
    backplane::{Attached, Backplane},
    error::{Error, Kind},
    frame,
    metrics::StreamEnd,
    registry::{Cursor, Entry as Read, Loss},
    topic::{Signal, Watcher},
    wire::Protocol,
};

type Attaching = Pin<Box<dyn Future<Output = Vec<Result<Attached, poke_proto::v1::Rejected>>> + Send>>;

/// One client's Subscribe.
///
/// In this order: what every poke touches comes first, in as few lines of the processor's cache as it takes.
#[repr(C)]
pub struct Stream<B: Backplane> {
    /// A cursor for each interest that is live, by its slot. The first lies here itself.
    pub(super) cursors: SmallVec<[Option<Cursor>; 1]>,
    pub(super) streams: Arc<Streams<B>>,
    pub(super) entry: Arc<Entry>,
    finished: bool,
    protocol: Protocol,
    /// Boxed, as they are there but at the end.
    trailers: Option<Box<HeaderMap>>,
    /// The slot that is read first next time, so that none is read last always.
    turn: usize,
    /// Interests that may come back, or haven't been asked for yet.
    pub(super) open_interests: usize,
    /// Up to which change of the rules it has looked whether the caller may listen.
    pub(super) reviewed: u64,
    /// How the stream ends, once nothing is left to send.
    pub(super) verdict: Option<Result<(), Box<Error>>>,
    pub(super) attaching: Option<Attaching>,
    pub(super) queue: Queue,
    /// Up to when nothing has to be done for the time's sake. What is sent meanwhile may put that off, which is found out
    /// then: a poke doesn't look at all the times.
    due: Instant,
    life: Life,
    /// Runs out at the caller's deadline, if there is one. The clock of all streams would be up to a tick late.
    deadline: Option<Pin<Box<Sleep>>>,
    key: (usize, usize),
    /// Until it is asked to move.
    seat: Option<Seat>,
    end: StreamEnd,
}

impl<B: Backplane> Stream<B> {
    pub(super) fn new(streams: Arc<Streams<B>>, opening: Opening, seat: Seat, id: String) -> Self {
        let Opening { wants, protocol, link, deadline, caller } = opening;
        // One more bit, for the clock.
        let signal = Arc::new(Signal::new(wants.len() + 1));
        let expires = caller.expires();
        let entry = Arc::new(Entry::new(Arc::clone(&signal), link, caller));
        let mut queue = Queue::default();
        let window = streams.window();
        queue.push(event::welcome(id, streams.settings(), window));
        let life = Life::new(streams.settings(), Instant::now(), deadline, expires);
        streams.metrics().streams_open.inc();
        streams.metrics().streams_opened.inc();
        Self {
            key: streams.register(&entry),
            open_interests: wants.len(),
            cursors: SmallVec::with_capacity(wants.len()),
            attaching: Some(Box::pin(attach(Arc::clone(&streams), signal, wants))),
            streams,
            entry,
            reviewed: 0,
            protocol,
            due: Instant::now(),
            turn: 0,
            queue,
            life,
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            verdict: None,
            trailers: None,
            finished: false,
            seat: Some(seat),
            end: StreamEnd::Cancelled,
        }
    }

    /// Registers what is wanted. Nothing of an interest is read before this has told of it.
    fn poll_attaching(&mut self, cx: &mut Context<'_>) {
        let Some(Poll::Ready(outcomes)) = self.attaching.as_mut().map(|attaching| attaching.as_mut().poll(cx)) else {
            return;
        };
        self.attaching = None;
        for outcome in outcomes {
            let cursor = match outcome {
                Ok(Attached { cursor, place }) => {
                    let position = self.streams.position(place.position);
                    self.queue.push(event::subscribed(cursor.interest(), &place, position.clone()));
                    if let Some(loss) = place.loss {
                        self.queue.push(self.streams.gap(cursor.interest(), loss, position, None));
                    }
                    self.entry.signal.raise(self.cursors.len());
                    Some(cursor)
                }
                Err(rejected) => {
                    self.open_interests -= usize::from(rejected.retry_delay.is_none());
                    self.queue.push(frame::event(poke_proto::v1::subscribe_response::Event::Rejected(rejected)));
                    None
                }
            };
            self.cursors.push(cursor);
        }
    }

    /// Reads the interests that have something new, in turn, until there is enough for a chunk.
    fn read(&mut self) {
        let (words, turn) = (self.entry.signal.words(), self.turn);
        for step in 0..=words {
            let word = (turn / 64 + step) % words;
            // The first word comes twice: from the turn's slot on, and at the end up to it.
            let from_turn = u64::MAX << (turn % 64);
            let mask = match step {
                0 => from_turn,
                _ if step == words => !from_turn,
                _ => u64::MAX,
            };
            let unread = self.read_word(word, self.entry.signal.take(word, mask));
            if unread != 0 {
                self.entry.signal.put(word, unread);
                return;
            }
        }
    }

    /// Reads the interests of some bits. Answers the bits of those that have more.
    fn read_word(&mut self, word: usize, mut bits: u64) -> u64 {
        let mut unread = 0;
        while bits != 0 && self.queue.room() > 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let slot = word * 64 + bit as usize;
            unread |= u64::from(self.read_slot(slot)) << bit;
            self.turn = (slot + 1) % (self.entry.signal.words() * 64);
        }
        unread | bits
    }

    /// Reads one interest. Says whether there is more.
    fn read_slot(&mut self, slot: usize) -> bool {
        let Self { cursors, streams, queue, .. } = self;
        let Some(place) = cursors.get_mut(slot) else { return false };
        let Some(cursor) = place else { return false };
        let (mut pokes, mut bytes, mut ended) = (0, 0, false);
        let more = cursor.read(queue.room(), |interest, read| match read {
            Read::Lost { position, missed } => {
                let position = streams.position(position);
                queue.push(streams.gap(interest, Loss::Lagged, position, Some(missed)));
            }
            Read::Poke(item) => {
                pokes += 1;
                bytes += item.frame.len() as u64;
                queue.push(item.frame.clone());
            }
            Read::End(frame) => {
                ended = true;
                queue.push(frame.clone());
            }
        });
        if pokes > 0 {
            streams.metrics().pokes_delivered.inc_by(pokes);
            streams.metrics().bytes_delivered.inc_by(bytes);
        }
        if ended {
            *place = None;
            self.open_interests -= 1;
        }
        more
    }

    /// Does what the times ask for.
    fn tend(&mut self, now: Instant) {
        if let Some(drain) = self.streams.draining() {
            self.life.drain(drain, now);
        }
        let retired = |entry: &Entry| entry.link().is_none_or(super::Link::is_retired);
        while let Some(duty) = self.life.duty(self.streams.settings(), now, || retired(&self.entry)) {
            match duty {
                Duty::End(kind) => {
                    self.queue.clear();
                    self.end_with(kind);
                    return;
                }
                Duty::Retire => {
                    if let Some(link) = self.entry.link() {
                        link.retire();
                    }
                    return;
                }
                Duty::Move { window, closes_after, reason } => {
                    self.seat = None;
                    self.entry.begin_move();
                    self.heartbeat(now);
                    self.queue.push(event::reconnect(window, closes_after, reason));
                }
                Duty::Heartbeat => self.heartbeat(now),
            }
        }
    }

    fn heartbeat(&mut self, now: Instant) {
        let checkpoint = self.streams.backplane().checkpoint(self.cursors.iter().flatten());
        self.queue.push(event::heartbeat(checkpoint));
        self.streams.metrics().heartbeats.inc();
        self.life.beat(now);
    }

    /// What to send next. If `is_due`, it may be what the times ask for.
    fn next(&mut self, cx: &mut Context<'_>, now: Instant, is_due: bool) -> Poll<Option<Bytes>> {
        if self.entry.is_stalled() && self.verdict.is_none() {
            self.queue.clear();
            self.end_with(Kind::ClientStalled);
        }
        if self.verdict.is_none() {
            self.poll_attaching(cx);
            self.review();
        }
        if self.verdict.is_none() {
            self.read();
            if is_due {
                self.tend(now);
            }
        }
        if self.protocol.has_json_events() {
            self.queue.translate(|frame| self.streams.translations.of(frame));
        }
        if let Some(chunk) = self.queue.pop() {
            self.life.sent(now);
            return Poll::Ready(Some(chunk));
        }
        if self.verdict.is_none() && self.open_interests == 0 {
            self.verdict = Some(Ok(()));
        }
        match self.verdict.take() {
            Some(verdict) => Poll::Ready(self.finish(verdict.as_ref().map(|&()| ()).map_err(|error| &**error))),
            None => Poll::Pending,
        }
    }

    /// Looks at all that a poke touches. The processor fetches it at once, while the steps of a turn, some of which are
    /// atomic, would wait for one line after the other.
    fn warm(&self) {
        black_box((self.cursors.first().map(Option::is_some), self.attaching.is_some(), self.due));
        black_box((self.entry.is_abandoned(), self.entry.signal.is_raised()));
    }

    /// Whether there is something to do besides what the signal tells of.
    fn has_more(&self) -> bool {
        !self.queue.is_empty() || self.attaching.is_some() || self.open_interests == 0 || self.verdict.is_some()
    }

    /// These bytes and as much of what waits behind them as goes at once.
    fn hand_over(&mut self, bytes: Bytes) -> Chunk {
        let mut chunk = Chunk::of(&self.entry, self.protocol.frame(bytes));
        while chunk.remaining() < HANDED_OVER_BYTES
            && let Some(bytes) = self.queue.pop()
        {
            chunk.push(self.protocol.frame(bytes));
        }
        // What was left unread for want of room is raised, and wakes nobody.
        if self.has_more() || self.entry.signal.is_raised() {
            chunk.set_followed();
        }
        chunk
    }

    /// Ends the stream so, once nothing is left to send.
    pub(super) fn end_with(&mut self, error: impl Into<Error>) {
        self.verdict = Some(Err(Box::new(error.into())));
    }

    fn finish(&mut self, verdict: Result<(), &Error>) -> Option<Bytes> {
        self.finished = true;
        self.cursors = SmallVec::new();
        self.end = match verdict.map_err(Error::kind) {
            Ok(()) => StreamEnd::Ok,
            Err(Kind::ClientStalled) => StreamEnd::Stalled,
            Err(Kind::ShuttingDown) => StreamEnd::Drained,
            Err(Kind::MaxAge) => StreamEnd::Aged,
            Err(Kind::Deadline) => StreamEnd::Deadline,
            Err(Kind::TokenExpired) => StreamEnd::Expired,
            Err(Kind::InvalidCredentials | Kind::TokenRevoked) => StreamEnd::Withdrawn,
            Err(_) => StreamEnd::Error,
        };
        let end = self.protocol.end(verdict);
        self.trailers = end.trailers.map(Box::new);
        end.data
    }
}

/// Registers each interest in turn, in the order of the request.
async fn attach<B: Backplane>(
    streams: Arc<Streams<B>>,
    signal: Arc<Signal>,
    wants: Vec<Want>,
) -> Vec<Result<Attached, poke_proto::v1::Rejected>> {
    let mut budget = streams.settings().replay_bytes;
    let mut outcomes = Vec::with_capacity(wants.len());
    for (slot, want) in (0..).zip(wants) {
        outcomes.push(match want {
            Want::Refuse(rejected) => Err(rejected),
            Want::Attach(interest, start) => {
                let watcher = Watcher { signal: Arc::clone(&signal), slot };
                let attached = streams.backplane().attach(&interest, start, &watcher, &mut budget).await;
                attached.map_err(|refusal| event::rejected(frame::interest(&interest), &refusal.into()))
            }
        });
    }
    outcomes
}

impl<B: Backplane> Body for Stream<B> {
    type Data = Chunk;
    type Error = h2::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, h2::Error>>> {
        let this = self.get_mut();
        if this.finished {
            return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))));
        }
        this.warm();
        this.entry.signal.register(cx.waker());
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            this.deadline = None;
            this.entry.raise_alarm();
        }
        if this.entry.is_abandoned() {
            this.finished = true;
            // The stream is reset with this, and what the connection holds of it is dropped.
            return Poll::Ready(Some(Err(h2::Reason::CANCEL.into())));
        }
        if this.entry.must_wait(this.has_more()) {
            return Poll::Pending;
        }
        let now = Instant::now();
        // Before anything is looked at that it tells of: what changes from now on raises it again.
        let is_due = this.entry.take_alarm() || this.due <= now;
        let next = this.next(cx, now, is_due);
        if is_due {
            this.due = this.life.due(this.streams.settings(), now);
            this.entry.set_due(this.streams.millis(this.due));
        }
        this.entry.polled();
        next.map(|chunk| match chunk {
            Some(bytes) => Some(Ok(Frame::data(this.hand_over(bytes)))),
            None => this.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none() && self.finished
    }
}

impl<B: Backplane> Drop for Stream<B> {
    fn drop(&mut self) {
        self.streams.unregister(self.key);
        self.entry.leave();
        // The clock has counted a stalled one, and no longer looks at this one.
        if self.entry.is_stalled() {
            self.streams.metrics().streams_stalled.dec();
        } else {
            self.streams.metrics().streams_open.dec();
            self.streams.metrics().streams_ended.inc(self.end);
        }
    }
}
