//! What comes on streams, and is read by those who answer.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::{
    Reason,
    frame::{Data, Headers, Pseudo},
};
use http::{HeaderMap, Response};

use super::{
    super::{
        super::{exchange::Outgoing, too_large},
        OUTGOING,
        head::{content_length, head_size, request},
        stream::{Inbox, Misfit, Stream},
    },
    CONNECTION_WINDOW, Fault, Note, Received, Streams, find,
};
use crate::wire;

impl<D: Outgoing> Streams<D> {
    /// Takes a request's head, or its trailers. Returns a request that is new, and answers one whose head is too large.
    pub(in crate::connection::http2) fn receive_headers(
        &mut self,
        headers: Headers,
    ) -> Result<Option<Received>, Fault> {
        let id = u32::from(headers.stream_id());
        if id > self.bound {
            return Ok(None);
        }
        let limit = self.header_limit;
        if let Some(stream) = self.get(id) {
            receive_trailers(id, stream, headers, limit)?;
            self.settle(id);
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
            self.dismiss();
        }
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
        let is_too_large = is_over_size || head_size(&pseudo, &fields) > limit;
        let request = match is_too_large {
            true => Err(too_large::answer(pseudo.method.as_ref(), &fields, limit)),
            false => Ok(request(pseudo, fields, self.is_unix).map_err(malformed)?),
        };
        self.open.push((id, Box::new(Stream::new(self.first_credit, inbox))));
        Ok(Some(match request {
            Ok(request) => Received::Request((id, request.map(|()| length))),
            Err(answer) => {
                self.answer(id, answer);
                Received::TooLarge
            }
        }))
    }

    /// Sends a whole answer.
    fn answer(&mut self, id: u32, answer: Response<wire::Body>) {
        let (parts, body) = answer.into_parts();
        let mut head = Headers::new(id.into(), Pseudo::response(parts.status), parts.headers);
        let data = body.into_data();
        if data.is_none() {
            head.set_end_stream();
        }
        self.send(id, |stream| {
            stream.head = Some(Box::new(head));
            stream.chunk = data.map(Into::into);
            stream.ends = true;
        });
    }

    /// Takes a DATA frame that counts as this many bytes of the windows.
    pub(in crate::connection::http2) fn receive_data(&mut self, frame: &Data, counted: usize) -> Result<(), Fault> {
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
        self.settle(id);
        Ok(())
    }

    /// The client has reset a stream.
    pub(in crate::connection::http2) fn receive_reset(&mut self, id: u32) -> Result<(), Fault> {
        self.ensure_begun(id)?;
        self.close(id);
        Ok(())
    }

    /// The client takes more on a stream, or on all of them.
    pub(in crate::connection::http2) fn receive_credit(&mut self, id: u32, more: u32) -> Result<(), Fault> {
        if id == 0 {
            grown(self.credit, more.into()).ok_or(Reason::FLOW_CONTROL_ERROR)?;
            self.gain(more as usize);
            return Ok(());
        }
        self.ensure_begun(id)?;
        let Some(stream) = find(&mut self.open, id) else { return Ok(()) };
        stream.credit = grown(stream.credit, more.into()).ok_or(Fault::Stream(id, Reason::FLOW_CONTROL_ERROR))?;
        stream.enqueue(id, &mut self.queue);
        Ok(())
    }

    /// The client takes as much on each stream that is new, and more or less as many more on the others.
    pub(in crate::connection::http2) fn set_first_credit(&mut self, credit: u32) -> Result<(), Fault> {
        let more = i64::from(credit) - std::mem::replace(&mut self.first_credit, credit.into());
        for (id, stream) in &mut self.open {
            stream.credit = grown(stream.credit, more).ok_or(Reason::FLOW_CONTROL_ERROR)?;
            stream.enqueue(*id, &mut self.queue);
        }
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
    pub(super) fn regain(&mut self, read: usize) {
        self.read += read;
        if self.read >= CONNECTION_WINDOW as usize / 2 {
            self.room += self.read;
            let more = u32::try_from(std::mem::take(&mut self.read)).unwrap_or(u32::MAX);
            self.notes.push_back(Note::Credit(0, more));
            self.gate.ring(OUTGOING);
        }
    }

    /// The next part of a request's body. Ready with `None` at its end.
    pub(in crate::connection::http2) fn poll_data(
        &mut self,
        id: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let Some(stream) = self.get(id) else { return Poll::Ready(Some(Err(Reason::CANCEL.into()))) };
        let Some(inbox) = &mut stream.request else { return Poll::Ready(None) };
        let Some(data) = inbox.take() else {
            if inbox.is_abandoned() {
                return Poll::Ready(Some(Err(Reason::CANCEL.into())));
            }
            if inbox.is_whole() {
                return Poll::Ready(None);
            }
            inbox.wait(cx);
            return Poll::Pending;
        };
        if let Some(more) = inbox.regain() {
            self.notes.push_back(Note::Credit(id, more));
            self.gate.ring(OUTGOING);
        }
        self.forget_request(id);
        self.regain(data.len());
        Poll::Ready(Some(Ok(data)))
    }

    /// What followed a body that has been read to its end.
    pub(in crate::connection::http2) fn take_trailers(&mut self, id: u32) -> Option<HeaderMap> {
        let trailers = self.get(id)?.request.as_mut()?.take_trailers();
        self.forget_request(id);
        trailers
    }

    /// Whether a request's body has come to its end and been read. One that broke off hasn't.
    pub(in crate::connection::http2) fn is_read(&mut self, id: u32) -> bool {
        self.get(id).is_some_and(|stream| stream.request.is_none())
    }

    /// Nobody reads the request any more.
    pub(in crate::connection::http2) fn abandon(&mut self, id: u32) {
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
}

fn receive_trailers<D>(id: u32, stream: &mut Stream<D>, headers: Headers, limit: usize) -> Result<(), Fault> {
    let Some(inbox) = &mut stream.request else { return Err(Fault::Stream(id, Reason::STREAM_CLOSED)) };
    let is_last = headers.is_end_stream() && !headers.is_over_size();
    let (pseudo, fields) = headers.into_parts();
    if !is_last || pseudo != Default::default() || head_size(&pseudo, &fields) > limit {
        return Err(Fault::Stream(id, Reason::PROTOCOL_ERROR));
    }
    let reader = inbox.end(Some(fields)).map_err(|misfit| misfit.of(id))?;
    reader.into_iter().for_each(Waker::wake);
    Ok(())
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
