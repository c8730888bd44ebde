//! The JSON forms of the unary methods' messages (ProtoJSON: <https://protobuf.dev/programming-guides/json/>).
//!
//! Written by hand, because the mapping of `data` is ours, and so that a caller hears of every mistake at once.

mod fields;
mod subscribe;

use poke_proto::v1;
use serde::Serialize;

use self::fields::Fields;
pub use self::subscribe::event;
use super::{UnaryRequest, UnaryResponse};
use crate::error::{Error, Faults};

impl UnaryRequest for v1::PublishRequest {
    const NAME: &'static str = ".poke.v1.PublishRequest";

    fn from_json(text: &str, faults: &mut Faults) -> Result<Self, Error> {
        let mut fields = Fields::parse(text)?;
        let request = Self {
            domain: fields.text("domain", faults),
            filter: fields.text("filter", faults),
            data: fields.data(faults)?,
            audience: fields.audience(faults),
            customer_id: fields.text("customer_id", faults),
            idempotency_key: fields.text("idempotency_key", faults),
        };
        fields.finish(faults);
        Ok(request)
    }
}

impl UnaryRequest for v1::EndInterestRequest {
    const NAME: &'static str = ".poke.v1.EndInterestRequest";

    fn from_json(text: &str, faults: &mut Faults) -> Result<Self, Error> {
        let mut fields = Fields::parse(text)?;
        let request = Self {
            domain: fields.text("domain", faults),
            filter: fields.text("filter", faults),
            data: fields.data(faults)?,
            audience: fields.audience(faults),
            customer_id: fields.text("customer_id", faults),
            idempotency_key: fields.text("idempotency_key", faults),
        };
        fields.finish(faults);
        Ok(request)
    }
}

impl UnaryResponse for v1::PublishResponse {
    fn to_json(&self) -> String {
        text(&Response {
            position: self.position.as_ref().map(Position::from),
            local_receiver_count: self.local_receiver_count,
            duplicate: self.duplicate,
        })
    }
}

impl UnaryResponse for v1::EndInterestResponse {
    fn to_json(&self) -> String {
        let position = self.position.as_ref().map(Position::from);
        text(&Response { position, local_receiver_count: None, duplicate: None })
    }
}

/// What either method answers, in the order in which people read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_receiver_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
}

#[derive(Serialize)]
struct Position<'a> {
    epoch: &'a str,
    /// An int64 is a string in ProtoJSON: JavaScript's numbers can't hold them all.
    sequence: String,
}

impl<'a> From<&'a v1::Position> for Position<'a> {
    fn from(position: &'a v1::Position) -> Self {
        Self { epoch: &position.epoch, sequence: position.sequence.to_string() }
    }
}

/// A value whose serialization can't fail, since all its keys are strings.
pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a struct of plain fields has a form in JSON")
}
