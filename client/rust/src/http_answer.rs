//! Answers that aren't gRPC: a proxy speaks for the server, or something else listens there.

use std::{error::Error, fmt, iter};

use http::{Response, StatusCode, header};
use tonic::Code;

/// What came instead of gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    status: StatusCode,
    /// The `server` header.
    server: Option<String>,
}

impl HttpAnswer {
    /// None: it is gRPC.
    pub(crate) fn of<B>(response: &Response<B>) -> Option<Self> {
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let speaks_grpc = text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/grpc"));
        if headers.contains_key("grpc-status") || (response.status() == StatusCode::OK && speaks_grpc) {
            return None;
        }
        Some(Self { status: response.status(), server: text(header::SERVER).map(str::to_owned) })
    }

    /// Finds it in a chain of errors.
    pub(crate) fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// As gRPC maps HTTP to its codes (`http-grpc-status-mapping.md`).
    pub(crate) fn code(&self) -> Code {
        match self.status.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502..=504 => Code::Unavailable,
            _ => Code::Unknown,
        }
    }

    /// It may be another answer soon: the server is overloaded, away, or was too slow for whoever answers.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            || self.status.is_server_error()
    }

    /// What listens there knows the request, and says no.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.status.as_u16(), 401 | 403 | 413 | 431)
    }
}

impl fmt::Display for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.as_u16();
        match (status, self.status.canonical_reason()) {
            (413, _) => write!(f, "the request is too large for it (HTTP 413)"),
            (431, _) => write!(f, "the request's headers are too large for it (HTTP 431)"),
            (_, Some(words)) => write!(f, "HTTP {status} {words}"),
            (_, None) => write!(f, "HTTP {status}"),
        }
    }
}

impl Error for HttpAnswer {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test panics")]

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Option<HttpAnswer> {
        let response = Response::builder().status(status);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        HttpAnswer::of(&response.body(()).unwrap())
    }

    #[test]
    fn grpc_is_200_with_its_content_type_or_whatever_has_a_grpc_status() {
        assert_eq!(answer(200, &[("content-type", "application/grpc+proto")]), None);
        assert_eq!(answer(503, &[("grpc-status", "14")]), None);
        assert!(answer(200, &[("content-type", "text/html")]).is_some());
        assert!(answer(200, &[]).is_some());
        assert!(answer(502, &[("content-type", "application/grpc")]).is_some());
    }

    #[test]
    fn overload_and_absence_pass_and_the_rest_is_for_good() {
        for status in [408, 429, 500, 502, 503, 504, 520] {
            assert!(answer(status, &[]).unwrap().is_passing(), "{status}");
        }
        for status in [200, 302, 400, 401, 403, 404, 405, 413, 415, 431] {
            assert!(!answer(status, &[]).unwrap().is_passing(), "{status}");
        }
    }
}
