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
    tree::{Budget, Depth, Members, Tree},
};

/// The field numbers of a `Value`.
pub(super) const KINDS: RangeInclusive<u32> = 1..=6;

/// The tree that `bytes` encode.
pub(super) fn parse<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<Tree<'a>, DataError> {
    let mut value = None;
    merge_value(&mut value, bytes, Depth::default(), budget)?;
    value.ok_or(DataError::NoKind)
}

/// Merges an encoded `Value` into `value`: of several kinds the last one counts, but two objects or two lists in a row
/// are joined, as every protobuf runtime does.
fn merge_value<'a>(
    value: &mut Option<Tree<'a>>,
    bytes: &'a [u8],
    depth: Depth,
    budget: &mut Budget,
) -> Result<(), DataError> {
    for field in Fields(bytes) {
        budget.visit()?;
        match (field?, &mut *value) {
            ((5, Payload::Bytes(bytes)), Some(Tree::Object(members))) => {
                merge_object(members, bytes, depth.deeper()?, budget)?;
            }
            ((6, Payload::Bytes(bytes)), Some(Tree::List(items))) => {
                merge_list(items, bytes, depth.deeper()?, budget)?;
            }
            ((tag, payload), _) if KINDS.contains(&tag) => {
                budget.replaced(value.take().as_ref());
                *value = Some(parse_kind(tag, payload, depth, budget)?);
            }
            _ => {}
        }
    }
    Ok(())
}

fn parse_kind<'a>(tag: u32, payload: Payload<'a>, depth: Depth, budget: &mut Budget) -> Result<Tree<'a>, DataError> {
    let mut value = budget.value(match (tag, &payload) {
        (1, Payload::Varint(_)) => Tree::Null,
        (2, Payload::Fixed64(bits)) => Tree::Number(finite(f64::from_bits(*bits))?),
        (3, Payload::Bytes(bytes)) => Tree::Text(text(bytes)?),
        (4, Payload::Varint(bit)) => Tree::Bool(*bit != 0),
        (5, Payload::Bytes(_)) => Tree::Object(BTreeMap::new()),
        (6, Payload::Bytes(_)) => Tree::List(Vec::new()),
        _ => return Err(DataError::Malformed),
    })?;
    match (&mut value, payload) {
        (Tree::Object(members), Payload::Bytes(bytes)) => merge_object(members, bytes, depth.deeper()?, budget)?,
        (Tree::List(items), Payload::Bytes(bytes)) => merge_list(items, bytes, depth.deeper()?, budget)?,
        _ => {}
    }
    Ok(value)
}

fn merge_list<'a>(
    items: &mut Vec<Tree<'a>>,
    bytes: &'a [u8],
    depth: Depth,
    budget: &mut Budget,
) -> Result<(), DataError> {
    for field in Fields(bytes) {
        budget.visit()?;
        match field? {
            (1, Payload::Bytes(bytes)) => {
                budget.item()?;
                let mut item = None;
                merge_value(&mut item, bytes, depth, budget)?;
                items.push(item.ok_or(DataError::NoKind)?);
            }
            (1, _) => return Err(DataError::Malformed),
            _ => {}
        }
    }
    Ok(())
}

fn merge_object<'a>(
    members: &mut Members<'a>,
    bytes: &'a [u8],
    depth: Depth,
    budget: &mut Budget,
) -> Result<(), DataError> {
    for field in Fields(bytes) {
        budget.visit()?;
        match field? {
            (1, Payload::Bytes(bytes)) => merge_member(members, bytes, depth, budget)?,
            (1, _) => return Err(DataError::Malformed),
            _ => {}
        }
    }
    Ok(())
}

fn merge_member<'a>(
    members: &mut Members<'a>,
    bytes: &'a [u8],
    depth: Depth,
    budget: &mut Budget,
) -> Result<(), DataError> {
    let key = key(bytes, budget)?;
    budget.begin_member(members, &key)?;
    let mut value = None;
    for field in Fields(bytes) {
        match field? {
            (2, Payload::Bytes(bytes)) => merge_value(&mut value, bytes, depth, budget)?,
            (2, _) => return Err(DataError::Malformed),
            _ => {}
        }
    }
    members.insert(key, value.ok_or(DataError::NoKind)?);
    Ok(())
}

/// The name of a member. It may stand behind the value.
fn key<'a>(member: &'a [u8], budget: &mut Budget) -> Result<Cow<'a, str>, DataError> {
    let mut key = Cow::default();
    for field in Fields(member) {
        budget.visit()?;
        match field? {
            (1, Payload::Bytes(bytes)) => key = text(bytes)?,
            (1, _) => return Err(DataError::Malformed),
            _ => {}
        }
    }
    Ok(key)
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
        Data::encoded(out.0)
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
