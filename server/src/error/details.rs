//! The details of an error, as google/rpc/error_details.proto has them.

use prost::Message;
use serde_json::{Value, json};
use tonic_types::pb;

use super::Error;

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "poke.v1";

/// One detail, ready for both of the forms in which it is sent.
pub(super) struct Detail {
    /// The full name of its message.
    pub(super) type_name: &'static str,
    /// The encoded message.
    pub(super) value: Vec<u8>,
    /// The message in ProtoJSON.
    pub(super) debug: Value,
}

impl Detail {
    fn new(type_name: &'static str, message: &impl Message, debug: Value) -> Self {
        Self { type_name, value: message.encode_to_vec(), debug }
    }
}

/// Always an `ErrorInfo`; a `BadRequest` if a field is to blame; a `RetryInfo` if a retry is right.
pub(super) fn details(error: &Error) -> Vec<Detail> {
    let mut details = vec![error_info(error)];
    if !error.violations.is_empty() {
        details.push(bad_request(error));
    }
    if let Some(delay) = error.retry() {
        let retry_delay = prost_types::Duration::try_from(delay).ok();
        let debug = json!({ "retryDelay": format!("{}s", delay.as_secs_f64()) });
        details.push(Detail::new("google.rpc.RetryInfo", &pb::RetryInfo { retry_delay }, debug));
    }
    details
}

/// The encoded `google.rpc.Status` of the header `grpc-status-details-bin`.
pub(super) fn encode(error: &Error) -> Vec<u8> {
    let any = |detail: Detail| prost_types::Any {
        type_url: format!("type.googleapis.com/{}", detail.type_name),
        value: detail.value,
    };
    let details = details(error).into_iter().map(any).collect();
    pb::Status { code: error.code().into(), message: error.message().into(), details }.encode_to_vec()
}

fn error_info(error: &Error) -> Detail {
    let metadata = error.kind.metadata().into_iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect();
    let info = pb::ErrorInfo { reason: error.reason().into(), domain: DOMAIN.into(), metadata };
    let debug = json!({ "reason": info.reason, "domain": info.domain, "metadata": info.metadata });
    Detail::new("google.rpc.ErrorInfo", &info, debug)
}

fn bad_request(error: &Error) -> Detail {
    let violations = error.violations.iter();
    let field_violations = violations.clone().map(|violation| pb::bad_request::FieldViolation {
        field: violation.field.to_string(),
        description: violation.rule.to_string(),
        reason: violation.reason.into(),
        ..Default::default()
    });
    let debug = violations.map(
        |violation| json!({ "field": violation.field, "description": violation.rule, "reason": violation.reason }),
    );
    let debug = json!({ "fieldViolations": debug.collect::<Value>() });
    Detail::new("google.rpc.BadRequest", &pb::BadRequest { field_violations: field_violations.collect() }, debug)
}
