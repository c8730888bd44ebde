//! Events as they go out: encoded and framed once, however many streams carry them.
//!
//! A frame is a length-prefixed message (gRPC over HTTP/2, "Length-Prefixed-Message"; the same five bytes begin a
//! gRPC-Web data frame and a Connect envelope).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut as _, Bytes, BytesMut};
use poke_proto::{Data, v1};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::interest::{Interest, Recipients};

/// The flag and the length before each message.
pub const PREFIX_BYTES: usize = 5;

/// The most bytes of a poke's fields 1 to 3.
pub const MAX_POKE_BYTES: usize = 131_072;

/// The field of `SubscribeResponse` that carries a poke.
const POKE_FIELD: u32 = 4;
/// Prefix, key of the poke's field and its length, which is below 2^28.
const HEADROOM: usize = PREFIX_BYTES + 1 + 4;
/// Position and publish time, with an epoch of 16 bytes and a sequence below 2^42. More makes the buffer grow.
const TAILROOM: usize = 2 + (2 + 16) + 7 + 2 + 2 * 6;

/// Frames any event.
#[must_use]
pub fn event(event: v1::subscribe_response::Event) -> Bytes {
    message(&v1::SubscribeResponse { event: Some(event) })
}

/// Frames any message.
#[must_use]
pub fn message(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + length);
    put_prefix(&mut frame, length);
    message.encode_raw(&mut frame);
    frame.freeze()
}

fn put_prefix(frame: &mut BytesMut, length: usize) {
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).expect("messages are far below 4 GiB"));
}

/// A poke before it has its place: its first fields encoded, with room around them for the rest.
///
/// Sealing writes some eighty bytes and copies nothing, so that it can happen under a topic's lock.
#[derive(Debug)]
pub struct Draft {
    buffer: BytesMut,
    size: usize,
}

impl Draft {
    /// Encodes domain, filter and data, which must be canonical, and the audience.
    #[must_use]
    pub fn new(interest: &Interest, data: Option<&Data>) -> Self {
        let parts = [Some(interest.domain().as_bytes()), Some(interest.filter().as_bytes()), data.map(Data::as_bytes)];
        let size = size(interest, data);
        let mut buffer = BytesMut::with_capacity(HEADROOM + size + 2 + TAILROOM);
        buffer.put_bytes(0, HEADROOM);
        for (tag, part) in (1..).zip(parts) {
            if let Some(part) = part {
                encode_key(tag, WireType::LengthDelimited, &mut buffer);
                encode_varint(part.len() as u64, &mut buffer);
                buffer.put_slice(part);
            }
        }
        if let Recipients::Customer(_) = interest.recipients() {
            encode_key(4, WireType::Varint, &mut buffer);
            encode_varint(v1::Audience::Customer as u64, &mut buffer);
        }
        Self { buffer, size }
    }

    /// Bytes of fields 1 to 3 of the poke: what its size limit counts.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// What the publisher said, in canonical form: to tell a repeat from other content.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.buffer[HEADROOM..]
    }

    /// The whole event, framed, with its place in the log.
    #[must_use]
    pub fn seal(mut self, epoch: &str, sequence: i64, at: SystemTime) -> Bytes {
        let position = v1::Position { epoch: epoch.to_owned(), sequence };
        prost::encoding::message::encode(5, &position, &mut self.buffer);
        prost::encoding::message::encode(6, &timestamp(at), &mut self.buffer);
        let poke = self.buffer.len() - HEADROOM;
        let length = 1 + encoded_len_varint(poke as u64) + poke;
        let start = self.buffer.len() - length - PREFIX_BYTES;
        let mut header = BytesMut::with_capacity(HEADROOM);
        put_prefix(&mut header, length);
        encode_key(POKE_FIELD, WireType::LengthDelimited, &mut header);
        encode_varint(poke as u64, &mut header);
        self.buffer[start..start + header.len()].copy_from_slice(&header);
        self.buffer.freeze().slice(start..)
    }
}

/// Bytes of fields 1 to 3 of a poke with this interest and data.
#[must_use]
pub fn size(interest: &Interest, data: Option<&Data>) -> usize {
    [Some(interest.domain().len()), Some(interest.filter().len()), data.map(|data| data.as_bytes().len())]
        .into_iter()
        .flatten()
        .map(|length| 1 + encoded_len_varint(length as u64) + length)
        .sum()
}

/// An interest as the contract has it.
#[must_use]
pub fn interest(interest: &Interest) -> v1::Interest {
    let audience = match interest.recipients() {
        Recipients::Everyone => v1::Audience::Unspecified,
        Recipients::Customer(_) => v1::Audience::Customer,
    };
    v1::Interest {
        domain: interest.domain().to_owned(),
        filter: interest.filter().to_owned(),
        audience: audience.into(),
    }
}

/// A duration as the contract has it.
#[must_use]
pub fn duration(duration: Duration) -> prost_types::Duration {
    // Saturates at 292 billion years.
    prost_types::Duration::try_from(duration).unwrap_or(prost_types::Duration { seconds: i64::MAX, nanos: 0 })
}

fn timestamp(at: SystemTime) -> prost_types::Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp { seconds: since.as_secs().cast_signed(), nanos: since.subsec_nanos().cast_signed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_draft_is_what_prost_would_encode() {
        let at = UNIX_EPOCH + Duration::new(1_700_000_000, 5);
        for length in [0, 1, 90, 120, 127, 128, 16_300, 16_384, 131_072] {
            for recipients in [Recipients::Everyone, Recipients::Customer("c".into())] {
                let interest = Interest::new(recipients, "PLAYLIST", "42").expect("valid");
                let data = (length > 0).then(|| Data::string(&"x".repeat(length)));
                let draft = Draft::new(&interest, data.as_ref());
                assert_eq!(draft.size(), draft.content().len() - 2 * usize::from(is_customer(&interest)));
                let frame = draft.seal("epoch", i64::MAX, at);
                let expected = v1::Poke {
                    domain: "PLAYLIST".into(),
                    filter: "42".into(),
                    data,
                    audience: i32::from(is_customer(&interest)),
                    position: Some(v1::Position { epoch: "epoch".into(), sequence: i64::MAX }),
                    publish_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5 }),
                };
                assert_eq!(frame, event(v1::subscribe_response::Event::Poke(expected)));
            }
        }
    }

    #[test]
    fn sealing_a_usual_poke_copies_nothing_and_leaves_little_room() {
        let interest = Interest::new(Recipients::Everyone, "PLAYLIST", "playlist-id").expect("valid");
        let draft = Draft::new(&interest, None);
        let (start, room) = (draft.buffer.as_ptr(), draft.buffer.capacity());
        let at = UNIX_EPOCH + Duration::new(2_000_000_000, 999_999_999);
        let frame = draft.seal(&"e".repeat(16), 1 << 41, at);
        let moved = frame.as_ptr() as usize - start as usize;
        assert!(moved < HEADROOM && frame.len() + moved <= room, "it was copied to a new place");
        assert!(room - frame.len() < 16, "{room} {}", frame.len());
    }

    #[test]
    fn the_longest_epoch_and_sequence_fit() {
        let interest = Interest::new(Recipients::Everyone, &"D".repeat(64), "f").expect("valid");
        let frame = Draft::new(&interest, None).seal(&"e".repeat(64), i64::MAX, SystemTime::now());
        assert!(frame.len() > 64 + 64);
    }

    fn is_customer(interest: &Interest) -> bool {
        matches!(interest.recipients(), Recipients::Customer(_))
    }
}
