//! A request on its connection: how its body comes in, and how its answer is counted.

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::{Service, ServiceExt, util::Oneshot};

use super::{Connection, http2::Receiver};
use crate::stream::Link;

/// The header `server` of every answer.
const SERVER: HeaderValue = HeaderValue::from_static(concat!("poke-server/", env!("CARGO_PKG_VERSION")));

/// The body of a request.
pub struct Inbound(Source);

enum Source {
    /// HTTP/1.1, and whether it has been read to its end.
    Http1(Incoming, Arc<AtomicBool>),
    /// HTTP/2, and how long the client says that it is.
    Http2(Receiver, Option<u64>),
}

impl Inbound {
    /// Sets `is_read` when it has come to its end.
    fn http1(body: Incoming, is_read: Arc<AtomicBool>) -> Self {
        is_read.store(body.is_end_stream(), Relaxed);
        Self(Source::Http1(body, is_read))
    }

    pub(super) fn http2(body: Receiver, length: Option<u64>) -> Self {
        Self(Source::Http2(body, length))
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Source::Http1(body, is_read) => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                if frame.is_none() || body.is_end_stream() {
                    is_read.store(true, Relaxed);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Source::Http2(body, _) => Poll::Ready(match ready!(body.poll_data(cx)) {
                Some(data) => Some(data.map(Frame::data).map_err(Into::into)),
                None => body.take_trailers().map(|trailers| Ok(Frame::trailers(trailers))),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Http1(body, _) => body.is_end_stream(),
            Source::Http2(body, _) => body.is_read(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Http1(body, _) => body.size_hint(),
            Source::Http2(_, length) => length.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

/// What is called for each request of one connection.
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) connection: Arc<Connection>,
}

impl<S, B> Requests<S>
where
    S: Service<Request<Inbound>, Response = Response<B>, Error = Infallible> + Clone,
{
    pub(super) fn answer(&self, mut request: Request<Inbound>) -> Answering<Oneshot<S, Request<Inbound>>> {
        let link: Arc<dyn Link> = Arc::clone(&self.connection) as _;
        request.extensions_mut().insert(link);
        let open = OpenRequest::begin(&self.connection);
        Answering { answer: self.service.clone().oneshot(request), open: Some(open), is_read: None }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Inbound>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<Counted<B>>;
    type Error = Infallible;
    type Future = Answering<Oneshot<S, Request<Inbound>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let is_read = Arc::new(AtomicBool::new(false));
        let answering = self.answer(request.map(|body| Inbound::http1(body, Arc::clone(&is_read))));
        Answering { is_read: Some(is_read), ..answering }
    }
}

/// Counts as one open request of its connection until it is dropped.
struct OpenRequest(Arc<Connection>);

impl OpenRequest {
    fn begin(connection: &Arc<Connection>) -> Self {
        connection.begin();
        Self(Arc::clone(connection))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.finish();
    }
}

pin_project! {
    /// A request that has no answer yet.
    pub(super) struct Answering<F> {
        #[pin]
        answer: F,
        open: Option<OpenRequest>,
        // Over HTTP/1.1, whether the request has been read to its end.
        is_read: Option<Arc<AtomicBool>>,
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Counted<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.answer.poll(cx));
        response.headers_mut().insert(header::SERVER, SERVER);
        match this.is_read.as_ref().map(|is_read| is_read.load(Relaxed)) {
            Some(true) => this.open.iter().for_each(|open| open.0.settle()),
            // What is left of the request is in the way of the next one: the connection ends after this answer, and a
            // client that isn't told puts its next request on it (RFC 9112, section 9.6).
            Some(false) => {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            None => {}
        }
        Poll::Ready(Ok(response.map(|body| Counted { body, open: this.open.take() })))
    }
}

pin_project! {
    /// The body of an answer.
    pub(super) struct Counted<B> {
        #[pin]
        body: B,
        open: Option<OpenRequest>,
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
