//! The JSON forms of the unary methods' messages (ProtoJSON: <https://protobuf.dev/programming-guides/json/>).
//!
//! Written by hand, since the mapping of `data` is ours, and so that a caller hears of every mistake at once. Unlike in
//! protobuf, where a field that isn't known may come from a newer client, here it is most likely misspelt.

mod fields;

use poke_proto::v1;
use serde_json::{Value, json};

use self::fields::Fields;
use super::{UnaryRequest, UnaryResponse};
use crate::error::{Error, Faults};

impl UnaryRequest for v1::PublishRequest {
    fn from_json(text: &str, faults: &mut Faults) -> Result<Self, Error> {
        let mut fields = Fields::parse(text)?;
        let request = Self {
            domain: fields.text("domain", faults),
            filter: fields.text("filter", faults),
            data: fields.data(faults),
            audience: fields.audience(faults),
            customer_id: fields.text("customer_id", faults),
            idempotency_key: fields.text("idempotency_key", faults),
        };
        fields.finish(faults);
        Ok(request)
    }
}

impl UnaryRequest for v1::EndInterestRequest {
    fn from_json(text: &str, faults: &mut Faults) -> Result<Self, Error> {
        let mut fields = Fields::parse(text)?;
        let request = Self {
            domain: fields.text("domain", faults),
            filter: fields.text("filter", faults),
            data: fields.data(faults),
            audience: fields.audience(faults),
            customer_id: fields.text("customer_id", faults),
            idempotency_key: fields.text("idempotency_key", faults),
        };
        fields.finish(faults);
        Ok(request)
    }
}

impl UnaryResponse for v1::PublishResponse {
    fn to_json(&self) -> Value {
        let mut response = json!({});
        set(&mut response, "position", self.position.as_ref().map(position));
        set(&mut response, "localReceiverCount", self.local_receiver_count.map(Value::from));
        set(&mut response, "duplicate", self.duplicate.map(Value::from));
        response
    }
}

impl UnaryResponse for v1::EndInterestResponse {
    fn to_json(&self) -> Value {
        let mut response = json!({});
        set(&mut response, "position", self.position.as_ref().map(position));
        response
    }
}

/// An int64 is a string in ProtoJSON: JavaScript's numbers can't hold them all.
fn position(position: &v1::Position) -> Value {
    json!({ "epoch": position.epoch, "sequence": position.sequence.to_string() })
}

fn set(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}
