//! The JSON form of a Subscribe: its request, and its events.

use std::sync::LazyLock;

use bytes::Bytes;
use poke_proto::v1::{self, subscribe_response::Event, subscription::Start};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde::Deserialize;
use serde_json::Value;

use super::fields::{self, AudienceName};
use crate::{
    error::{Error, Kind},
    frame::PREFIX_BYTES,
    wire::{StreamRequest, envelope, json},
};

// Fields are optional, since in ProtoJSON null is the same as absence.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    subscriptions: Option<Vec<Subscription>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    interest: Option<Interest>,
    after: Option<Position>,
    latest: Option<Latest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Interest {
    domain: Option<String>,
    filter: Option<String>,
    audience: Option<AudienceName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    epoch: Option<String>,
    sequence: Option<Sequence>,
}

/// 64-bit integers are strings in ProtoJSON, and numbers are taken as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum Sequence {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latest {}

impl StreamRequest for v1::SubscribeRequest {
    const NAME: &'static str = ".poke.v1.SubscribeRequest";

    fn from_json(text: &str) -> Result<Self, Error> {
        let request: Request = serde_json::from_str(text).map_err(|error| misread(&error))?;
        let subscriptions = request.subscriptions.unwrap_or_default();
        let subscriptions = subscriptions.into_iter().map(Subscription::read).collect::<Result<_, _>>()?;
        Ok(Self { subscriptions })
    }
}

impl Subscription {
    fn read(self) -> Result<v1::Subscription, Error> {
        let start = match (self.after, self.latest) {
            (None, None) => None,
            (Some(position), None) => Some(Start::After(position.read()?)),
            (None, Some(Latest {})) => Some(Start::Latest(v1::Latest {})),
            (Some(_), Some(_)) => return Err(wrong("a subscription has either after or latest")),
        };
        let interest = self.interest.map(|Interest { domain, filter, audience }| {
            // One that isn't known is for validation to refuse.
            let audience = audience.map_or(0, |audience| audience.number().unwrap_or(i32::MAX));
            v1::Interest { domain: domain.unwrap_or_default(), filter: filter.unwrap_or_default(), audience }
        });
        Ok(v1::Subscription { interest, start })
    }
}

impl Position {
    fn read(self) -> Result<v1::Position, Error> {
        let sequence = match self.sequence {
            None => 0,
            Some(Sequence::Number(number)) => number,
            Some(Sequence::Text(text)) => text.parse().map_err(|_| wrong("sequence must be a 64-bit integer"))?,
        };
        Ok(v1::Position { epoch: self.epoch.unwrap_or_default(), sequence })
    }
}

fn wrong(rule: &'static str) -> Error {
    Error::invalid(Kind::InvalidRequest, "subscriptions", rule)
}

/// Names a field that isn't known; what else serde says repeats what it stumbled over.
fn misread(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    match text.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        Some((name, _)) => fields::unknown(name),
        None => {
            let rule = format!(
                "the request isn't a SubscribeRequest in JSON (line {}, column {})",
                error.line(),
                error.column()
            );
            Error::invalid(Kind::InvalidRequest, "", rule)
        }
    }
}

static RESPONSE: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(poke_proto::FILE_DESCRIPTOR_SET).expect("what protox has encoded");
    pool.get_message_by_name("poke.v1.SubscribeResponse").expect("it is in the contract")
});

/// An event in ProtoJSON, framed, from the same in protobuf.
#[must_use]
pub fn event(frame: &Bytes) -> Bytes {
    let response = v1::SubscribeResponse::decode(frame.slice(PREFIX_BYTES..)).expect("a frame of ours");
    envelope::seal(0, json::text(&proto_json(response)).as_bytes())
}

/// By the contract's descriptors, but for `data`: its mapping is ours (1 and not 1.0, as it was published), in a tenth of
/// the time.
fn proto_json(mut response: v1::SubscribeResponse) -> Value {
    let (member, data) = match &mut response.event {
        Some(Event::Poke(poke)) => ("poke", poke.data.take()),
        Some(Event::Ended(ended)) => ("ended", ended.data.take()),
        _ => ("", None),
    };
    let mut message = DynamicMessage::new(RESPONSE.clone());
    message.transcode_from(&response).expect("both are of one contract");
    let mut json = serde_json::to_value(&message).expect("events have no value that JSON lacks");
    if let Some(data) = data {
        json[member]["data"] = data.to_value().expect("data was validated when it came");
    }
    json
}
