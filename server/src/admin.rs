//! The operators' port: health, readiness, metrics and revocation, in plain HTTP.

mod revoke;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tokio::sync::watch;
use tower::{Service, service_fn};

use crate::{auth::Auth, backplane::Backplane, connection::Inbound, metrics::Metrics, stream::Streams};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the server takes calls, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It is going away.
    Draining,
}

/// Answers `/healthz`, `/readyz`, `/metrics` and `/revoke`.
pub fn service<P: Backplane>(
    metrics: Arc<Metrics>,
    readiness: watch::Receiver<Readiness>,
    auth: Arc<Auth>,
    streams: Arc<Streams<P>>,
) -> impl Service<Request<Inbound>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Inbound>| {
        let (metrics, readiness) = (Arc::clone(&metrics), *readiness.borrow());
        let (auth, streams) = (Arc::clone(&auth), Arc::clone(&streams));
        async move {
            if request.uri().path() != "/revoke" {
                return Ok(answer(&request, &metrics, readiness));
            }
            let (status, message) = revoke::revoke(request, &auth).await;
            metrics.customers_revoked.set(i64::try_from(auth.revoked()).unwrap_or(i64::MAX));
            if status == StatusCode::OK {
                streams.review(&auth);
            }
            Ok(text(status, message))
        }
    })
}

fn answer<B>(request: &Request<B>, metrics: &Metrics, readiness: Readiness) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
    }
    match (request.uri().path(), readiness) {
        ("/healthz", _) => text(StatusCode::OK, "alive\n"),
        ("/readyz", Readiness::Ready) => text(StatusCode::OK, "ready\n"),
        ("/readyz", Readiness::Draining) => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        ("/metrics", _) => {
            let mut response = text(StatusCode::OK, metrics.render());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS));
            response
        }
        _ => text(StatusCode::NOT_FOUND, "there is /healthz, /readyz, /metrics and, by POST, /revoke\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // Who calls this port by mistake can be told so.
    headers.insert(header::SERVER, HeaderValue::from_static(concat!("poke-server/", env!("CARGO_PKG_VERSION"))));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use http_body_util::BodyExt as _;

    use super::*;

    async fn get(path: &str, readiness: Readiness) -> (u16, String) {
        let request = Request::get(path).body(()).unwrap();
        let response = answer(&request, &Metrics::new(), readiness);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_goes_off_with_a_drain_and_health_does_not() {
        assert_eq!(get("/readyz", Readiness::Ready).await, (200, "ready\n".into()));
        assert_eq!(get("/readyz", Readiness::Draining).await, (503, "draining\n".into()));
        assert_eq!(get("/healthz", Readiness::Draining).await.0, 200);
        assert_eq!(get("/", Readiness::Ready).await.0, 404);
        let (status, metrics) = get("/metrics", Readiness::Ready).await;
        assert!(status == 200 && metrics.contains("poke_streams_open 0") && metrics.ends_with("# EOF\n"), "{metrics}");
    }
}
