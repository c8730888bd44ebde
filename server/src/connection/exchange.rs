//! One exchange of an HTTP/2 connection: a request, and its answer into the frames of its stream.

use std::{
    cell::RefCell,
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Buf, Bytes};
use h2::{Reason, SendStream, server::SendResponse};
use http::{HeaderValue, Response, header};
use http_body::Body;

use crate::{error::causes, stream::Chunk};

/// A part of an answer's body.
pub trait Outgoing: Buf + From<Bytes> + Send + Unpin + 'static {
    /// Whether the body gives no more until this one has been written. Then it is handed over at once, and whoever made
    /// it sees to a client that doesn't read.
    fn is_awaited(&self) -> bool;
}

impl Outgoing for Bytes {
    fn is_awaited(&self) -> bool {
        false
    }
}

impl Outgoing for Chunk {
    fn is_awaited(&self) -> bool {
        self.is_awaited()
    }
}

/// Sends the answer when it is there, and its body to the end, unless the client resets the stream.
///
/// What makes the answer, and the answer's body, are boxed: an open stream, of which there are many, holds the smaller of
/// them only, and nothing of the way there. An async function would keep room for both.
pub(super) enum Exchange<A, B>
where
    B: Body,
    B::Data: Outgoing,
{
    /// The answer is being made.
    Answering(Pin<Box<A>>, SendResponse<B::Data>),
    /// The body is on its way.
    Sending(Pin<Box<B>>, Sending<B::Data>),
}

impl<A, B> Exchange<A, B>
where
    A: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
    B::Data: Outgoing,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(super) fn new(answer: A, respond: SendResponse<B::Data>) -> Self {
        Self::Answering(Box::pin(answer), respond)
    }

    /// Begins to send an answer. `None` if that was all.
    fn send(answer: Response<B>, respond: &mut SendResponse<B::Data>) -> Option<Self> {
        let (head, body) = answer.into_parts();
        let mut head = Response::from_parts(head, ());
        let is_whole = body.is_end_stream();
        complete(&mut head, if is_whole { None } else { body.size_hint().exact() });
        match respond.send_response(head, is_whole) {
            Ok(_) if is_whole => None,
            Ok(stream) => Some(Self::Sending(Box::pin(body), Sending { stream, waiting: None })),
            Err(error) => {
                tracing::debug!(%error, "an answer can't be sent");
                respond.send_reset(Reason::INTERNAL_ERROR);
                None
            }
        }
    }
}

impl<A, B> Future for Exchange<A, B>
where
    A: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
    B::Data: Outgoing,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut *self {
                Self::Sending(body, sending) => return sending.poll(body.as_mut(), cx),
                Self::Answering(answer, respond) => {
                    let Poll::Ready(Ok(answer)) = answer.as_mut().poll(cx) else {
                        return respond.poll_reset(cx).map(drop);
                    };
                    let Some(sending) = Self::send(answer, respond) else { return Poll::Ready(()) };
                    *self = sending;
                }
            }
        }
    }
}

/// Adds what every answer has (RFC 9110, sections 6.6.1 and 8.6).
fn complete(head: &mut Response<()>, length: Option<u64>) {
    let headers = head.headers_mut();
    headers.entry(header::DATE).or_insert_with(date);
    if let Some(length) = length {
        headers.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
    }
}

/// The time of day. Written once a second.
fn date() -> HeaderValue {
    thread_local! {
        static DATE: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(""))) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(written, date)| {
        if *written != second {
            *written = second;
            // It is ASCII.
            *date = HeaderValue::try_from(httpdate::fmt_http_date(now)).unwrap_or(HeaderValue::from_static(""));
        }
        date.clone()
    })
}

/// The body of an answer on its way into a stream.
pub(super) struct Sending<D: Outgoing> {
    stream: SendStream<D>,
    /// What has no room yet, and whether it is the last.
    waiting: Option<(D, bool)>,
}

impl<D: Outgoing> Sending<D> {
    /// Ready when the stream has ended, in whatever way.
    fn poll<B>(&mut self, mut body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<()>
    where
        B: Body<Data = D>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        loop {
            let step = match self.waiting {
                Some(_) => self.poll_room(cx),
                None => self.poll_body(body.as_mut(), cx),
            };
            match step {
                Poll::Ready(Ok(false)) => {}
                // The end, or the client is gone.
                Poll::Ready(_) => return Poll::Ready(()),
                // Only when there is nothing else to do: it has to be asked for anew each time.
                Poll::Pending => return self.stream.poll_reset(cx).map(drop),
            }
        }
    }

    /// Sends the next part. Says whether that was all.
    fn poll_body<B>(&mut self, mut body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Result<bool, h2::Error>>
    where
        B: Body<Data = D>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let frame = match ready!(body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.stream.send_reset(reason(&*error.into()));
                return Poll::Ready(Ok(true));
            }
            None => return Poll::Ready(self.stream.send_data(Bytes::new().into(), true).map(|()| true)),
        };
        let is_last = body.is_end_stream();
        Poll::Ready(match frame.into_data() {
            Ok(data) if data.is_awaited() || !data.has_remaining() => {
                self.stream.send_data(data, is_last).map(|()| is_last)
            }
            Ok(data) => {
                // No more than it takes to be told of room: what is reserved is lost to other streams.
                self.stream.reserve_capacity(1);
                self.waiting = Some((data, is_last));
                Ok(false)
            }
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => self.stream.send_trailers(trailers).map(|()| true),
                Err(_) => Ok(is_last),
            },
        })
    }

    /// Sends what waits when there is room for it. Says whether that was all.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, h2::Error>> {
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(room) => _ = room?,
                None => return Poll::Ready(Ok(true)),
            }
        }
        let Some((data, is_last)) = self.waiting.take() else { return Poll::Ready(Ok(false)) };
        Poll::Ready(self.stream.send_data(data, is_last).map(|()| is_last))
    }
}

/// Why a body can't go on, as its client is told.
fn reason(error: &(dyn Error + 'static)) -> Reason {
    let named = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()?.reason());
    named.unwrap_or(Reason::INTERNAL_ERROR)
}
