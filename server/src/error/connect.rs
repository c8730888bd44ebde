//! How the Connect protocol shows an error: <https://connectrpc.com/docs/protocol/#error-codes>.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use http::StatusCode;
use prost::Message as _;
use prost_types::Any;
use serde::Serialize;
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::pb;

use super::{
    Error,
    details::{Detail, details},
};

/// Connect's JSON error.
#[derive(Debug, Serialize)]
pub struct ConnectError {
    code: &'static str,
    message: Cow<'static, str>,
    details: Vec<ConnectDetail>,
}

#[derive(Debug, Serialize)]
struct ConnectDetail {
    r#type: Cow<'static, str>,
    /// The encoded message, in base64 without padding.
    value: String,
    /// The message for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<Value>,
}

impl ConnectError {
    /// The error of a service that isn't ours. Nobody here knows how to show its details to people.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        // What can't be read is no detail of gRPC's.
        let details = pb::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
        let detail = |any: Any| {
            let name = any.type_url.rsplit('/').next().unwrap_or_default().to_owned();
            ConnectDetail { r#type: name.into(), value: BASE64_STANDARD_NO_PAD.encode(any.value), debug: None }
        };
        Self {
            code: connect_code(status.code()).0,
            message: status.message().to_owned().into(),
            details: details.into_iter().map(detail).collect(),
        }
    }
}

impl Error {
    /// As the Connect protocol shows it.
    #[must_use]
    pub fn to_connect(&self) -> ConnectError {
        let detail = |detail: Detail| ConnectDetail {
            r#type: detail.type_name.into(),
            value: BASE64_STANDARD_NO_PAD.encode(detail.value),
            debug: Some(detail.debug),
        };
        ConnectError {
            code: connect_code(self.code()).0,
            message: self.message(),
            details: details(self).into_iter().map(detail).collect(),
        }
    }

    /// The HTTP status of a unary Connect call that fails so.
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        connect_code(self.code()).1
    }
}

/// Connect's name of a code, and the HTTP status that goes with it.
fn connect_code(code: Code) -> (&'static str, StatusCode) {
    match code {
        // Not an error; the protocol has no name for it.
        Code::Ok => ("unknown", StatusCode::INTERNAL_SERVER_ERROR),
        Code::Cancelled => ("canceled", StatusCode::from_u16(499).expect("499 is a valid status")),
        Code::Unknown => ("unknown", StatusCode::INTERNAL_SERVER_ERROR),
        Code::InvalidArgument => ("invalid_argument", StatusCode::BAD_REQUEST),
        Code::DeadlineExceeded => ("deadline_exceeded", StatusCode::GATEWAY_TIMEOUT),
        Code::NotFound => ("not_found", StatusCode::NOT_FOUND),
        Code::AlreadyExists => ("already_exists", StatusCode::CONFLICT),
        Code::PermissionDenied => ("permission_denied", StatusCode::FORBIDDEN),
        Code::ResourceExhausted => ("resource_exhausted", StatusCode::TOO_MANY_REQUESTS),
        Code::FailedPrecondition => ("failed_precondition", StatusCode::BAD_REQUEST),
        Code::Aborted => ("aborted", StatusCode::CONFLICT),
        Code::OutOfRange => ("out_of_range", StatusCode::BAD_REQUEST),
        Code::Unimplemented => ("unimplemented", StatusCode::NOT_IMPLEMENTED),
        Code::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        Code::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        Code::DataLoss => ("data_loss", StatusCode::INTERNAL_SERVER_ERROR),
        Code::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED),
    }
}
