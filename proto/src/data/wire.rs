//! Between a tree and the encoding of `google.protobuf.Value`:
//!
//! ```proto
//! message Value {
//!   oneof kind {
//!     NullValue null_value = 1;
//!     double number_value = 2;
//!     string string_value = 3;
//!     bool bool_value = 4;
//!     Struct struct_value = 5;
//!     ListValue list_value = 6;
//!   }
//! }
//! message Struct { map<string, Value> fields = 1; }  // an entry is a message: key = 1, value = 2
//! message ListValue { repeated Value values = 1; }
//! ```

use std::{borrow::Cow, collections::BTreeMap, ops::RangeInclusive};

use prost::encoding::{self, DecodeContext, WireType};

use super::{
    Data, DataError,
    tree::{Depth, Tree},
};

/// The field numbers of a `Value`.
pub(super) const KINDS: RangeInclusive<u32> = 1..=6;

/// The tree that `bytes` encode.
pub(super) fn parse(bytes: &[u8]) -> Result<Tree<'_>, DataError> {
    let mut value = None;
    merge_value(&mut value, bytes, Depth::default())?;
    value.ok_or(DataError::NoKind)
}

/// Merges an encoded `Value` into `value`: of several kinds the last one counts, but two objects or two lists in a row
/// are joined, as every protobuf runtime does.
fn merge_value<'a>(value: &mut Option<Tree<'a>>, bytes: &'a [u8], depth: Depth) -> Result<(), DataError> {
    for field in Fields(bytes) {
        *value = Some(match field? {
            (1, Payload::Varint(_)) => Tree::Null,
            (2, Payload::Fixed64(bits)) => Tree::Number(finite(f64::from_bits(bits))?),
            (3, Payload::Bytes(bytes)) => Tree::Text(text(bytes)?),
            (4, Payload::Varint(bit)) => Tree::Bool(bit != 0),
            (5, Payload::Bytes(bytes)) => {
                let mut members =
                    if let Some(Tree::Object(members)) = value.take() { members } else { BTreeMap::new() };
                merge_object(&mut members, bytes, depth.deeper()?)?;
                Tree::Object(members)
            }
            (6, Payload::Bytes(bytes)) => {
                let mut items = if let Some(Tree::List(items)) = value.take() { items } else { Vec::new() };
                merge_list(&mut items, bytes, depth.deeper()?)?;
                Tree::List(items)
            }
            (tag, _) if KINDS.contains(&tag) => return Err(DataError::Malformed),
            _ => continue,
        });
    }
    Ok(())
}

fn merge_list<'a>(items: &mut Vec<Tree<'a>>, bytes: &'a [u8], depth: Depth) -> Result<(), DataError> {
    for field in Fields(bytes) {
        match field? {
            (1, Payload::Bytes(bytes)) => {
                let mut item = None;
                merge_value(&mut item, bytes, depth)?;
                items.push(item.ok_or(DataError::NoKind)?);
            }
            (1, _) => return Err(DataError::Malformed),
            _ => {}
        }
    }
    Ok(())
}

fn merge_object<'a>(
    members: &mut BTreeMap<Cow<'a, str>, Tree<'a>>,
    bytes: &'a [u8],
    depth: Depth,
) -> Result<(), DataError> {
    for field in Fields(bytes) {
        match field? {
            (1, Payload::Bytes(bytes)) => {
                let (key, value) = parse_member(bytes, depth)?;
                members.insert(key, value);
            }
            (1, _) => return Err(DataError::Malformed),
            _ => {}
        }
    }
    Ok(())
}

fn parse_member(bytes: &[u8], depth: Depth) -> Result<(Cow<'_, str>, Tree<'_>), DataError> {
    let (mut key, mut value) = (Cow::default(), None);
    for field in Fields(bytes) {
        match field? {
            (1, Payload::Bytes(bytes)) => key = text(bytes)?,
            (2, Payload::Bytes(bytes)) => merge_value(&mut value, bytes, depth)?,
            (1 | 2, _) => return Err(DataError::Malformed),
            _ => {}
        }
    }
    Ok((key, value.ok_or(DataError::NoKind)?))
}

fn text(bytes: &[u8]) -> Result<Cow<'_, str>, DataError> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| DataError::NotUnicode)
}

fn finite(number: f64) -> Result<f64, DataError> {
    if number.is_finite() { Ok(number) } else { Err(DataError::NotFinite) }
}

/// The fields of one encoded message, in order. After an error it is done.
struct Fields<'a>(&'a [u8]);

enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// A wire type that no field of a `Value` has.
    Foreign,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Payload<'a>), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.take_field().ok_or(DataError::Malformed);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn take_field(&mut self) -> Option<(u32, Payload<'a>)> {
        let (tag, wire_type) = encoding::decode_key(&mut self.0).ok()?;
        let payload = match wire_type {
            WireType::Varint => Payload::Varint(encoding::decode_varint(&mut self.0).ok()?),
            WireType::SixtyFourBit => Payload::Fixed64(u64::from_le_bytes(*self.take_array()?)),
            WireType::LengthDelimited => {
                let length = encoding::decode_varint(&mut self.0).ok()?;
                let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
                self.0 = rest;
                Payload::Bytes(bytes)
            }
            WireType::ThirtyTwoBit | WireType::StartGroup | WireType::EndGroup => {
                encoding::skip_field(wire_type, tag, &mut self.0, DecodeContext::default()).ok()?;
                Payload::Foreign
            }
        };
        Some((tag, payload))
    }

    fn take_array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }
}

impl Tree<'_> {
    /// The canonical encoding.
    pub(super) fn encode(&self) -> Data {
        let mut out = Backwards(Vec::new());
        out.value(self);
        out.0.reverse();
        Data(out.0.into())
    }
}

/// Writes a message from its last byte to its first, so that each length is known when its turn comes, and no part is
/// measured or moved once a level.
struct Backwards(Vec<u8>);

impl Backwards {
    fn value(&mut self, value: &Tree<'_>) {
        match value {
            Tree::Null => self.varint_field(1, 0),
            Tree::Number(number) => {
                self.bytes(&number.to_le_bytes());
                self.key(2, WireType::SixtyFourBit);
            }
            Tree::Text(text) => self.text_field(3, text),
            Tree::Bool(bit) => self.varint_field(4, u64::from(*bit)),
            Tree::Object(members) => self.message_field(5, |out| {
                for (key, value) in members.iter().rev() {
                    out.message_field(1, |out| {
                        out.message_field(2, |out| out.value(value));
                        out.text_field(1, key);
                    });
                }
            }),
            Tree::List(items) => self.message_field(6, |out| {
                for item in items.iter().rev() {
                    out.message_field(1, |out| out.value(item));
                }
            }),
        }
    }

    fn message_field(&mut self, tag: u32, body: impl FnOnce(&mut Self)) {
        let end = self.0.len();
        body(self);
        self.varint((self.0.len() - end) as u64);
        self.key(tag, WireType::LengthDelimited);
    }

    fn text_field(&mut self, tag: u32, text: &str) {
        self.message_field(tag, |out| out.bytes(text.as_bytes()));
    }

    fn varint_field(&mut self, tag: u32, value: u64) {
        self.varint(value);
        self.key(tag, WireType::Varint);
    }

    fn key(&mut self, tag: u32, wire_type: WireType) {
        self.varint(u64::from(tag << 3 | wire_type as u32));
    }

    fn varint(&mut self, value: u64) {
        let start = self.0.len();
        encoding::encode_varint(value, &mut self.0);
        self.0[start..].reverse();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(bytes.iter().rev());
    }
}
