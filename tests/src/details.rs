//! What an error says to programs.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// An error of the contract: its code and its details. Reading one checks the rules that hold for every error.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The code.
    pub code: Code,
    /// The reason, from ErrorInfo.
    pub reason: String,
    /// ErrorInfo's metadata.
    pub metadata: HashMap<String, String>,
    /// The fields of BadRequest.
    pub fields: Vec<String>,
    /// RetryInfo's delay: when it is there, a retry is right.
    pub retry: Option<Duration>,
    /// For people.
    pub message: String,
}

/// Reads an error.
///
/// # Panics
/// When it breaks a rule: no ErrorInfo of domain `poke.v1`, a message of 1 KB or more, details of 4 KiB or more, or more
/// than 8 field violations.
#[must_use]
pub fn refusal(status: &Status) -> Refusal {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "poke.v1", "{status:?}");
    assert!(status.message().len() < 1000, "a message of {} bytes", status.message().len());
    assert!(status.details().len() < 4096, "details of {} bytes", status.details().len());
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    assert!(violations.len() <= 8, "{violations:?}");
    Refusal {
        code: status.code(),
        reason: info.reason.clone(),
        metadata: info.metadata.clone(),
        fields: violations.iter().map(|violation| violation.field.clone()).collect(),
        retry: details.retry_info().map(|info| info.retry_delay.unwrap_or_default()),
        message: status.message().into(),
    }
}
