//! What the port serves: pokes, health, reflection; and the rules for browsers.

use std::convert::Infallible;

use http::{HeaderName, HeaderValue, Method, Request, Response, request::Parts};
use tonic::{body::Body, service::Routes};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, service_fn};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};

use crate::{
    backplane::Backplane,
    config::{self, Config},
    service::{self, PokeService},
};

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

/// All that clients can call.
pub type Front = Cors<Routes>;

/// The services of this configuration.
///
/// # Errors
/// When the descriptors that are built in can't be read.
pub fn front<B: Backplane>(
    config: &Config,
    pokes: PokeService<B>,
    health: HealthServer<impl Health>,
) -> Result<Front, tonic_reflection::server::Error> {
    // Each on its own: as a layer of the whole port, gRPC-Web would take over other HTTP/1.1 requests too.
    let web = GrpcWebLayer::new();
    let mut routes = Routes::new(pokes).add_service(web.layer(health));
    if config.reflection {
        routes = routes.add_service(web.layer(reflection().build_v1()?));
        routes = routes.add_service(web.layer(reflection().build_v1alpha()?));
    }
    let routes = routes.into_axum_router().fallback_service(service_fn(nowhere));
    Ok(cors(&config.cors).layer(Routes::from(routes).prepare()))
}

/// The answer to a request for a path that isn't served, in the protocol that it speaks.
async fn nowhere<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let (head, _) = request.into_parts();
    Ok(service::unknown_method(&head))
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
    let allowed = move |origin: &HeaderValue, _: &Parts| origins.iter().any(|allowed| allowed.matches(origin));
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::POST])
        .allow_headers(REQUEST_HEADERS.map(HeaderName::from_static))
        .expose_headers(RESPONSE_HEADERS.map(HeaderName::from_static))
        .max_age(PREFLIGHT_AGE)
}
