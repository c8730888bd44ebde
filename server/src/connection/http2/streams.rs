//! The streams of one connection: who has what to send, and how much each side may send.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use h2::{
    Reason,
    frame::{Data, Headers, StreamId},
};
use http::{HeaderMap, Request};
use smallvec::SmallVec;

use super::{
    super::{exchange::Outgoing, gate::Gate},
    OUTGOING,
    head::{content_length, request},
    stream::{Inbox, Misfit, Stream},
};

/// What a client may send on all streams before the server has read it.
pub(super) const CONNECTION_WINDOW: u32 = 1 << 20;

/// What a window is at first (RFC 9113, section 6.9.2).
pub(super) const FIRST_WINDOW: u32 = 65_535;

/// Streams that were reset here of which the client may not know yet: what comes on them is ignored.
const REMEMBERED: usize = 64;

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
}

impl<D: Outgoing> Streams<D> {
    /// None yet, and `limit` at most. News of them wake the connection at `gate`.
    pub(super) fn new(limit: u32, gate: Arc<Gate>) -> Self {
        Self {
            open: SmallVec::new(),
            queue: VecDeque::new(),
            starved: Vec::new(),
            notes: VecDeque::new(),
            reset: VecDeque::new(),
            faults: 0,
            limit: limit as usize,
            last: 0,
            bound: u32::from(StreamId::MAX),
            credit: FIRST_WINDOW.into(),
            first_credit: FIRST_WINDOW.into(),
            room: CONNECTION_WINDOW as usize,
            read: 0,
            gate,
        }
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream<D>> {
        find(&mut self.open, id)
    }

    /// Whether none is open and nothing is left to be said of any.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.notes.is_empty()
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

    // What comes.

    /// Takes a request's head, or its trailers. Answers a request that is new.
    pub(super) fn receive_headers(&mut self, headers: Headers) -> Result<Option<Opened>, Fault> {
        let id = u32::from(headers.stream_id());
        if id > self.bound {
            return Ok(None);
        }
        if self.get(id).is_some() {
            self.receive_trailers(id, headers)?;
            return Ok(None);
        }
        if self.reset.contains(&id) {
            return Ok(None);
        }
        if id.is_multiple_of(2) || id <= self.last {
            return Err(Reason::PROTOCOL_ERROR.into());
        }
        self.last = id;
        if self.open.len() >= self.limit {
            return Err(Fault::Stream(id, Reason::REFUSED_STREAM));
        }
        let (is_whole, is_over_size) = (headers.is_end_stream(), headers.is_over_size());
        let (pseudo, fields) = headers.into_parts();
        let malformed = |cause| {
            tracing::debug!(stream = id, cause, "a request is malformed");
            Fault::Stream(id, Reason::PROTOCOL_ERROR)
        };
        let length = content_length(&fields).map_err(malformed)?;
        if is_whole && length.is_some_and(|length| length > 0) {
            return Err(malformed("its body is missing"));
        }
        let inbox = if is_whole { None } else { Some(Box::new(Inbox::new(length))) };
        if is_over_size {
            self.open.push((id, Box::new(Stream::new(self.first_credit, inbox))));
            self.refuse_head(id);
            return Ok(None);
        }
        let request = request(pseudo, fields).map_err(malformed)?;
        self.open.push((id, Box::new(Stream::new(self.first_credit, inbox))));
        Ok(Some((id, request.map(|()| length))))
    }

    /// A head is larger than it may be (RFC 6585, section 5).
    fn refuse_head(&mut self, id: u32) {
        let status = h2::frame::Pseudo::response(http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let mut head = Headers::new(id.into(), status, HeaderMap::new());
        head.set_end_stream();
        self.send(id, |stream| {
            stream.head = Some(Box::new(head));
            stream.ends = true;
        });
    }

    fn receive_trailers(&mut self, id: u32, headers: Headers) -> Result<(), Fault> {
        let Some(stream) = self.get(id) else { return Ok(()) };
        let Some(inbox) = &mut stream.request else { return Err(Fault::Stream(id, Reason::STREAM_CLOSED)) };
        let is_last = headers.is_end_stream() && !headers.is_over_size();
        let (pseudo, fields) = headers.into_parts();
        if !is_last || pseudo != Default::default() {
            return Err(Fault::Stream(id, Reason::PROTOCOL_ERROR));
        }
        let reader = inbox.end(Some(fields)).map_err(|misfit| misfit.of(id))?;
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Takes a DATA frame that counts as this many bytes of the windows.
    pub(super) fn receive_data(&mut self, frame: &Data, counted: usize) -> Result<(), Fault> {
        let id = u32::from(frame.stream_id());
        self.ensure_begun(id)?;
        self.room = self.room.checked_sub(counted).ok_or(Reason::FLOW_CONTROL_ERROR)?;
        let is_ignored = id > self.bound || self.reset.contains(&id);
        let Some(inbox) = self.get(id).and_then(|stream| stream.request.as_mut()) else {
            self.regain(counted);
            return if is_ignored { Ok(()) } else { Err(Fault::Stream(id, Reason::STREAM_CLOSED)) };
        };
        let received = inbox.receive(frame.payload(), counted, frame.is_end_stream());
        let unread = if inbox.is_abandoned() || received.is_err() { 0 } else { frame.payload().len() };
        let more = inbox.regain();
        self.notes.extend(more.map(|more| Note::Credit(id, more)));
        self.regain(counted - unread);
        received.map_err(|misfit| misfit.of(id))?.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// The client has reset a stream.
    pub(super) fn receive_reset(&mut self, id: u32) -> Result<(), Fault> {
        self.ensure_begun(id)?;
        self.close(id);
        Ok(())
    }

    /// The client takes more on a stream, or on all of them.
    pub(super) fn receive_credit(&mut self, id: u32, more: u32) -> Result<(), Fault> {
        if id == 0 {
            self.credit = grown(self.credit, more.into()).ok_or(Reason::FLOW_CONTROL_ERROR)?;
            self.queue.extend(self.starved.drain(..));
            return Ok(());
        }
        self.ensure_begun(id)?;
        let Some(stream) = self.get(id) else { return Ok(()) };
        stream.credit = grown(stream.credit, more.into()).ok_or(Fault::Stream(id, Reason::FLOW_CONTROL_ERROR))?;
        self.enqueue(id);
        Ok(())
    }

    /// The client takes as much on each stream that is new, and more or less as many more on the others.
    pub(super) fn set_first_credit(&mut self, credit: u32) -> Result<(), Fault> {
        let more = i64::from(credit) - std::mem::replace(&mut self.first_credit, credit.into());
        for (_, stream) in &mut self.open {
            stream.credit = grown(stream.credit, more).ok_or(Reason::FLOW_CONTROL_ERROR)?;
        }
        let ids: Vec<_> = self.open.iter().map(|&(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.enqueue(id));
        Ok(())
    }

    /// A frame that doesn't open a stream belongs to one that has been opened.
    fn ensure_begun(&self, id: u32) -> Result<(), Fault> {
        if id.is_multiple_of(2) || id > self.last && id <= self.bound {
            return Err(Reason::PROTOCOL_ERROR.into());
        }
        Ok(())
    }

    /// As many bytes of what has come on any stream take no room any more.
    fn regain(&mut self, read: usize) {
        self.read += read;
        if self.read >= CONNECTION_WINDOW as usize / 2 {
            self.room += self.read;
            let more = u32::try_from(std::mem::take(&mut self.read)).unwrap_or(u32::MAX);
            self.notes.push_back(Note::Credit(0, more));
            self.gate.wake(OUTGOING);
        }
    }

    // What is read.

    /// The next part of a request's body. Ready with `None` at its end.
    pub(super) fn poll_data(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let Some(stream) = self.get(id) else { return Poll::Ready(Some(Err(Reason::CANCEL.into()))) };
        let Some(inbox) = &mut stream.request else { return Poll::Ready(None) };
        let Some(data) = inbox.take() else {
            if inbox.is_whole() {
                return Poll::Ready(None);
            }
            inbox.wait(cx.waker());
            return Poll::Pending;
        };
        if let Some(more) = inbox.regain() {
            self.notes.push_back(Note::Credit(id, more));
            self.gate.wake(OUTGOING);
        }
        self.forget_request(id);
        self.regain(data.len());
        Poll::Ready(Some(Ok(data)))
    }

    /// What followed a body that has been read to its end.
    pub(super) fn take_trailers(&mut self, id: u32) -> Option<HeaderMap> {
        let trailers = self.get(id)?.request.as_mut()?.take_trailers();
        self.forget_request(id);
        trailers
    }

    /// Whether a request's body has come to its end and been read.
    pub(super) fn is_read(&mut self, id: u32) -> bool {
        self.get(id).is_none_or(|stream| stream.request.is_none())
    }

    /// Nobody reads the request any more.
    pub(super) fn abandon(&mut self, id: u32) {
        let Some(inbox) = self.get(id).and_then(|stream| stream.request.as_mut()) else { return };
        let dropped = inbox.abandon();
        inbox.take_trailers();
        self.forget_request(id);
        self.regain(dropped);
    }

    /// What has been read takes no room.
    fn forget_request(&mut self, id: u32) {
        if let Some(stream) = self.get(id)
            && stream.request.as_ref().is_some_and(|request| request.is_read())
        {
            stream.request = None;
        }
    }

    // What is sent.

    /// Adds something to what a stream has to send. Says whether there is such a stream.
    pub(super) fn send(&mut self, id: u32, add: impl FnOnce(&mut Stream<D>)) -> bool {
        let Some(stream) = self.get(id) else { return false };
        add(stream);
        self.enqueue(id);
        true
    }

    fn enqueue(&mut self, id: u32) {
        let Some(stream) = self.get(id) else { return };
        if !std::mem::replace(&mut stream.is_queued, true) {
            self.queue.push_back(id);
        }
    }

    /// What is to be sent next, if anything is that may be. A chunk comes back by [`Streams::sent`].
    pub(super) fn next(&mut self) -> Option<Part<D>> {
        while let Some(&id) = self.queue.front() {
            let credit = self.credit;
            let Some(stream) = find(&mut self.open, id) else {
                self.queue.pop_front();
                continue;
            };
            if let Some(head) = stream.head.take() {
                if head.is_end_stream() {
                    self.queue.pop_front();
                    self.finish(id);
                }
                return Some(Part::Headers(head));
            }
            let size = stream.chunk.as_ref().map_or(0, D::remaining);
            let granted = size.min(usize::try_from(stream.credit.min(credit)).unwrap_or(0));
            self.queue.pop_front();
            if size > 0 && granted == 0 && stream.credit > 0 {
                self.starved.push(id);
                continue;
            }
            stream.is_queued = false;
            if size > 0 && granted == 0 {
                continue;
            }
            let chunk = stream.chunk.take();
            if size == 0
                && let Some(trailers) = stream.trailers.take()
            {
                self.finish(id);
                return Some(Part::Headers(trailers));
            }
            let ends = stream.ends && granted == size && stream.trailers.is_none();
            if size > 0 || ends {
                stream.credit -= granted as i64;
                self.credit -= granted as i64;
                let chunk = chunk.unwrap_or_else(|| Bytes::new().into());
                return Some(Part::Data { id, chunk, granted, ends });
            }
            stream.make_room().into_iter().for_each(Waker::wake);
        }
        None
    }

    /// A part of a chunk has been written, and this is the rest.
    pub(super) fn sent(&mut self, id: u32, rest: D, ended: bool) {
        if ended {
            return self.finish(id);
        }
        let Some(stream) = self.get(id) else { return };
        if rest.has_remaining() {
            stream.chunk = Some(rest);
        } else {
            // It tells whoever waits for it.
            drop(rest);
            stream.make_room().into_iter().for_each(Waker::wake);
        }
        if !stream.is_sent() || stream.ends {
            self.enqueue(id);
        }
    }

    /// As much credit wasn't used.
    pub(super) fn restore(&mut self, unused: usize) {
        self.credit += unused as i64;
    }

    /// The answer has been sent. What the client still sends of its request is in vain (RFC 9113, section 8.1).
    fn finish(&mut self, id: u32) {
        if self.get(id).is_some_and(|stream| !stream.has_whole_request()) {
            self.reset(id, Reason::NO_ERROR);
        } else {
            self.close(id);
        }
    }

    /// Ends a stream by RST_STREAM.
    pub(super) fn reset(&mut self, id: u32, reason: Reason) {
        self.close(id);
        self.notes.push_back(Note::Reset(id, reason));
        if self.reset.len() == REMEMBERED {
            self.reset.pop_front();
        }
        self.reset.push_back(id);
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

    /// Drops a stream with all that it has.
    fn close(&mut self, id: u32) {
        let Ok(place) = place(&self.open, id) else { return };
        let (_, mut stream) = self.open.remove(place);
        if self.open.is_empty() {
            // What a crowd needed isn't kept.
            (self.open, self.queue, self.starved) = Default::default();
        }
        stream.waiting().into_iter().flatten().for_each(Waker::wake);
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

/// A window as much larger, if it may be (RFC 9113, section 6.9.1).
fn grown(window: i64, more: i64) -> Option<i64> {
    Some(window + more).filter(|&window| window <= i64::from(i32::MAX))
}

impl Misfit {
    fn of(self, id: u32) -> Fault {
        Fault::Stream(
            id,
            match self {
                Self::OverWindow => Reason::FLOW_CONTROL_ERROR,
                Self::Length => Reason::PROTOCOL_ERROR,
                Self::AfterEnd => Reason::STREAM_CLOSED,
            },
        )
    }
}
