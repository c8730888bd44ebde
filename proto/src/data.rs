//! What a poke carries: `google.protobuf.Value`, kept as its encoded bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::{
    DecodeError, Message,
    encoding::{self, DecodeContext, WireType},
};

mod json;
mod tree;
mod wire;

use tree::Budget;

#[cfg(test)]
mod tests;

/// The most arrays and objects that may be nested in data: `"x"` is 0, `[]` is 1.
///
/// An object costs three message levels on the wire, and several protobuf runtimes stop at 100 levels, envelope
/// included. At this depth every one of them reads whatever the server accepted.
pub const MAX_DATA_DEPTH: usize = 24;

/// A string or any JSON value, as an encoded `google.protobuf.Value`.
///
/// What comes from the wire is kept as it is, and is neither checked nor turned into a tree until somebody asks: the
/// server passes data through, and a client reads it once. [`Data::canonical`] is the check.
///
/// Equality is that of the bytes. Two encodings of the same JSON can differ (object keys have no order on the wire), so
/// compare canonical forms. The default is an empty message, a value without a kind, which nothing but decoding needs.
#[derive(Clone, Debug, Default)]
pub struct Data {
    bytes: Bytes,
    /// How many fields were merged into the bytes while decoding.
    merged: usize,
}

/// The most fields that a `Value` is merged from. Encoders write one, and merging more of them takes time.
const MAX_MERGED: usize = 1000;

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Data {}

/// Why something can't be the data of a poke. Says the rule, never the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Not JSON (RFC 8259).
    #[error("not valid JSON")]
    NotJson,
    /// A whole number without an exact double: rounding it would change an id in silence. Written as a double, such as
    /// `1e23`, it counts as exact if the double has each of its digits.
    #[error("an integer that a double can't hold exactly: send it as a string")]
    InexactInteger,
    /// A number out of the range of doubles, an infinity or NaN.
    #[error("a number that isn't a finite double")]
    NotFinite,
    /// A number other than zero of which a double keeps nothing.
    #[error("a number so close to zero that a double can't hold it")]
    Underflow,
    /// More than [`MAX_DATA_DEPTH`].
    #[error("more than {MAX_DATA_DEPTH} nested arrays and objects")]
    TooDeep,
    /// Bytes that aren't UTF-8, or an escape of half a surrogate pair.
    #[error("text that isn't valid Unicode")]
    NotUnicode,
    /// A `Value` with none of its kinds set. Several runtimes can decode it and then fail to print it.
    #[error("a google.protobuf.Value without a kind")]
    NoKind,
    /// More than the limit that was given.
    #[error("more than it may take in its encoding")]
    TooLarge,
    /// Bytes that don't encode a `Value`.
    #[error("not an encoded google.protobuf.Value")]
    Malformed,
}

impl Data {
    /// JSON text as data.
    ///
    /// Of a key that occurs twice in an object, the last one counts.
    ///
    /// # Errors
    /// If it isn't JSON, nests too deep, holds a number that a double can't (see [`DataError`]), or half a surrogate
    /// pair.
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        json::parse(text, &mut Budget::unlimited()).map(|tree| tree.encode())
    }

    /// JSON text as data, of which the encoding is to take at most `most` bytes. Reading stops where it can no longer
    /// fit, so that refusing takes no longer than accepting. What passes can still be larger by a few bytes for each
    /// value in it: [`Data::encoded_size`] tells.
    ///
    /// # Errors
    /// As for [`Data::from_json`]; [`DataError::TooLarge`], also if members of equal names are more than would fit.
    pub fn from_json_within(text: &str, most: usize) -> Result<Self, DataError> {
        json::parse(text, &mut Budget::of(most)).map(|tree| tree.encode())
    }

    /// A JSON value as data.
    ///
    /// # Errors
    /// If it nests too deep or holds an integer that a double can't.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, DataError> {
        json::from_value(value).map(|tree| tree.encode())
    }

    /// A string as data.
    #[must_use]
    pub fn string(text: &str) -> Self {
        tree::Tree::Text(text.into()).encode()
    }

    /// The JSON value `null` as data. It isn't the absence of data.
    #[must_use]
    pub fn null() -> Self {
        tree::Tree::Null.encode()
    }

    /// The JSON value. A double without a fraction, and below 2^53 so that it is exact, comes as an integer.
    ///
    /// # Errors
    /// As for [`Data::canonical`].
    pub fn to_value(&self) -> Result<serde_json::Value, DataError> {
        wire::parse(&self.bytes, &mut Budget::unlimited()).map(json::to_value)
    }

    /// The JSON value as text, without white space.
    ///
    /// # Errors
    /// As for [`Data::canonical`].
    pub fn to_json(&self) -> Result<String, DataError> {
        self.to_value().map(|value| value.to_string())
    }

    /// The one form of all encodings of the same JSON: unknown fields are dropped, null is encoded as zero, and keys
    /// are unique and sorted. It is the only check of data, and every protobuf runtime reads what passes it.
    ///
    /// # Errors
    /// If the bytes don't encode a `Value`, or one of the values in it has no kind, a number that isn't finite, text
    /// that isn't UTF-8, or too many levels.
    pub fn canonical(&self) -> Result<Self, DataError> {
        wire::parse(&self.bytes, &mut Budget::unlimited()).map(|tree| tree.encode())
    }

    /// The canonical form, which is to take at most `most` bytes: as [`Data::canonical`], but within the bound of
    /// [`Data::from_json_within`].
    ///
    /// # Errors
    /// As for [`Data::canonical`]; [`DataError::TooLarge`], also if fields that are replaced or unknown are more than
    /// would fit.
    pub fn canonical_within(&self, most: usize) -> Result<Self, DataError> {
        wire::parse(&self.bytes, &mut Budget::of(most)).map(|tree| tree.encode())
    }

    /// What is already encoded.
    fn encoded(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), merged: 0 }
    }

    /// The encoded `google.protobuf.Value`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of the encoded `google.protobuf.Value`, which is what counts towards the size of a poke. A string costs
    /// two or more bytes beside its text, a number in an array costs 11.
    #[must_use]
    pub fn encoded_size(&self) -> usize {
        self.bytes.len()
    }
}

impl Message for Data {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.bytes);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if !wire::KINDS.contains(&tag) {
            return encoding::skip_field(wire_type, tag, buf, ctx);
        }
        self.merged += 1;
        if self.merged > MAX_MERGED {
            #[expect(deprecated, reason = "prost has no other way for a message to refuse a field")]
            return Err(DecodeError::new("a google.protobuf.Value in too many parts"));
        }
        // Two encodings of a message put behind each other are their merge (protobuf encoding, "Last One Wins"). The
        // bytes are ours alone while decoding, so that they grow in place however many fields there are.
        let mut merged =
            std::mem::take(&mut self.bytes).try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        match wire_type {
            WireType::Varint => {
                let mut value = 0;
                encoding::uint64::merge(wire_type, &mut value, buf, ctx)?;
                encoding::uint64::encode(tag, &value, &mut merged);
            }
            WireType::SixtyFourBit => {
                let mut value = 0;
                encoding::fixed64::merge(wire_type, &mut value, buf, ctx)?;
                encoding::fixed64::encode(tag, &value, &mut merged);
            }
            WireType::ThirtyTwoBit => {
                let mut value = 0;
                encoding::fixed32::merge(wire_type, &mut value, buf, ctx)?;
                encoding::fixed32::encode(tag, &value, &mut merged);
            }
            WireType::LengthDelimited => {
                let mut value = Bytes::new();
                encoding::bytes::merge(wire_type, &mut value, buf, ctx)?;
                encoding::bytes::encode(tag, &value, &mut merged);
            }
            WireType::StartGroup | WireType::EndGroup => encoding::skip_field(wire_type, tag, buf, ctx)?,
        }
        self.bytes = merged.freeze();
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}
