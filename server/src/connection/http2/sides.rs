//! The two sides of a stream, as its exchange holds them.

use std::{
    fmt,
    hint::black_box,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::{
    Reason,
    frame::{Headers, Pseudo},
};
use http::{HeaderMap, HeaderName, Response, header};
use parking_lot::Mutex;

use super::{
    super::exchange::Outgoing,
    stream::{Stream, wait},
    streams::Streams,
};

/// The stream is closed: nobody takes anything more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream is closed")]
pub(in crate::connection) struct Closed;

/// What belongs to a connection of HTTP/1.1 and not to an answer (RFC 9113, section 8.2.2).
static UNFIT: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The side of a stream that takes an answer. Dropped before the answer is whole, it resets the stream.
pub(in crate::connection) struct Sender<D: Outgoing> {
    id: u32,
    streams: Arc<Mutex<Streams<D>>>,
}

impl<D: Outgoing> Sender<D> {
    pub(super) fn new(id: u32, streams: &Arc<Mutex<Streams<D>>>) -> Self {
        Self { id, streams: Arc::clone(streams) }
    }

    /// See `Exchange::warm`.
    pub(in crate::connection) fn warm(&self) {
        black_box(self.streams.lock().get(self.id).map(|stream| (stream.is_sent(), stream.is_busy)));
    }

    /// Sends the head of an answer, the first and only one, and whether that is all of it.
    pub(in crate::connection) fn send_head(&self, head: Response<()>, ends: bool) -> Result<(), Closed> {
        let (parts, ()) = head.into_parts();
        let mut headers = parts.headers;
        for name in &UNFIT {
            headers.remove(name);
        }
        let mut frame = Headers::new(self.id.into(), Pseudo::response(parts.status), headers);
        if ends {
            frame.set_end_stream();
        }
        self.send(ends, |stream| stream.head = Some(frame.into()))
    }

    /// Sends the next part of the body, and wakes this task when the stream is closed. There must be
    /// [room](Self::poll_room), or `chunk` the first since there was.
    pub(in crate::connection) fn send_data(&self, chunk: D, ends: bool, cx: &Context<'_>) -> Result<(), Closed> {
        self.send(ends, |stream| {
            stream.chunk = Some(chunk);
            stream.is_busy = true;
            wait(&mut stream.sender, cx);
        })
    }

    /// Sends what follows the body.
    pub(in crate::connection) fn send_trailers(&self, trailers: HeaderMap) -> Result<(), Closed> {
        let frame = Headers::trailers(self.id.into(), trailers);
        self.send(true, |stream| stream.trailers = Some(frame.into()))
    }

    fn send(&self, ends: bool, add: impl FnOnce(&mut Stream<D>)) -> Result<(), Closed> {
        let is_open = self.streams.lock().send(self.id, |stream| {
            stream.ends |= ends;
            add(stream);
        });
        if is_open { Ok(()) } else { Err(Closed) }
    }

    /// Waits until all that was sent is on its way.
    pub(in crate::connection) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut streams = self.streams.lock();
        let Some(stream) = streams.get(self.id) else { return Poll::Ready(Err(Closed)) };
        if !stream.is_busy {
            return Poll::Ready(Ok(()));
        }
        stream.wants_room = true;
        wait(&mut stream.sender, cx);
        Poll::Pending
    }

    /// Waits until the stream is closed.
    pub(in crate::connection) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut streams = self.streams.lock();
        let Some(stream) = streams.get(self.id) else { return Poll::Ready(()) };
        wait(&mut stream.sender, cx);
        Poll::Pending
    }

    /// Ends the stream without the rest of its answer.
    pub(in crate::connection) fn reset(&self, reason: Reason) {
        let mut streams = self.streams.lock();
        if streams.get(self.id).is_some() {
            streams.reset(self.id, reason);
        }
    }
}

impl<D: Outgoing> Drop for Sender<D> {
    fn drop(&mut self) {
        let mut streams = self.streams.lock();
        if streams.get(self.id).is_some_and(|stream| !stream.ends) {
            streams.reset(self.id, Reason::CANCEL);
        }
    }
}

/// The side of a stream that a request's body comes from. What is left of it when this is dropped is ignored.
pub(in crate::connection) struct Receiver {
    id: u32,
    streams: Arc<dyn Receiving>,
}

impl Receiver {
    pub(super) fn new<D: Outgoing>(id: u32, streams: &Arc<Mutex<Streams<D>>>) -> Self {
        Self { id, streams: Arc::clone(streams) as _ }
    }

    /// The next part of the body. By that the client may send as much more.
    pub(in crate::connection) fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        self.streams.poll_data(self.id, cx)
    }

    /// What followed a body that has been read to its end.
    pub(in crate::connection) fn take_trailers(&self) -> Option<HeaderMap> {
        self.streams.take_trailers(self.id)
    }

    /// Whether nothing is left.
    pub(in crate::connection) fn is_read(&self) -> bool {
        self.streams.is_read(self.id)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.streams.abandon(self.id);
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Streams of which a request's body can be read, whatever they send.
trait Receiving: Send + Sync {
    fn poll_data(&self, id: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>>;
    fn take_trailers(&self, id: u32) -> Option<HeaderMap>;
    fn is_read(&self, id: u32) -> bool;
    fn abandon(&self, id: u32);
}

impl<D: Outgoing> Receiving for Mutex<Streams<D>> {
    fn poll_data(&self, id: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        self.lock().poll_data(id, cx)
    }

    fn take_trailers(&self, id: u32) -> Option<HeaderMap> {
        self.lock().take_trailers(id)
    }

    fn is_read(&self, id: u32) -> bool {
        self.lock().is_read(id)
    }

    fn abandon(&self, id: u32) {
        self.lock().abandon(id);
    }
}
