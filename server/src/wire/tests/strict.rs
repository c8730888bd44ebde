//! Requests with fields that the contract doesn't have.

use poke_proto::v1::subscription::Start;

use super::{super::strict::check, *};

/// A field of this number with one byte of content.
fn extra(number: u32) -> Vec<u8> {
    let mut field = Vec::new();
    prost::encoding::string::encode(number, &"x".to_owned(), &mut field);
    field
}

/// The encoding of `outer`'s field `number` with `message` in it.
fn wrapped(number: u32, message: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    prost::encoding::bytes::encode(number, &message.to_vec(), &mut field);
    field
}

/// The path that is blamed.
fn blamed(name: &str, bytes: &[u8]) -> String {
    let error = check(name, bytes, 1000).expect_err("an unknown field was taken");
    assert_eq!(error.kind(), Kind::UnsupportedField);
    let status = error.to_status();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let details = tonic_types::StatusExt::get_error_details(&status);
    details.bad_request().expect("a field is to blame").field_violations[0].field.clone()
}

#[test]
fn an_unknown_field_is_found_at_any_level_and_named_by_its_path() {
    let position = wrapped(2, &extra(3));
    let latest = wrapped(3, &extra(7));
    let interest = wrapped(1, &extra(9));
    let good = v1::Subscription {
        interest: Some(v1::Interest { domain: "D".into(), filter: "f".into(), audience: 0 }),
        start: Some(Start::After(v1::Position { epoch: "e".into(), sequence: 1 })),
    };
    let good = wrapped(1, &good.encode_to_vec());
    for (bytes, path) in [
        (extra(1000), "1000"),
        ([good.clone(), wrapped(1, &position)].concat(), "subscriptions[1].after.3"),
        (wrapped(1, &latest), "subscriptions[0].latest.7"),
        ([good.clone(), good.clone(), wrapped(1, &interest)].concat(), "subscriptions[2].interest.9"),
        (wrapped(1, &extra(15)), "subscriptions[0].15"),
    ] {
        assert_eq!(blamed(".poke.v1.SubscribeRequest", &bytes), path);
    }
    for name in [".poke.v1.PublishRequest", ".poke.v1.EndInterestRequest"] {
        assert_eq!(blamed(name, &extra(536_870_911)), "536870911");
    }
    check(".poke.v1.SubscribeRequest", &good, 1000).expect("all of it is known");
}

#[test]
fn data_is_the_publishers_own() {
    check(".poke.v1.PublishRequest", &wrapped(3, &extra(15)), 1000).expect("data is checked as data");
}

#[test]
fn what_is_no_message_is_an_invalid_request() {
    let endless = wrapped(1, &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    for bytes in [&[0x0a][..], &[0x0a, 0x05, b'x'], &[0x00, 0x01], &endless] {
        let error = check(".poke.v1.SubscribeRequest", bytes, 1000).expect_err("not a message");
        assert_eq!(error.kind(), Kind::InvalidRequest, "{bytes:?}");
    }
    let many = wrapped(1, &[]).repeat(1001);
    assert_eq!(
        check(".poke.v1.SubscribeRequest", &many, 1000).expect_err("too many").message(),
        "the request has too many fields"
    );
}
