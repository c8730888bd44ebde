#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use prost::Message;
use serde_json::{Value, json};
use tonic_types::{StatusExt, pb};

use super::*;

fn connect(error: &Error) -> Value {
    serde_json::to_value(error.to_connect()).unwrap()
}

/// The longest violations that there can be, as many as there may be.
fn verbose() -> Error {
    let one = |_| Error::invalid(Kind::InvalidRequest, "x".repeat(64), "y".repeat(120));
    (0..20).map(one).reduce(Error::and).unwrap()
}

/// The lines of the table in `poke.proto`: code and reason.
fn table_of_the_contract() -> BTreeSet<(&'static str, &'static str)> {
    let contract = include_str!("../../../proto/poke/v1/poke.proto");
    let rows = contract.lines().skip_while(|line| !line.starts_with("//   code ")).skip(1);
    let row = |line: &'static str| {
        let mut columns = line.strip_prefix("//   ")?.split_whitespace();
        Some((columns.next()?, columns.next()?))
    };
    rows.map_while(row).collect()
}

/// `InvalidArgument` as INVALID_ARGUMENT.
fn upper_snake(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

#[test]
fn the_table_is_that_of_the_contract() {
    let ours: Vec<_> = Kind::ALL.iter().map(|kind| (upper_snake(kind.row().code), kind.row().reason)).collect();
    let ours: BTreeSet<_> = ours.iter().map(|(code, reason)| (code.as_str(), *reason)).collect();
    assert_eq!(ours.len(), Kind::ALL.len());
    assert_eq!(ours, table_of_the_contract());
}

#[test]
fn each_error_is_small_and_complete_as_a_status() {
    for error in Kind::ALL.into_iter().map(Error::from).chain([verbose()]) {
        let status = error.to_status();
        assert_eq!(status.code(), error.code());
        assert!((1..1000).contains(&status.message().len()), "{error}");
        assert!(status.details().len() < 4096, "{error}");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.domain.as_str(), info.reason.as_str()), ("poke.v1", error.reason()));
        assert_eq!(details.retry_info().map(|info| info.retry_delay), error.retry().map(Some));
        assert_eq!(details.bad_request().is_some(), !error.violations.is_empty());
    }
}

#[test]
fn a_retry_is_offered_where_the_contract_says_so() {
    let contract = include_str!("../../../proto/poke/v1/poke.proto");
    for kind in Kind::ALL {
        let row = kind.row();
        let line = contract.lines().find(|line| line.split_whitespace().nth(2) == Some(row.reason)).unwrap();
        assert_eq!(row.retry.is_some(), line.ends_with("(RetryInfo)"), "{}", row.reason);
    }
}

#[test]
fn violations_are_listed_up_to_eight() {
    let error = verbose();
    assert_eq!(error.violations.len(), 8);
    assert!(error.message().ends_with(" (and 7 more)"));
    let details = error.to_status().get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations.len(), 8);
}

#[test]
fn the_first_violation_gives_the_reason_and_each_has_its_own() {
    let error =
        Error::from(InvalidInterest::Domain).and(InvalidInterest::FilterLength.into()).and(DataError::NoKind.into());
    assert_eq!(error.kind(), Kind::InvalidDomain);
    let status = pb::Status::decode(error.to_status().details()).unwrap();
    let bad_request = pb::BadRequest::decode(&status.details[1].value[..]).unwrap();
    let listed: Vec<_> =
        bad_request.field_violations.iter().map(|violation| (&violation.field[..], &violation.reason[..])).collect();
    assert_eq!(listed, [("domain", "INVALID_DOMAIN"), ("filter", "INVALID_FILTER"), ("data", "INVALID_DATA")]);
}

#[test]
fn a_size_comes_with_its_limit() {
    for (size, name, bytes, said) in [
        (
            Size::Exactly(131_073),
            "size",
            "131073",
            "at most 131072 bytes, domain, filter and encoded data together: this one has 131073",
        ),
        (Size::MoreThan(131_072), "size_over", "131072", "this one has more than 131072"),
    ] {
        let error = Error::from(Kind::PokeTooLarge { size, limit: 131_072 });
        let details = error.to_status().get_error_details();
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!((metadata[name].as_str(), metadata["limit"].as_str(), metadata.len()), (bytes, "131072", 2));
        assert!(error.message().ends_with(said), "{error}");
    }
}

#[test]
fn connect_shows_the_same_error() {
    let error = Error::from(DataError::InexactInteger);
    let shown = connect(&error);
    assert_eq!(error.http_status(), 400);
    assert_eq!(shown["code"], "invalid_argument");
    assert_eq!(shown["message"], *error.message());
    assert_eq!(shown["details"][0]["type"], "google.rpc.ErrorInfo");
    assert_eq!(shown["details"][0]["debug"], json!({ "reason": "INVALID_DATA", "domain": "poke.v1", "metadata": {} }));
    let value = BASE64_STANDARD_NO_PAD.decode(shown["details"][1]["value"].as_str().unwrap()).unwrap();
    let bad_request = pb::BadRequest::decode(&value[..]).unwrap();
    assert_eq!(
        shown["details"][1]["debug"]["fieldViolations"][0]["description"],
        *bad_request.field_violations[0].description
    );

    let retried = Error::from(Kind::ShuttingDown);
    assert_eq!((retried.http_status().as_u16(), &connect(&retried)["code"]), (503, &Value::from("unavailable")));
    assert_eq!(connect(&retried)["details"][1]["debug"], json!({ "retryDelay": "1s" }));
    assert!(connect(&verbose()).to_string().len() < 8192);
}

#[test]
fn the_cause_is_for_the_log_alone() {
    let error = Error::from(Kind::Internal).because("disk on fire");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk on fire");
    let told = format!("{error}{:?}{:?}", error.to_status(), error.to_connect());
    assert!(!told.contains("fire"), "{told}");
}
