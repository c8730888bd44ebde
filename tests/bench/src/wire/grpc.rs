//! gRPC messages, and the little of two contracts that the bench needs.

use poke_proto::{Data, v1};
use prost::Message as _;

use super::{DOMAIN, Event, SHARED};
use crate::Fault;

/// The flag and the length before each message.
const PREFIX_BYTES: usize = 5;
/// As much of a message as is needed to tell what it is.
const HEAD_BYTES: usize = 24;

/// Whose messages they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contract {
    /// `poke.v1`.
    Poke,
    /// `centrifugal.centrifugo.unistream`, and `.api` to publish.
    Centrifugo,
}

impl Contract {
    pub(super) fn subscribe_path(self) -> &'static str {
        match self {
            Self::Poke => "/poke.v1.PokeService/Subscribe",
            Self::Centrifugo => "/centrifugal.centrifugo.unistream.CentrifugoUniStream/Consume",
        }
    }

    pub(super) fn publish_path(self) -> &'static str {
        match self {
            Self::Poke => "/poke.v1.PokeService/Publish",
            Self::Centrifugo => "/centrifugal.centrifugo.api.CentrifugoApi/Publish",
        }
    }

    pub(super) fn subscribe(self, filters: &[String]) -> Vec<u8> {
        match self {
            Self::Poke => {
                let subscriptions = filters.iter().map(|filter| v1::Subscription {
                    interest: Some(v1::Interest { domain: DOMAIN.into(), filter: filter.clone(), audience: 0 }),
                    start: None,
                });
                message(&v1::SubscribeRequest { subscriptions: subscriptions.collect() }.encode_to_vec())
            }
            // ConnectRequest.subs is field 3, a map from channel to an empty message.
            Self::Centrifugo => {
                let entries =
                    filters.iter().map(|filter| field(3, &[field(1, filter.as_bytes()), field(2, b"")].concat()));
                message(&entries.flatten().collect::<Vec<_>>())
            }
        }
    }

    pub(super) fn publish(self, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Poke => {
                let data = Data::string(std::str::from_utf8(payload).expect("payloads are ASCII"));
                let (domain, filter) = (DOMAIN.into(), SHARED.into());
                message(&v1::PublishRequest { domain, filter, data: Some(data), ..Default::default() }.encode_to_vec())
            }
            // The gRPC API takes any JSON. PublishRequest: the channel is field 1, the data field 2.
            Self::Centrifugo => {
                let quoted = [b"\"", payload, b"\""].concat();
                message(&[field(1, SHARED.as_bytes()), field(2, &quoted)].concat())
            }
        }
    }

    /// What a message of a subscription says. `interests` is how many the stream has asked for.
    fn event(self, head: &[u8], bytes: usize, interests: usize) -> Result<Option<Event>, Fault> {
        // SubscribeResponse is a oneof, so its first key is its event's. Push begins with the channel, if it has one.
        let key = |at: usize| head.get(at).map(|key| key >> 3);
        Ok(match (self, key(0)) {
            (Self::Poke, Some(1)) => None,
            (Self::Poke, Some(7)) => Some(Event::Heartbeat),
            (Self::Poke, Some(2)) => Some(Event::Live(1)),
            (Self::Poke, Some(4)) => Some(Event::Delivery { stream: 0, bytes }),
            (Self::Poke, Some(5)) => Some(Event::Loss),
            (Self::Centrifugo, Some(10)) => Some(Event::Live(interests)),
            (Self::Centrifugo, Some(2)) => match key(2 + usize::from(*head.get(1).ok_or("a cut push")?)) {
                Some(4) => Some(Event::Delivery { stream: 0, bytes }),
                _ => None,
            },
            // A push without anything is a ping.
            (Self::Centrifugo, None) => None,
            (_, other) => return Err(format!("an event that a quiet subscriber doesn't expect: {other:?}").into()),
        })
    }
}

/// A message in its gRPC frame.
fn message(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("messages are far below 4 GiB");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// A length-delimited protobuf field.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(value.len() as u64, &mut field);
    field.extend_from_slice(value);
    field
}

/// One stream's messages, however DATA frames cut them.
#[derive(Debug, Default)]
pub(super) struct Messages {
    head: [u8; PREFIX_BYTES + HEAD_BYTES],
    have: usize,
    left: usize,
    length: usize,
    interests: usize,
    /// How many were whole.
    pub(super) count: usize,
}

impl Messages {
    pub(super) fn new(interests: usize) -> Self {
        Self { interests, ..Self::default() }
    }

    pub(super) fn read(
        &mut self,
        contract: Contract,
        mut bytes: &[u8],
        each: &mut dyn FnMut(Event),
    ) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let wanted = if self.have < PREFIX_BYTES { PREFIX_BYTES - self.have } else { self.left };
            let (part, after) = bytes.split_at(wanted.min(bytes.len()));
            bytes = after;
            let room = self.head.len() - self.have.min(self.head.len());
            let kept = part.len().min(room);
            self.head[self.have..self.have + kept].copy_from_slice(&part[..kept]);
            if self.have < PREFIX_BYTES {
                self.have += kept;
                if self.have < PREFIX_BYTES {
                    return Ok(());
                }
                let [_, length @ ..] = *self.head.first_chunk::<PREFIX_BYTES>().expect("the head has the prefix");
                self.length = u32::from_be_bytes(length) as usize;
                self.left = self.length;
            } else {
                self.have += kept;
                self.left -= part.len();
            }
            if self.left == 0 {
                self.count += 1;
                let event = contract.event(&self.head[PREFIX_BYTES..self.have], self.length, self.interests)?;
                self.have = 0;
                event.into_iter().for_each(&mut *each);
            }
        }
        Ok(())
    }
}
