//! A poke that carries when it was sent, and a decoder that keeps nothing else of it.

use poke_proto::{
    Data,
    v1::{SubscribeRequest, SubscribeResponse, subscribe_response::Event},
};
use prost::Message as _;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// How many digits the time has. They are the end of the data, so that its head need not be read.
const STAMP: usize = 16;

/// Data of `size` bytes of text that says `now`.
pub(crate) fn stamped(now: u64, size: usize) -> Data {
    let padding = size.saturating_sub(STAMP);
    Data::string(&format!("{}{now:016x}", "-".repeat(padding)))
}

fn stamp(data: &Data) -> Option<u64> {
    let digits = data.as_bytes().last_chunk::<STAMP>()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// What a run wants to know of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Live,
    Poke { sent: Option<u64> },
    Gap { missed: u64 },
    Rejected { code: i32, reason: String },
    Other,
}

impl From<SubscribeResponse> for Seen {
    fn from(response: SubscribeResponse) -> Self {
        match response.event {
            Some(Event::Poke(poke)) => Self::Poke { sent: poke.data.as_ref().and_then(stamp) },
            Some(Event::Subscribed(_)) => Self::Live,
            Some(Event::Gap(gap)) => {
                Self::Gap { missed: gap.missed_count.and_then(|missed| u64::try_from(missed).ok()).unwrap_or_default() }
            }
            Some(Event::Rejected(rejected)) => Self::Rejected { code: rejected.code, reason: rejected.reason },
            _ => Self::Other,
        }
    }
}

/// Like tonic's codec for protobuf, but its buffers start small: ten thousand streams take a tenth of the memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lean;

const BUFFER: usize = 512;

impl Codec for Lean {
    type Encode = SubscribeRequest;
    type Decode = Seen;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Lean {
    type Item = SubscribeRequest;
    type Error = Status;

    fn encode(&mut self, request: SubscribeRequest, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        request.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, BUFFER)
    }
}

impl Decoder for Lean {
    type Item = Seen;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Seen>, Status> {
        let response = SubscribeResponse::decode(buffer).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(response.into()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, BUFFER)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_poke_says_when_it_was_sent() {
        for size in [16, 17, 256, 100_000] {
            let data = stamped(123_456_789, size);
            assert_eq!(stamp(&data), Some(123_456_789));
            assert_eq!(data.to_value().unwrap().as_str().unwrap().len(), size);
        }
        assert_eq!(stamp(&Data::null()), None);
        assert_eq!(stamp(&Data::string("somebody else's poke")), None);
    }
}
