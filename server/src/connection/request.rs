//! A request on its connection: counted from its head to the end of its answer.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::{Service, ServiceExt, util::Oneshot};

use super::Connection;
use crate::stream::Link;

/// The header `server` of every answer.
const SERVER: HeaderValue = HeaderValue::from_static(concat!("poke-server/", env!("CARGO_PKG_VERSION")));

/// What hyper calls for each request of one connection.
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) connection: Arc<Connection>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Requests<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<Counted<B>>;
    type Error = Infallible;
    type Future = Answering<Oneshot<S, Request<Incoming>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let link: Arc<dyn Link> = Arc::clone(&self.connection) as _;
        request.extensions_mut().insert(link);
        let open = OpenRequest::begin(&self.connection);
        Answering { answer: self.service.clone().oneshot(request), open: Some(open) }
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
