//! One stream: what it has to send, and what it has received.

use std::{
    collections::VecDeque,
    task::{Context, Waker},
};

use bytes::{Buf as _, Bytes, BytesMut};
use h2::frame::Headers;
use http::HeaderMap;

use super::super::exchange::Outgoing;

/// What a client may send on one stream before the server has read it: a Publish with the largest poke goes without a
/// pause.
pub(super) const STREAM_WINDOW: u32 = 256 << 10;

/// A stream that isn't closed.
///
/// In this order: what every chunk touches comes first, in as few lines of the processor's cache as it takes.
#[repr(C)]
pub(super) struct Stream<D> {
    /// The next part of the answer, unless it is being written.
    pub(super) chunk: Option<D>,
    /// How much the client still takes. Less than nothing if it has changed its mind (RFC 9113, section 6.9.2).
    pub(super) credit: i64,
    /// Whom to wake when the stream is reset, or also when there is room for the next part.
    pub(super) sender: Option<Waker>,
    pub(super) wants_room: bool,
    /// It waits for its turn to send.
    pub(super) is_queued: bool,
    /// The chunk hasn't been written.
    pub(super) is_busy: bool,
    /// What is there is the last of it.
    pub(super) ends: bool,
    /// All of it has been sent, and the request isn't whole.
    pub(super) is_answered: bool,
    /// What comes before and after the chunks.
    pub(super) head: Option<Box<Headers>>,
    pub(super) trailers: Option<Box<Headers>>,
    /// The request's body, until it has been read.
    pub(super) request: Option<Box<Inbox>>,
}

/// The body of a request, as far as it has come and hasn't been read.
#[derive(Default)]
pub(super) struct Inbox {
    /// Joined, whatever the frames: a client that cuts it into single bytes takes no more room than others.
    data: BytesMut,
    trailers: Option<HeaderMap>,
    /// What the client may still send, and what has been read since it was last given more.
    room: usize,
    read: usize,
    /// What is missing of the length that the client has told.
    missing: Option<u64>,
    is_whole: bool,
    /// Nobody reads it any more.
    is_abandoned: bool,
    /// Whom to wake when there is more.
    reader: Option<Waker>,
}

/// Why something that came doesn't fit its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// There is more than was granted.
    OverWindow,
    /// There is more or less than the client has told.
    Length,
    /// It came after the end.
    AfterEnd,
}

impl<D: Outgoing> Stream<D> {
    pub(super) fn new(credit: i64, request: Option<Box<Inbox>>) -> Self {
        Self {
            credit,
            is_queued: false,
            chunk: None,
            is_busy: false,
            head: None,
            trailers: None,
            ends: false,
            is_answered: false,
            sender: None,
            wants_room: false,
            request,
        }
    }

    /// Waits for its turn to send, under its id.
    pub(super) fn enqueue(&mut self, id: u32, queue: &mut VecDeque<u32>) {
        if !std::mem::replace(&mut self.is_queued, true) {
            queue.push_back(id);
        }
    }

    /// Whether the client has sent all of its request.
    pub(super) fn has_whole_request(&self) -> bool {
        self.request.as_ref().is_none_or(|request| request.is_whole)
    }

    /// Whether nothing is left to send.
    pub(super) fn is_sent(&self) -> bool {
        self.chunk.is_none() && self.head.is_none() && self.trailers.is_none()
    }

    /// There is room for the next part. Answers whoever waits for it.
    pub(super) fn make_room(&mut self) -> Option<Waker> {
        self.is_busy = false;
        if std::mem::take(&mut self.wants_room) { self.sender.take() } else { None }
    }

    /// Whoever waits for anything.
    pub(super) fn waiting(&mut self) -> [Option<Waker>; 2] {
        [self.sender.take(), self.request.as_mut().and_then(|request| request.reader.take())]
    }
}

impl Inbox {
    /// For a body of this length, if that is known.
    pub(super) fn new(length: Option<u64>) -> Self {
        Self { room: STREAM_WINDOW as usize, missing: length, ..Self::default() }
    }

    /// Takes a DATA frame, that counts as this many bytes of the window. Answers whom to wake. Of one that doesn't fit
    /// nothing is kept.
    pub(super) fn receive(&mut self, data: &[u8], counted: usize, is_last: bool) -> Result<Option<Waker>, Misfit> {
        if self.is_whole {
            return Err(Misfit::AfterEnd);
        }
        self.room = self.room.checked_sub(counted).ok_or(Misfit::OverWindow)?;
        if let Some(missing) = &mut self.missing {
            *missing = missing.checked_sub(data.len() as u64).ok_or(Misfit::Length)?;
        }
        let reader = if is_last {
            self.end(None)?
        } else if data.is_empty() {
            None
        } else {
            self.reader.take()
        };
        // Of padding there is nothing to read.
        self.read += counted - data.len();
        if !self.is_abandoned {
            self.data.extend_from_slice(data);
        }
        Ok(reader)
    }

    /// Nothing more comes. Answers whom to wake.
    pub(super) fn end(&mut self, trailers: Option<HeaderMap>) -> Result<Option<Waker>, Misfit> {
        if self.is_whole {
            return Err(Misfit::AfterEnd);
        }
        if self.missing.is_some_and(|missing| missing > 0) {
            return Err(Misfit::Length);
        }
        self.is_whole = true;
        self.trailers = trailers;
        Ok(self.reader.take())
    }

    /// What can be read now. `None` if there is nothing, or nothing any more.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let data = self.data.split().freeze();
        self.read += data.len();
        data.has_remaining().then_some(data)
    }

    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// Whether all of it has come.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether all of it has come and been read.
    pub(super) fn is_read(&self) -> bool {
        self.is_whole && self.data.is_empty() && self.trailers.is_none()
    }

    /// What the client may be granted anew: not each time, and nothing if it has no more to send.
    pub(super) fn regain(&mut self) -> Option<u32> {
        if self.is_whole || self.is_abandoned || self.read < STREAM_WINDOW as usize / 2 {
            return None;
        }
        self.room += self.read;
        u32::try_from(std::mem::take(&mut self.read)).ok()
    }

    /// Whether so little is left of the window that it is time to grant more: less than half, unless what is missing fits.
    pub(super) fn is_tight(&self) -> bool {
        let fits = self.missing.is_some_and(|missing| missing <= self.room as u64);
        self.room <= STREAM_WINDOW as usize / 2 && !fits
    }

    /// Nobody reads it. Answers how much of what has come is dropped.
    pub(super) fn abandon(&mut self) -> usize {
        self.is_abandoned = true;
        self.reader = None;
        std::mem::take(&mut self.data).len()
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    /// Wakes this task when there is more.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        wait(&mut self.reader, cx);
    }
}

/// Notes whom to wake.
pub(super) fn wait(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
