//! Publish and EndInterest.

use poke_proto::Data;
use serde_json::json;

use super::*;
use crate::{frame::MAX_POKE_BYTES, metrics::RefusedCode};

fn ending() -> v1::EndInterestRequest {
    v1::EndInterestRequest { domain: "PLAYLIST".into(), filter: "f".into(), ..Default::default() }
}

/// Data that makes a poke of the test's interest exactly this large.
fn filling(size: usize) -> Data {
    let around = 2 + "PLAYLIST".len() + 2 + "f".len() + 4 + 4;
    Data::string(&"x".repeat(size - around))
}

/// The fields that a status blames.
fn blamed(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    violations.iter().map(|violation| violation.field.clone()).collect()
}

#[tokio::test]
async fn a_poke_is_accepted_in_every_protocol() {
    let server = Server::new();
    let first = server.publish(&publication()).await.unwrap();
    assert_eq!((first.local_receiver_count, first.duplicate), (Some(0), Some(false)));
    let message = publication().encode_to_vec();
    for content_type in ["application/proto", "application/grpc-web", "application/grpc-web+proto"] {
        let body =
            if content_type == "application/proto" { message.clone() } else { frame::message(&publication()).to_vec() };
        let mut request = request("Publish", content_type, body);
        *request.version_mut() = Version::HTTP_11;
        assert_eq!(server.send(request).await.status(), 200, "{content_type}");
    }
    let (status, answer) = server.json("Publish", r#"{"domain":"PLAYLIST","filter":"f","data":"Updated"}"#).await;
    let sequence = first.position.as_ref().unwrap().sequence + 4;
    let position = json!({ "epoch": first.position.unwrap().epoch, "sequence": sequence.to_string() });
    assert_eq!(status, 200);
    assert_eq!(answer, json!({ "position": position, "localReceiverCount": 0, "duplicate": false }));
    assert_eq!(server.metrics.pokes_published.get(), 5);
}

#[tokio::test]
async fn each_field_has_its_rules() {
    let server = Server::new();
    let with = |change: fn(&mut v1::PublishRequest)| {
        let mut request = publication();
        change(&mut request);
        request
    };
    let invalid = |reason: &str| because(Code::InvalidArgument, reason);
    for (request, expected, field) in [
        (with(|r| r.domain.clear()), invalid("INVALID_DOMAIN"), "domain"),
        (with(|r| r.domain = "x".repeat(65)), invalid("INVALID_DOMAIN"), "domain"),
        (with(|r| r.filter.clear()), invalid("INVALID_FILTER"), "filter"),
        (with(|r| r.filter = "x".repeat(100_000)), invalid("INVALID_FILTER"), "filter"),
        (with(|r| r.filter = "a\nb".into()), invalid("INVALID_FILTER"), "filter"),
        (with(|r| r.data = Some(Data::default())), invalid("INVALID_DATA"), "data"),
        (with(|r| r.audience = 1), invalid("INVALID_CUSTOMER"), "customer_id"),
        (with(|r| r.customer_id = "c".into()), invalid("INVALID_CUSTOMER"), "customer_id"),
        (with(|r| (r.audience, r.customer_id) = (1, "\0".into())), invalid("INVALID_CUSTOMER"), "customer_id"),
        (with(|r| r.audience = 2), invalid("INVALID_AUDIENCE"), "audience"),
        (with(|r| r.audience = -1), invalid("INVALID_AUDIENCE"), "audience"),
        (with(|r| r.idempotency_key = "x".repeat(129)), invalid("INVALID_IDEMPOTENCY_KEY"), "idempotency_key"),
        (with(|r| r.idempotency_key = "é".into()), invalid("INVALID_IDEMPOTENCY_KEY"), "idempotency_key"),
        (with(|r| r.idempotency_key = "\n".into()), invalid("INVALID_IDEMPOTENCY_KEY"), "idempotency_key"),
    ] {
        let v1::PublishRequest { domain, filter, data, audience, customer_id, idempotency_key } = request.clone();
        let end = v1::EndInterestRequest { domain, filter, data, audience, customer_id, idempotency_key };
        for status in [server.publish(&request).await.unwrap_err(), server.end(&end).await.unwrap_err()] {
            assert_eq!((why(&status), blamed(&status)), (expected.clone(), vec![field.to_owned()]));
        }
    }
    assert_eq!(server.metrics.publish_refused.get(RefusedCode::InvalidArgument), 28);
    assert_eq!(server.metrics.pokes_published.get(), 0);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let server = Server::new();
    let request = v1::PublishRequest {
        data: Some(Data::default()),
        audience: 9,
        idempotency_key: "\n".into(),
        ..Default::default()
    };
    let status = server.publish(&request).await.unwrap_err();
    assert_eq!(blamed(&status), ["audience", "domain", "filter", "data", "idempotency_key"]);
    let (status, error) = server.json("Publish", r#"{"fliter":"f","data":9007199254740993}"#).await;
    let fields: Vec<_> = error["details"][1]["debug"]["fieldViolations"].as_array().unwrap().iter().collect();
    let fields: Vec<_> = fields.into_iter().map(|violation| violation["field"].as_str().unwrap()).collect();
    assert_eq!((status, fields), (400, vec!["data", "fliter", "domain", "filter"]));
}

#[tokio::test]
async fn a_domain_is_configured_for_one_audience() {
    let server = Server::new();
    let unknown = v1::PublishRequest { domain: "playlist".into(), ..publication() };
    assert_eq!(why(&server.publish(&unknown).await.unwrap_err()), because(Code::NotFound, "UNKNOWN_DOMAIN"));
    let other = v1::PublishRequest { domain: "LETTER".into(), ..publication() };
    let status = server.publish(&other).await.unwrap_err();
    assert_eq!(why(&status), because(Code::FailedPrecondition, "WRONG_AUDIENCE"));
    let customer = v1::PublishRequest { audience: 1, customer_id: "c".into(), ..other };
    assert!(server.publish(&customer).await.is_ok(), "whoever may publish to the domain may to each of its customers");
}

#[tokio::test]
async fn a_poke_has_131072_bytes_and_not_one_more() {
    let server = Server::new();
    let fits = v1::PublishRequest { data: Some(filling(MAX_POKE_BYTES)), ..publication() };
    server.publish(&fits).await.unwrap();
    let marked = format!("\u{feff}{}", json!({ "domain": "PLAYLIST", "filter": "f" }));
    assert_eq!(server.json("Publish", marked).await.0, 200, "a byte-order mark is no part of JSON");

    let over = v1::PublishRequest { data: Some(filling(MAX_POKE_BYTES + 1)), ..publication() };
    let end = v1::EndInterestRequest { data: over.data.clone(), ..ending() };
    for status in [server.publish(&over).await.unwrap_err(), server.end(&end).await.unwrap_err()] {
        assert_eq!(why(&status), because(Code::ResourceExhausted, "POKE_TOO_LARGE"));
        let details = status.get_error_details();
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!((metadata["size"].as_str(), metadata["limit"].as_str()), ("131073", "131072"));
    }
    // Whatever the encoding: what was counted is told, and how far, where it wasn't.
    let metadata = |details: &serde_json::Value| details[0]["debug"]["metadata"].clone();
    for (size, data, told) in [
        (200_000, None, json!({ "size": "200000", "limit": "131072" })),
        (1_000_000, None, json!({ "size": "1000000", "limit": "131072" })),
        (0, Some(json!(vec![1; 20_000])), json!({ "size_over": "131072", "limit": "131072" })),
        (0, Some(json!("x".repeat(2 << 20))), json!({ "size_over": "1048576", "limit": "131072" })),
    ] {
        let is_counted = data.is_none();
        let data = data.unwrap_or_else(|| filling(size).to_value().unwrap());
        let body = json!({ "domain": "PLAYLIST", "filter": "f", "data": data }).to_string();
        let (status, refused) = server.json("Publish", body).await;
        assert_eq!((status, metadata(&refused["details"])), (429, told));
        if is_counted {
            let binary = v1::PublishRequest { data: Some(filling(size)), ..publication() };
            let status = server.publish(&binary).await.unwrap_err();
            assert_eq!(status.get_error_details().error_info().unwrap().metadata["size"], size.to_string());
            assert!(status.message().ends_with(&format!("this one has {size}")), "{status}");
        }
    }
    let huge = v1::PublishRequest { filter: "x".repeat(1 << 20), ..publication() };
    assert_eq!(reason(&server.publish(&huge).await.unwrap_err()), "POKE_TOO_LARGE");
}

#[tokio::test]
async fn a_repeat_is_known_by_its_key_and_its_content() {
    let server = Server::new();
    let keyed = |data: &str| v1::PublishRequest {
        data: Some(Data::from_json(data).unwrap()),
        idempotency_key: "once".into(),
        ..publication()
    };
    let first = server.publish(&keyed(r#"{"a":1,"b":[null]}"#)).await.unwrap();
    // As another encoder may have it: keys in another order, a field that nobody knows.
    let repeat = r#"{"idempotencyKey":"once","data":{"b":[null],"a":1.0},"filter":"f","domain":"PLAYLIST"}"#;
    let (_, answer) = server.json("Publish", repeat).await;
    let position = first.position.unwrap();
    assert_eq!(
        (&answer["position"]["sequence"], &answer["duplicate"]),
        (&json!(position.sequence.to_string()), &json!(true))
    );
    let other = server.publish(&keyed(r#"{"a":2}"#)).await.unwrap_err();
    assert_eq!(why(&other), because(Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!((server.metrics.pokes_published.get(), server.metrics.pokes_duplicate.get()), (1, 1));
}

#[tokio::test]
async fn an_end_is_final_and_idempotent() {
    let server = Server::new();
    let published = server.publish(&v1::PublishRequest { idempotency_key: "k".into(), ..publication() }).await.unwrap();
    let first = server.end(&v1::EndInterestRequest { data: Some(Data::null()), ..ending() }).await.unwrap();
    assert_eq!(server.end(&ending()).await.unwrap(), first);
    let (status, answer) = server.json("EndInterest", r#"{"domain":"PLAYLIST","filter":"f"}"#).await;
    let position = first.position.unwrap();
    assert_eq!((status, &answer["position"]["sequence"]), (200, &json!(position.sequence.to_string())));
    let status = server.publish(&publication()).await.unwrap_err();
    assert_eq!(why(&status), because(Code::FailedPrecondition, "INTEREST_ENDED"));
    let repeat = server.publish(&v1::PublishRequest { idempotency_key: "k".into(), ..publication() }).await.unwrap();
    assert_eq!((repeat.position, repeat.duplicate), (published.position, Some(true)));
}
