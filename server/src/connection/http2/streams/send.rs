//! What streams have to send, in turn.

use std::task::Waker;

use bytes::Bytes;

use super::{
    super::{super::exchange::Outgoing, stream::Stream},
    Part, Streams, find,
};

/// What a stream may send until it is another's turn, and that of answers to pings: as much as a socket takes at first.
const AT_ONCE: usize = 64 << 10;

impl<D: Outgoing> Streams<D> {
    /// Adds something to what a stream has to send. Says whether there is such a stream.
    pub(in crate::connection::http2) fn send(&mut self, id: u32, add: impl FnOnce(&mut Stream<D>)) -> bool {
        let Some(stream) = find(&mut self.open, id) else { return false };
        add(stream);
        stream.enqueue(id, &mut self.queue);
        true
    }

    /// What is to be sent next, if anything is that may be. A chunk comes back by [`Streams::sent`].
    pub(in crate::connection::http2) fn next(&mut self) -> Option<Part<D>> {
        while let Some(&id) = self.queue.front() {
            let credit = self.credit;
            let Some(stream) = find(&mut self.open, id).filter(|stream| !stream.is_answered) else {
                self.queue.pop_front();
                continue;
            };
            if let Some(head) = stream.head.take() {
                if head.is_end_stream() {
                    stream.is_queued = false;
                    self.queue.pop_front();
                    self.finish(id);
                }
                return Some(Part::Headers(head));
            }
            let size = stream.chunk.as_ref().map_or(0, D::remaining);
            let granted = size.min(AT_ONCE).min(usize::try_from(stream.credit.min(credit)).unwrap_or(0));
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
    pub(in crate::connection::http2) fn sent(&mut self, id: u32, rest: D, ended: bool) {
        if ended {
            return self.finish(id);
        }
        let Some(stream) = find(&mut self.open, id) else { return };
        if rest.has_remaining() {
            stream.chunk = Some(rest);
        } else {
            // It tells whoever waits for it.
            drop(rest);
            stream.make_room().into_iter().for_each(Waker::wake);
        }
        if !stream.is_sent() || stream.ends {
            stream.enqueue(id, &mut self.queue);
        }
    }

    /// A part of a chunk hasn't been written, as what the client takes has changed.
    pub(in crate::connection::http2) fn take_back(&mut self, id: u32, chunk: D, granted: usize) {
        self.gain(granted);
        self.send(id, |stream| {
            stream.credit += granted as i64;
            stream.chunk = Some(chunk);
        });
    }

    /// The client takes as much more on all streams, or as much of what it takes wasn't used.
    pub(in crate::connection::http2) fn gain(&mut self, credit: usize) {
        self.credit += credit as i64;
        self.queue.extend(self.starved.drain(..));
    }
}
