//! What the port serves: pokes, health, reflection; and the rules for browsers.

use std::convert::Infallible;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use tonic::{body::Body, service::Routes};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn, util::BoxCloneSyncService};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    backplane::Backplane,
    config::{Config, Cors},
    service::PokeService,
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
pub type Front = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

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
    let routes = routes.prepare();
    let served = service_fn(move |request: Request<Body>| answer(routes.clone(), request));
    Ok(BoxCloneSyncService::new(ServiceBuilder::new().layer(cors(&config.cors)).service(served)))
}

/// With the descriptors of error details as well, so that grpcurl can print them.
fn reflection<'a>() -> tonic_reflection::server::Builder<'a> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(poke_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

async fn answer(routes: Routes, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|content_type| content_type.as_bytes().starts_with(b"application/grpc"));
    let response = routes.oneshot(request).await?;
    let unknown = response.headers().get("grpc-status").is_some_and(|status| status == "12");
    if unknown && !grpc {
        // tonic answers in gRPC whatever it was asked in.
        let mut missing = Response::new(Body::empty());
        *missing.status_mut() = StatusCode::NOT_FOUND;
        return Ok(missing);
    }
    Ok(response)
}

fn cors(settings: &Cors) -> CorsLayer {
    let origins = settings.origins.clone();
    let allowed = move |origin: &HeaderValue, _: &Parts| origins.iter().any(|allowed| allowed.matches(origin));
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::POST])
        .allow_headers(REQUEST_HEADERS.map(HeaderName::from_static))
        .expose_headers(RESPONSE_HEADERS.map(HeaderName::from_static))
        .max_age(PREFLIGHT_AGE)
}
