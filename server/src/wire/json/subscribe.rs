//! The JSON form of a Subscribe: its request, and its events.

use std::sync::LazyLock;

use bytes::Bytes;
use poke_proto::v1::{self, subscription::Start};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::Deserialize;

use super::fields::{self, AudienceName};
use crate::{
    error::{Error, Kind},
    frame::PREFIX_BYTES,
    wire::{StreamRequest, envelope},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default)]
    subscriptions: Vec<Subscription>,
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
    #[serde(default)]
    domain: String,
    #[serde(default)]
    filter: String,
    audience: Option<AudienceName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    #[serde(default)]
    epoch: String,
    #[serde(default)]
    sequence: Sequence,
}

/// 64-bit integers are strings in ProtoJSON, and numbers are taken as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum Sequence {
    Number(i64),
    Text(String),
}

impl Default for Sequence {
    fn default() -> Self {
        Self::Number(0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latest {}

impl StreamRequest for v1::SubscribeRequest {
    fn from_json(text: &str) -> Result<Self, Error> {
        let request: Request = serde_json::from_str(text).map_err(|error| misread(&error))?;
        let subscriptions = request.subscriptions.into_iter().map(Subscription::read).collect::<Result<_, _>>()?;
        Ok(Self { subscriptions })
    }
}

impl Subscription {
    fn read(self) -> Result<v1::Subscription, Error> {
        let start = match (self.after, self.latest) {
            (None, None) => None,
            (Some(Position { epoch, sequence }), None) => {
                Some(Start::After(v1::Position { epoch, sequence: sequence.read()? }))
            }
            (None, Some(Latest {})) => Some(Start::Latest(v1::Latest {})),
            (Some(_), Some(_)) => return Err(wrong("a subscription has either after or latest")),
        };
        let interest = self.interest.map(|Interest { domain, filter, audience }| {
            // One that isn't known is for validation to refuse.
            let audience = audience.map_or(0, |audience| audience.number().unwrap_or(i32::MAX));
            v1::Interest { domain, filter, audience }
        });
        Ok(v1::Subscription { interest, start })
    }
}

impl Sequence {
    fn read(self) -> Result<i64, Error> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(|_| wrong("sequence must be a 64-bit integer")),
        }
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
    let message = DynamicMessage::decode(RESPONSE.clone(), frame.slice(PREFIX_BYTES..)).expect("a frame of ours");
    let mut json = Vec::new();
    let options = SerializeOptions::new();
    message
        .serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options)
        .expect("events have no value that JSON lacks");
    envelope::seal(0, &json)
}
