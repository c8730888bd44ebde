//! The operators' port: health, readiness, metrics and revocation, in plain HTTP.

pub(crate) mod port;
mod revoke;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower::{Service, service_fn};

use crate::{
    auth::Auth,
    backplane::Backplane,
    connection::Inbound,
    metrics::{self, Metrics},
    readiness::Readiness,
    stream::Streams,
};

/// Answers `/healthz`, `/readyz`, `/metrics` and `/revoke`.
pub fn service<P: Backplane>(
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    auth: Arc<Auth>,
    streams: Arc<Streams<P>>,
) -> impl Service<Request<Inbound>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Inbound>| {
        let (metrics, readiness) = (Arc::clone(&metrics), Arc::clone(&readiness));
        let (auth, streams) = (Arc::clone(&auth), Arc::clone(&streams));
        async move {
            if request.uri().path() != "/revoke" {
                return Ok(answer(&request, &metrics, &readiness.reasons().await));
            }
            let (status, message) = revoke::revoke(request, &auth, &streams).await;
            metrics.customers_revoked.set(i64::try_from(auth.revoked()).unwrap_or(i64::MAX));
            Ok(text(status, message))
        }
    })
}

/// Answers a request. `unready` holds the reasons why the server shouldn't get calls, a line each.
fn answer<B>(request: &Request<B>, metrics: &Metrics, unready: &str) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" if unready.is_empty() => text(StatusCode::OK, "ready\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, unready.to_owned()),
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics.render());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
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

    async fn get(path: &str, unready: &str) -> (u16, String) {
        let request = Request::get(path).body(()).unwrap();
        let response = answer(&request, &Metrics::new(), unready);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_tells_why_it_fails_and_health_does_not_follow_it() {
        assert_eq!(get("/readyz", "").await, (200, "ready\n".into()));
        assert_eq!(get("/readyz", "draining\n").await, (503, "draining\n".into()));
        assert_eq!(get("/healthz", "draining\n").await.0, 200);
        assert_eq!(get("/", "").await.0, 404);
        let (status, metrics) = get("/metrics", "").await;
        assert!(status == 200 && metrics.contains("poke_streams_open 0") && metrics.ends_with('\n'), "{metrics}");
    }
}
