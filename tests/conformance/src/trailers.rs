//! Trailers of a service's own: tonic has no way to send any with success, but the suites want them.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

/// What a handler puts into the extensions of its answer, to be added to the trailers.
#[derive(Clone, Debug)]
pub(crate) struct Trailers(pub(crate) HeaderMap);

/// A service whose answers may have [`Trailers`].
#[derive(Clone)]
pub(crate) struct Trailing<S>(pub(crate) S);

impl<S: NamedService> NamedService for Trailing<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Trailing<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            Ok(match answer.extensions_mut().remove::<Trailers>() {
                Some(Trailers(more)) => answer.map(|body| Body::new(Extended { body, more })),
                None => answer,
            })
        })
    }
}

struct Extended {
    body: Body,
    more: HeaderMap,
}

impl http_body::Body for Extended {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else { return Poll::Ready(None) };
        let mut frame = frame;
        if let Some(trailers) = frame.trailers_mut() {
            trailers.extend(std::mem::take(&mut self.more));
        }
        Poll::Ready(Some(Ok(frame)))
    }
}
