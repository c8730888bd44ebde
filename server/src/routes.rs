//! What the port serves: pokes, health, reflection, the console; and the rules for browsers.

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{
    TryFutureExt as _,
    future::{Either, MapOk},
};
use http::{HeaderName, HeaderValue, Method, Request, Response, header, request::Parts};
use http_body::{Frame, SizeHint};
use tonic::{body::Body, server::NamedService, service::Routes};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, Service, service_fn};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};

use crate::{
    backplane::Backplane,
    config::{self, Config},
    connection::Inbound,
    console::{self, Console},
    service::{self, Answer, PokeService},
    stream::Chunk,
    wire::Bridge,
};

/// Where the product's own methods lie.
const POKES: &str = "/poke.v1.PokeService/";

/// A day: browsers bound it further.
const PREFLIGHT_AGE: std::time::Duration = std::time::Duration::from_secs(86_400);

/// What a page's script may send, and read of an answer. The protocols' headers; the rest is in messages.
const REQUEST_HEADERS: [&str; 11] = [
    "authorization",
    "connect-content-encoding",
    "connect-accept-encoding",
    "connect-protocol-version",
    "connect-timeout-ms",
    "content-encoding",
    "content-type",
    "grpc-timeout",
    "x-grpc-web",
    "x-user-agent",
    "grpc-accept-encoding",
];
const RESPONSE_HEADERS: [&str; 5] =
    ["grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-accept-encoding", "connect-content-encoding"];

/// All that clients can call. Clones share everything, as there is one for each connection.
pub struct Front<B>(Arc<Inner<B>>);

struct Inner<B> {
    services: Services<B>,
    /// The same for pages of other origins, who have to be told what they may do.
    pages: Cors<Services<B>>,
}

impl<B> Clone for Front<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The services of this configuration, beside `others`.
///
/// # Errors
/// When the descriptors that are built in can't be read.
pub fn front<B: Backplane>(
    config: &Config,
    pokes: PokeService<B>,
    health: HealthServer<impl Health>,
    others: Routes,
    console: Option<Console<B>>,
) -> Result<Front<B>, tonic_reflection::server::Error> {
    let mut routes = add(others, health);
    if config.reflection {
        routes = add(routes, reflection().build_v1()?);
        routes = add(routes, reflection().build_v1alpha()?);
    }
    // Behind all routes, so that it costs calls nothing.
    let console = console.map(Arc::new);
    let elsewhere = service_fn(move |request| elsewhere(request, console.clone()));
    let routes = Routes::from(routes.into_axum_router().fallback_service(elsewhere)).prepare();
    let services = Services { pokes, others: routes };
    Ok(Front(Arc::new(Inner { pages: cors(&config.cors).layer(services.clone()), services })))
}

/// Adds a service of tonic's, for callers of gRPC, gRPC-Web and Connect's streams.
///
/// Each gets its layers on its own: as one of the whole port, gRPC-Web would take over other HTTP/1.1 requests too.
pub(crate) fn add<S>(routes: Routes, service: S) -> Routes
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: NamedService + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    routes.add_service(Bridge(GrpcWebLayer::new().layer(service)))
}

impl<B: Backplane> Service<Request<Inbound>> for Front<B> {
    type Response = Response<Page<B>>;
    type Error = Infallible;
    type Future = Either<Answering<B>, <Cors<Services<B>> as Service<Request<Inbound>>>::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Inbound>) -> Self::Future {
        if request.headers().contains_key(header::ORIGIN) {
            Either::Right(self.0.pages.clone().call(request))
        } else {
            Either::Left(self.0.services.clone().call(request))
        }
    }
}

/// The product, by the short way, and all that comes with it. They are ready at any time.
pub struct Services<B> {
    pokes: PokeService<B>,
    others: Routes,
}

impl<B> Clone for Services<B> {
    fn clone(&self) -> Self {
        Self { pokes: self.pokes.clone(), others: self.others.clone() }
    }
}

pub(crate) type Mapped<S, T> =
    MapOk<<S as Service<Request<Inbound>>>::Future, fn(<S as Service<Request<Inbound>>>::Response) -> T>;
type Answering<B> = Either<Mapped<PokeService<B>, Response<Page<B>>>, Mapped<Routes, Response<Page<B>>>>;

impl<B: Backplane> Service<Request<Inbound>> for Services<B> {
    type Response = Response<Page<B>>;
    type Error = Infallible;
    type Future = Answering<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Inbound>) -> Self::Future {
        if request.uri().path().starts_with(POKES) {
            Either::Left(self.pokes.call(request).map_ok(|answer| answer.map(Page::Pokes)))
        } else {
            Either::Right(self.others.call(request).map_ok(|answer| answer.map(Page::Other)))
        }
    }
}

/// The body of any answer.
pub enum Page<B: Backplane> {
    /// Of the product.
    Pokes(Answer<B>),
    /// Of what comes with it.
    Other(Body),
}

impl<B: Backplane> Default for Page<B> {
    fn default() -> Self {
        Self::Other(Body::default())
    }
}

impl<B: Backplane> http_body::Body for Page<B> {
    type Data = Chunk;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, Self::Error>>> {
        match self.get_mut() {
            Self::Pokes(answer) => Pin::new(answer).poll_frame(cx).map_err(Into::into),
            Self::Other(body) => {
                Pin::new(body).poll_frame(cx).map_ok(|frame| frame.map_data(Chunk::from)).map_err(Into::into)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Pokes(answer) => answer.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Pokes(answer) => answer.size_hint(),
            Self::Other(body) => body.size_hint(),
        }
    }
}

/// The console, if there is one; else the answer to a request for a path that isn't served, in the protocol that it speaks.
async fn elsewhere<B: Backplane, Q>(
    request: Request<Q>,
    console: Option<Arc<Console<B>>>,
) -> Result<Response<Body>, Infallible> {
    let (head, _) = request.into_parts();
    let console = match &console {
        Some(console) => console.answer(&head).await,
        None => None,
    };
    Ok(console.map_or_else(|| service::unknown_method(&head).map(Body::new), |answer| answer.map(Body::new)))
}

/// With the descriptors of error details as well, so that grpcurl can print them.
fn reflection<'a>() -> tonic_reflection::server::Builder<'a> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(poke_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

fn cors(settings: &config::Cors) -> CorsLayer {
    let origins = settings.origins.clone();
    // What the console tells is for its own page alone.
    let allowed = move |origin: &HeaderValue, head: &Parts| {
        !head.uri.path().starts_with(console::PATH) && origins.iter().any(|allowed| allowed.matches(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::POST])
        .allow_headers(REQUEST_HEADERS.map(HeaderName::from_static))
        .expose_headers(RESPONSE_HEADERS.map(HeaderName::from_static))
        .max_age(PREFLIGHT_AGE)
}
