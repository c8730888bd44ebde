//! One exchange of an HTTP/2 connection: a request, and its answer into the frames of its stream.

use std::{
    cell::RefCell,
    convert::Infallible,
    error::Error,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Buf, Bytes};
use h2::Reason;
use http::{HeaderValue, Response, header};
use http_body::Body;

use super::http2::{Closed, Sender};
use crate::{error::causes, stream::Chunk};

/// A part of an answer's body.
pub trait Outgoing: Buf + From<Bytes> + Send + Unpin + 'static {
    /// Whether the body gives no more until this one has been written, without being told. Whoever made it sees to a
    /// client that doesn't read.
    fn is_awaited(&self) -> bool;

    /// Whether the body is to be asked for more before it wakes anybody. Of others there is nothing to be had now.
    fn is_followed(&self) -> bool;

    /// The bytes that are left, in parts.
    fn part(&self, number: usize) -> Option<&[u8]>;
}

impl Outgoing for Bytes {
    fn is_awaited(&self) -> bool {
        false
    }

    fn is_followed(&self) -> bool {
        true
    }

    fn part(&self, number: usize) -> Option<&[u8]> {
        (number == 0).then_some(self)
    }
}

impl Outgoing for Chunk {
    fn is_awaited(&self) -> bool {
        self.is_awaited()
    }

    fn is_followed(&self) -> bool {
        self.is_followed()
    }

    fn part(&self, number: usize) -> Option<&[u8]> {
        self.part(number)
    }
}

/// Sends the answer when it is there, and its body to the end, unless the client resets the stream.
pub(super) struct Exchange<A, B>
where
    B: Body,
    B::Data: Outgoing,
{
    sender: Sender<B::Data>,
    answer: Answer<A, B>,
}

/// What makes the answer, and the answer's body, are boxed: an open stream, of which there are many, holds the smaller of
/// them only, and nothing of the way there. An async function would keep room for both.
enum Answer<A, B> {
    /// It is being made.
    Awaited(Pin<Box<A>>),
    /// The body is on its way, and whether the next part of it has to wait until there is room.
    Begun(Pin<Box<B>>, bool),
}

impl<A, B> Exchange<A, B>
where
    A: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
    B::Data: Outgoing,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(super) fn new(answer: A, sender: Sender<B::Data>) -> Self {
        Self { sender, answer: Answer::Awaited(Box::pin(answer)) }
    }

    /// Looks at what its next turn begins with. The processor fetches all of it at once, while the turn, which has atomic
    /// steps between, would wait for each by itself.
    pub(super) fn warm(&self) {
        if let Answer::Begun(body, _) = &self.answer {
            black_box(body.is_end_stream());
        }
        self.sender.warm();
    }

    /// Takes the next step.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, Closed>> {
        match &mut self.answer {
            Answer::Awaited(answer) => {
                let Ok(answer) = ready!(answer.as_mut().poll(cx));
                self.begin(answer)
            }
            Answer::Begun(_, waits @ true) => {
                ready!(self.sender.poll_room(cx))?;
                *waits = false;
                Poll::Ready(Ok(Step::More))
            }
            Answer::Begun(body, waits) => poll_body(&self.sender, body.as_mut(), waits, cx),
        }
    }

    fn begin(&mut self, answer: Response<B>) -> Poll<Result<Step, Closed>> {
        let (head, body) = answer.into_parts();
        let mut head = Response::from_parts(head, ());
        let is_whole = body.is_end_stream();
        complete(&mut head, if is_whole { None } else { body.size_hint().exact() });
        self.sender.send_head(head, is_whole)?;
        self.answer = Answer::Begun(Box::pin(body), false);
        Poll::Ready(Ok(Step::last_if(is_whole)))
    }
}

/// How an answer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// At once.
    More,
    /// When whoever makes the body has something, or the stream is closed: both will wake the exchange.
    Later,
    /// It doesn't.
    Last,
}

impl Step {
    fn last_if(is_last: bool) -> Self {
        if is_last { Self::Last } else { Self::More }
    }
}

/// Sends the next part.
fn poll_body<B>(
    sender: &Sender<B::Data>,
    mut body: Pin<&mut B>,
    waits: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Result<Step, Closed>>
where
    B: Body,
    B::Data: Outgoing,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let frame = match ready!(body.as_mut().poll_frame(cx)) {
        Some(Ok(frame)) => frame,
        Some(Err(error)) => {
            sender.reset(reason(&*error.into()));
            return Poll::Ready(Ok(Step::Last));
        }
        None => return Poll::Ready(sender.send_data(Bytes::new().into(), true, cx).map(|()| Step::Last)),
    };
    let is_last = body.is_end_stream();
    Poll::Ready(match frame.into_data() {
        Ok(data) => {
            *waits = !data.is_awaited();
            let step = if data.is_followed() || is_last { Step::last_if(is_last) } else { Step::Later };
            sender.send_data(data, is_last, cx).map(|()| step)
        }
        Err(frame) => match frame.into_trailers() {
            Ok(trailers) => sender.send_trailers(trailers).map(|()| Step::Last),
            Err(_) => Ok(Step::last_if(is_last)),
        },
    })
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
            match self.poll_step(cx) {
                Poll::Ready(Ok(Step::More)) => {}
                Poll::Ready(Ok(Step::Later)) => return Poll::Pending,
                // The end, or the client is gone.
                Poll::Ready(Ok(Step::Last) | Err(Closed)) => return Poll::Ready(()),
                Poll::Pending => return self.sender.poll_closed(cx),
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

/// Why a body can't go on, as its client is told.
fn reason(error: &(dyn Error + 'static)) -> Reason {
    let named = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()?.reason());
    named.unwrap_or(Reason::INTERNAL_ERROR)
}
