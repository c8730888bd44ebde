//! What a poke carries: `google.protobuf.Value`, kept as its encoded bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::{
    DecodeError, Message,
    encoding::{self, DecodeContext, WireType},
};

/// The encoded form of a `google.protobuf.Value`.
///
/// The bytes are taken from the wire as they are and are neither checked nor turned into a tree until somebody asks:
/// the server passes data through, and a client reads it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data(Bytes);

/// Why something can't be the data of a poke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {}

impl Data {
    /// The encoded `google.protobuf.Value`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Message for Data {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        // Two encodings of a message put behind each other are their merge (encoding spec, "Last One Wins").
        let mut merged = BytesMut::from(&self.0[..]);
        encoding::encode_key(tag, wire_type, &mut merged);
        match wire_type {
            WireType::Varint => encoding::encode_varint(encoding::decode_varint(buf)?, &mut merged),
            WireType::SixtyFourBit => merged.put_u64_le(buf.try_get_u64_le().unwrap_or_default()),
            _ => encoding::skip_field(wire_type, tag, buf, ctx)?,
        }
        self.0 = merged.freeze();
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0 = Bytes::new();
    }
}
