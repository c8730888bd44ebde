//! Data, in both of its forms.

use poke_proto::{Data, MAX_DATA_DEPTH};
use prost::Message as _;

use crate::MESSAGE;

/// Any bytes as an encoded `google.protobuf.Value`.
///
/// # Panics
/// When a rule is broken.
pub fn wire(bytes: &[u8]) {
    let Ok(data) = Data::decode(bytes) else { return };
    match data.canonical() {
        Ok(canonical) => accepted(&canonical),
        Err(refused) => assert!(refused.to_string().len() < MESSAGE),
    }
}

/// Any text as JSON.
///
/// # Panics
/// When a rule is broken.
pub fn json(text: &str) {
    match Data::from_json(text) {
        Ok(data) => accepted(&data),
        Err(refused) => assert!(refused.to_string().len() < MESSAGE),
    }
}

/// What is accepted is a fixed point, passes through JSON, and can be read by the runtimes of others.
fn accepted(data: &Data) {
    assert_eq!(&data.canonical().unwrap(), data);
    assert_eq!(&data.canonical_within(data.encoded_size()).unwrap(), data);
    assert_eq!(&Data::from_json(&data.to_json().unwrap()).unwrap(), data);
    let theirs = prost_types::Value::decode(data.as_bytes()).unwrap();
    assert!(depth(&theirs) <= MAX_DATA_DEPTH);
}

/// Every value has a kind, or it kills clients that print JSON.
fn depth(value: &prost_types::Value) -> usize {
    use prost_types::value::Kind;
    match value.kind.as_ref().unwrap() {
        Kind::ListValue(list) => 1 + list.values.iter().map(depth).max().unwrap_or(0),
        Kind::StructValue(object) => 1 + object.fields.values().map(depth).max().unwrap_or(0),
        Kind::NumberValue(number) => {
            assert!(number.is_finite());
            0
        }
        _ => 0,
    }
}
