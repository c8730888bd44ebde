//! What a call is answered with.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    backplane::Backplane,
    stream::{Chunk, Stream},
    wire,
};

/// The body of an answer.
pub enum Answer<B: Backplane> {
    /// It is known as a whole.
    Whole(wire::Body),
    /// A stream. Boxed, since most calls have none.
    Stream(Box<Stream<B>>),
}

impl<B: Backplane> From<wire::Body> for Answer<B> {
    fn from(body: wire::Body) -> Self {
        Self::Whole(body)
    }
}

impl<B: Backplane> Body for Answer<B> {
    type Data = Chunk;
    type Error = h2::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, h2::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => {
                let frame = Pin::new(body).poll_frame(cx).map_ok(|frame| frame.map_data(Bytes::into));
                frame.map_err(|never| match never {})
            }
            Self::Stream(stream) => Pin::new(stream.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}
