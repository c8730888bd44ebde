//! PokeService at the edge: from an HTTP request into the core, and the answer back out.
//!
//! A tower service and not tonic's, so that one path serves gRPC, gRPC-Web and Connect, and a stream's body is the
//! core's own. Here requests are validated; what the core gets is known to be sound.

mod answer;
mod end_interest;
mod publish;
mod submission;
mod subscribe;

#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use tokio::time::{Instant, timeout_at};
use tonic::server::NamedService;
use tower::Service;

pub use self::answer::Answer;
use crate::{
    auth::{Auth, Caller},
    backplane::Backplane,
    domain::{Audience, Domain, Domains},
    error::{Error, Faults, Kind, Size},
    frame::MAX_POKE_BYTES,
    limits::{Limits, Memory},
    metrics::Shed,
    stream::{Link, Streams},
    wire::{self, Intake, Limit, Protocol, Shape, UnaryRequest, UnaryResponse, Unspoken},
};

/// A request to Publish or EndInterest. A poke has at most an eighth of it, but it comes in encodings larger than ours.
const UNARY_LIMIT: Limit = Limit { bytes: 1 << 20, exceeded: |_, most| too_large(Size::MoreThan(most)) };

fn too_large(size: Size) -> Kind {
    Kind::PokeTooLarge { size, limit: MAX_POKE_BYTES }
}

/// `poke.v1.PokeService`. Clones share everything.
pub struct PokeService<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    domains: Arc<Domains>,
    auth: Arc<Auth>,
    streams: Arc<Streams<B>>,
    intake: Intake,
    memory: Arc<Memory>,
    request_timeout: Duration,
}

impl<B: Backplane> PokeService<B> {
    /// A service of these domains on the backplane of these streams. A unary call, or the reading of a Subscribe's
    /// request, takes at most the limits' `request_timeout`, and all that are being read `request_bytes`: whoever sends
    /// a byte now and then must not hold memory for ever. While `memory` is short, new streams and calls are refused.
    ///
    /// A stream finds its connection in the extensions of its request, as an `Arc<dyn Link>`.
    #[must_use]
    pub fn new(
        domains: Arc<Domains>,
        auth: Arc<Auth>,
        streams: Arc<Streams<B>>,
        limits: &Limits,
        memory: Arc<Memory>,
    ) -> Self {
        let intake = Intake::new(limits.request_bytes, streams.metrics().request_bytes.clone());
        let request_timeout = limits.request_timeout;
        Self { shared: Arc::new(Shared { domains, auth, streams, intake, memory, request_timeout }) }
    }
}

impl<B> Clone for PokeService<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<B> NamedService for PokeService<B> {
    const NAME: &'static str = "poke.v1.PokeService";
}

impl<B, Q> Service<Request<Q>> for PokeService<B>
where
    B: Backplane,
    Q: Body<Data = Bytes> + Send + 'static,
    Q::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Answer<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer<B>>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(shared.serve(request).await) })
    }
}

impl<B: Backplane> Shared<B> {
    async fn serve<Q>(&self, request: Request<Q>) -> Response<Answer<B>>
    where
        Q: Body<Data = Bytes> + Send,
        Q::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        match head.uri.path() {
            "/poke.v1.PokeService/Publish" => {
                self.unary(&head, body, |call| self.publish(call)).await.map(Answer::from)
            }
            "/poke.v1.PokeService/EndInterest" => {
                self.unary(&head, body, |call| self.end_interest(call)).await.map(Answer::from)
            }
            "/poke.v1.PokeService/Subscribe" => self.subscribe(&head, body).await,
            _ => unknown_method(&head).map(Answer::from),
        }
    }

    /// Reads a request, handles it and answers, all within its deadline.
    async fn unary<T, Q, A, F>(&self, head: &Parts, body: T, handle: impl FnOnce(Call<Q>) -> F) -> Response<wire::Body>
    where
        T: Body<Data = Bytes>,
        T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        Q: UnaryRequest,
        A: UnaryResponse,
        F: Future<Output = Result<A, Error>>,
    {
        let protocol = match Protocol::of(head, Shape::Unary) {
            Ok(protocol) => protocol,
            Err(unspoken) => return wire::refuse(unspoken, Shape::Unary, &head.method),
        };
        let began = Instant::now();
        let answer = async {
            let deadline = self.deadline(protocol, head)?;
            if self.streams.is_draining() {
                return Err(Kind::ShuttingDown.into());
            }
            if !self.memory.has_room_for(Shed::Call) {
                return Err(Kind::Overloaded.into());
            }
            let mut faults = Faults::default();
            let handled = async {
                let caller = self.caller(head).await;
                // It is read all the same: several clients that are answered while they send never see the answer.
                let request = protocol.read_unary(&head.headers, body, &self.intake, UNARY_LIMIT, &mut faults).await;
                let (caller, request) = (caller?, request?);
                // A deadline that passed while the request was read: nothing is done that nobody waits for.
                if Instant::now() >= deadline {
                    return Err(Kind::Deadline.into());
                }
                handle(Call { caller, request, faults, began, deadline }).await
            };
            timeout_at(deadline, handled).await.map_err(|_| Error::from(Kind::Deadline))?
        };
        match answer.await {
            Ok(answer) => protocol.answer(&answer),
            Err(error) => {
                self.streams.metrics().publish_refused.inc(i32::from(error.code()).into());
                if let Kind::RateLimited { whose, .. } = error.kind() {
                    self.streams.metrics().rate_limited.inc(whose.into());
                }
                log(&error);
                protocol.error(&error)
            }
        }
    }

    /// When the caller, or the server, stops waiting for the request and its handling.
    ///
    /// # Errors
    /// A time that can't be read; [`Kind::Deadline`] for none at all.
    fn deadline(&self, protocol: Protocol, head: &Parts) -> Result<Instant, Error> {
        let timeout = protocol.timeout(&head.headers)?.unwrap_or(Duration::MAX);
        if timeout.is_zero() {
            return Err(Kind::Deadline.into());
        }
        Ok(Instant::now() + timeout.min(self.request_timeout))
    }

    /// Who makes the request.
    async fn caller(&self, head: &Parts) -> Result<Caller, Error> {
        let link = head.extensions.get::<Arc<dyn Link>>();
        self.auth.caller(&head.headers, link.and_then(|link| link.identity().cloned())).await
    }

    /// A domain, if it is for that audience.
    fn domain_for(&self, name: &str, audience: Audience) -> Result<Arc<Domain>, Error> {
        let domain = self.domains.get(name).ok_or(Kind::UnknownDomain)?;
        if domain.audience == audience { Ok(domain) } else { Err(Kind::WrongAudience.into()) }
    }
}

/// A unary call as its handler gets it.
struct Call<Q> {
    caller: Caller,
    request: Q,
    /// What reading it has already found to be wrong.
    faults: Faults,
    /// When its head had come.
    began: Instant,
    deadline: Instant,
}

/// The protocol of a request to any method.
pub(crate) fn spoken(head: &Parts) -> Option<Protocol> {
    [Shape::Unary, Shape::Stream].into_iter().find_map(|shape| match Protocol::of(head, shape) {
        Ok(protocol) | Err(Unspoken::Codec(protocol)) => Some(protocol),
        Err(Unspoken::Http(_)) => None,
    })
}

/// In the caller's protocol, if it speaks any.
pub(crate) fn unknown_method(head: &Parts) -> Response<wire::Body> {
    match spoken(head) {
        Some(protocol) => protocol.error(&Kind::UnknownMethod.into()),
        None if head.uri.path() == "/" && [Method::GET, Method::HEAD].contains(&head.method) => {
            wire::note(StatusCode::OK, INTRODUCTION, &head.method)
        }
        None => wire::refuse(Unspoken::Http(StatusCode::NOT_FOUND), Shape::Unary, &head.method),
    }
}

/// For whoever looks with a browser.
const INTRODUCTION: &str = concat!(
    "poke-server ",
    env!("CARGO_PKG_VERSION"),
    ", which speaks gRPC, gRPC-Web and Connect. To send a poke, POST application/json to /poke.v1.PokeService/Publish."
);

/// A caller's mistakes are the caller's business: only what the server did wrong is worth a line by itself.
fn log(error: &Error) {
    let cause = std::error::Error::source(error).map(tracing::field::display);
    if error.kind() == Kind::Internal {
        tracing::error!(cause, "a call failed");
    } else {
        tracing::debug!(reason = error.reason(), cause, "a call was refused");
    }
}
