//! The streams of one connection: who has what to send, and how much each side may send.

mod receive;
mod send;

use std::{collections::VecDeque, sync::Arc, task::Waker};

use bytes::Bytes;
use h2::{
    Reason,
    frame::{Headers, StreamId},
};
use http::Request;
use smallvec::SmallVec;

use super::{
    super::{exchange::Outgoing, gate::Gate},
    stream::Stream,
};
use crate::limits::Limits;

/// What a client may send on all streams before the server has read it.
pub(super) const CONNECTION_WINDOW: u32 = 1 << 20;

/// What a window is at first (RFC 9113, section 6.9.2).
pub(super) const FIRST_WINDOW: u32 = 65_535;

/// Streams that were reset here of which the client may not know yet: what comes on them is ignored. More than may be
/// open at once by default, for a client that has all of them reset in one round trip.
const REMEMBERED: usize = 256;

/// Streams that a client may have refused or reset for its own faults, until it has to go (CVE-2025-8671).
const FAULTS: u32 = 1024;

/// What is to be told to the client of a stream, besides an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Reset(u32, Reason),
    /// It may send as much more; on stream 0, on all of them.
    Credit(u32, u32),
}

/// The next part of what the streams have to send.
pub(super) enum Part<D> {
    Headers(Box<Headers>),
    Data {
        id: u32,
        chunk: D,
        /// How much of the chunk may be sent.
        granted: usize,
        /// The stream ends with it.
        ends: bool,
    },
}

/// A request on its stream, and how long its client says that the body is.
pub(super) type Opened = (u32, Request<Option<u64>>);

/// A head that has come on a new stream.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and a box would cost each request")]
pub(super) enum Received {
    Request(Opened),
    /// A request that has been refused, because its header fields are too large.
    TooLarge,
}

/// What is wrong with what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// With one stream, which is reset.
    Stream(u32, Reason),
    /// With all of it: the connection ends. The text is for the client's log.
    Connection(Reason, Bytes),
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self::Connection(reason, Bytes::new())
    }
}

/// The streams that aren't closed.
///
/// In this order: what every chunk touches comes first, in as few lines of the processor's cache as it takes.
#[repr(C)]
pub(super) struct Streams<D> {
    /// How much the client takes on all streams.
    credit: i64,
    /// By their ids, which rise. The only one, as it is mostly, is found without a pointer more.
    open: SmallVec<[(u32, Box<Stream<D>>); 1]>,
    /// Those that have something to send, in their order.
    queue: VecDeque<u32>,
    notes: VecDeque<Note>,
    /// Those that would send if the client took more on all streams together.
    starved: Vec<u32>,
    reset: VecDeque<u32>,
    /// How many are open only as their answer was whole before their request.
    answered: usize,
    faults: u32,
    /// How many there may be at once.
    limit: usize,
    /// The last that has been opened, and the last that may be.
    last: u32,
    bound: u32,
    /// How much the client takes on each new stream.
    first_credit: i64,
    /// What the client may still send on all streams, and what has been read since it was last given more.
    room: usize,
    read: usize,
    gate: Arc<Gate>,
    /// Maximum size of a request's header fields.
    header_limit: usize,
    /// They come over a UNIX socket.
    is_unix: bool,
}

impl<D: Outgoing> Streams<D> {
    /// None yet. News of them wake the connection at `gate`. `is_unix` if that is a UNIX socket.
    pub(super) fn new(limits: &Limits, is_unix: bool, gate: Arc<Gate>) -> Self {
        Self {
            open: SmallVec::new(),
            queue: VecDeque::new(),
            starved: Vec::new(),
            notes: VecDeque::new(),
            reset: VecDeque::new(),
            answered: 0,
            faults: 0,
            limit: limits.streams_per_connection as usize,
            header_limit: limits.header_bytes as usize,
            last: 0,
            bound: u32::from(StreamId::MAX),
            credit: FIRST_WINDOW.into(),
            first_credit: FIRST_WINDOW.into(),
            room: CONNECTION_WINDOW as usize,
            read: 0,
            gate,
            is_unix,
        }
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream<D>> {
        find(&mut self.open, id)
    }

    /// Sets how many there may be at once.
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit as usize;
    }

    /// Lets there be as many at once, if that is more than before.
    pub(super) fn raise_limit(&mut self, limit: u32) {
        self.limit = self.limit.max(limit as usize);
    }

    /// Whether every request has been answered and nothing is left to be said of any.
    pub(super) fn is_empty(&self) -> bool {
        self.open.len() == self.answered && self.notes.is_empty()
    }

    /// How many notes wait.
    pub(super) fn notes(&self) -> usize {
        self.notes.len()
    }

    pub(super) fn next_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// No more are opened. Answers the last one.
    pub(super) fn refuse_more(&mut self) -> u32 {
        self.bound = self.last;
        self.last
    }

    /// The last that has been opened.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    /// The answer has been sent. Of a request that isn't whole the rest is in vain, but what is on its way of it still
    /// closes the stream, well or by a fault that the client should hear of.
    fn finish(&mut self, id: u32) {
        let Some(stream) = self.get(id) else { return };
        if stream.has_whole_request() {
            return self.close(id);
        }
        stream.is_answered = true;
        stream.waiting().into_iter().flatten().for_each(Waker::wake);
        self.answered += 1;
        self.abandon(id);
        self.settle(id);
    }

    /// Closes a stream that has been answered: once its request is whole, or before the client needs more credit to go on
    /// with it (RFC 9113, section 8.1).
    fn settle(&mut self, id: u32) {
        let Some(stream) = self.get(id).filter(|stream| stream.is_answered) else { return };
        if stream.has_whole_request() {
            self.close(id);
        } else if stream.request.as_ref().is_some_and(|request| request.is_tight()) {
            self.reset(id, Reason::NO_ERROR);
        }
    }

    /// Closes the oldest stream that has been answered, if there is any, to make room for another.
    fn dismiss(&mut self) {
        if self.answered > 0
            && let Some(&(id, _)) = self.open.iter().find(|(_, stream)| stream.is_answered)
        {
            self.reset(id, Reason::NO_ERROR);
        }
    }

    fn remember(&mut self, id: u32) {
        if !self.reset.contains(&id) {
            if self.reset.len() == REMEMBERED {
                self.reset.pop_front();
            }
            self.reset.push_back(id);
        }
    }

    /// Ends a stream by RST_STREAM.
    pub(super) fn reset(&mut self, id: u32, reason: Reason) {
        let is_whole = self.get(id).is_some_and(|stream| stream.has_whole_request());
        self.close(id);
        if !id.is_multiple_of(2) {
            // Its head may not even have been read.
            self.last = self.last.max(id.min(self.bound));
        }
        self.notes.push_back(Note::Reset(id, reason));
        if !is_whole {
            self.remember(id);
        }
    }

    /// Resets a stream for its client's fault, of which there may not be too many.
    pub(super) fn punish(&mut self, id: u32, reason: Reason) -> Result<(), Fault> {
        self.faults += 1;
        if self.faults > FAULTS {
            return Err(Fault::Connection(Reason::ENHANCE_YOUR_CALM, Bytes::from_static(b"too_many_faults")));
        }
        self.reset(id, reason);
        Ok(())
    }

    /// The connection is over: whoever still waits for something learns it.
    pub(super) fn close_all(&mut self) {
        // Or each would be looked for in them.
        (self.queue, self.starved) = Default::default();
        while let Some(&(id, _)) = self.open.last() {
            self.close(id);
        }
    }

    /// Drops a stream with all that it has.
    fn close(&mut self, id: u32) {
        let Ok(place) = place(&self.open, id) else { return };
        let (_, mut stream) = self.open.remove(place);
        stream.waiting().into_iter().flatten().for_each(Waker::wake);
        // What nobody has read would be missing from the window for ever.
        let unread = stream.request.as_mut().map_or(0, |request| request.abandon());
        self.regain(unread);
        self.answered -= usize::from(stream.is_answered);
        if stream.is_queued {
            self.queue.retain(|&queued| queued != id);
            self.starved.retain(|&starved| starved != id);
        }
        if self.open.is_empty() {
            // What a crowd needed isn't kept.
            (self.open, self.queue, self.starved) = Default::default();
        }
    }
}

fn place<D>(open: &[(u32, Box<Stream<D>>)], id: u32) -> Result<usize, usize> {
    // The newest is asked for most, and often the only one.
    match open.last() {
        Some(&(last, _)) if last == id => Ok(open.len() - 1),
        _ => open.binary_search_by_key(&id, |&(id, _)| id),
    }
}

fn find<D>(open: &mut [(u32, Box<Stream<D>>)], id: u32) -> Option<&mut Stream<D>> {
    let place = place(open, id).ok()?;
    Some(&mut open[place].1)
}
