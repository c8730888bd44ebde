//! Services that know gRPC alone, for callers of Connect's streaming form: the messages are framed alike, only the head
//! and the end differ.

use std::{
    convert::Infallible,
    future::ready,
    pin::Pin,
    task::{self, Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header::CONTENT_TYPE, request::Parts};
use http_body::Frame;
use tonic::{Code, Status, body::Body, server::NamedService};
use tower::Service;

use super::{
    Protocol, Shape, Unspoken,
    answer::{end_stream, refuse},
};
use crate::error::ConnectError;

/// A service of tonic's that takes Connect's streaming calls in protobuf as well.
#[derive(Clone)]
pub struct Bridge<S>(pub S);

impl<S: NamedService> NamedService for Bridge<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Bridge<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (head, body) = request.into_parts();
        // tonic would take any method, and what only begins like a media type of gRPC's.
        let is_connect = match Protocol::of(&head, Shape::Stream) {
            Ok(Protocol::ConnectStream) => true,
            Ok(Protocol::ConnectJsonStream) => return refused(Unspoken::Codec(Protocol::ConnectJsonStream), &head),
            Ok(_) => false,
            Err(unspoken) => return refused(unspoken, &head),
        };
        let mut request = Request::from_parts(head, body);
        if is_connect {
            speak_grpc(&mut request);
        }
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(if is_connect { speak_connect(answer) } else { answer })
        })
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

fn refused(unspoken: Unspoken, head: &Parts) -> Answering {
    let answer = refuse(unspoken, Shape::Stream, &head.method).map(Body::new);
    Box::pin(ready(Ok(answer)))
}

const NAMES: [(&str, &str); 2] =
    [("connect-content-encoding", "grpc-encoding"), ("connect-accept-encoding", "grpc-accept-encoding")];

fn speak_grpc(request: &mut Request<Body>) {
    // The trailers don't reach the client, so it needs no HTTP/2.
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    for (connect, grpc) in NAMES {
        rename(headers, connect, grpc);
    }
}

fn speak_connect(answer: Response<Body>) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    for (connect, grpc) in NAMES {
        rename(&mut head.headers, grpc, connect);
    }
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(Protocol::ConnectStream.content_type()));
    // An answer without messages has its end in the head.
    let end = take_status(&mut head.headers);
    Response::from_parts(
        head,
        Body::new(Ending { body: if end.is_some() { Body::empty() } else { body }, end, is_over: false }),
    )
}

fn take_status(headers: &mut HeaderMap) -> Option<Status> {
    let status = Status::from_header_map(headers);
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        headers.remove(name);
    }
    status
}

fn rename(headers: &mut HeaderMap, from: &'static str, to: &'static str) {
    if let Some(value) = headers.remove(from) {
        headers.insert(HeaderName::from_static(to), value);
    }
}

/// A body whose trailers become Connect's end of a stream.
struct Ending {
    body: Body,
    end: Option<Status>,
    is_over: bool,
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let (status, trailers) = match task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_trailers() {
                Ok(mut trailers) => (take_status(&mut trailers), trailers),
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            },
            Some(Err(status)) => (Some(status), HeaderMap::new()),
            None => (self.end.take(), HeaderMap::new()),
        };
        self.is_over = true;
        let status = status.unwrap_or_else(|| Status::unknown("the service ended without a status"));
        let error = (status.code() != Code::Ok).then(|| ConnectError::of(&status));
        Poll::Ready(Some(Ok(Frame::data(end_stream(error, &trailers)))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
