//! Rejects requests in protobuf that have a field this server doesn't know.
//!
//! A server that drops a field can do something else than its caller asked for: an old one that ignores a flag such as
//! "only validate this" would really publish. So a request is refused as a whole, and servers are upgraded before clients.

use std::{collections::HashMap, sync::LazyLock};

use bytes::Buf;
use poke_proto::FILE_DESCRIPTOR_SET;
use prost::{
    DecodeError, Message as _,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use prost_types::{DescriptorProto, FileDescriptorSet};

use crate::error::{Error, Kind};

/// The message that holds any JSON. What is in it is the publisher's, and checked as data.
const JSON: &str = ".google.protobuf.Value";

/// The longest path to a field that is told to the caller.
const MAX_PATH: usize = 80;

/// The fields of all messages of the contract, by the message's full name with a leading dot.
static MESSAGES: LazyLock<HashMap<String, Vec<Field>>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the set that the build has encoded");
    let mut messages = HashMap::new();
    for file in &files.file {
        for message in &file.message_type {
            insert(&mut messages, &format!(".{}", file.package()), message);
        }
    }
    messages
});

struct Field {
    number: u32,
    name: String,
    is_repeated: bool,
    /// The type of a message whose fields are checked as well.
    nested: Option<String>,
}

fn insert(messages: &mut HashMap<String, Vec<Field>>, scope: &str, descriptor: &DescriptorProto) {
    let name = format!("{scope}.{}", descriptor.name());
    for nested in &descriptor.nested_type {
        insert(messages, &name, nested);
    }
    let fields = descriptor.field.iter().map(|field| Field {
        number: field.number().unsigned_abs(),
        name: field.name().to_owned(),
        is_repeated: field.label() == prost_types::field_descriptor_proto::Label::Repeated,
        nested: field
            .type_name
            .clone()
            .filter(|name| name != JSON && field.r#type() == prost_types::field_descriptor_proto::Type::Message),
    });
    messages.insert(name, fields.collect());
}

/// Checks that `bytes`, a message of this full name with a leading dot, has only fields that the contract of this server
/// declares, at any level but inside `data`, and at most `max_fields` of them.
///
/// # Errors
/// [`Kind::UnsupportedField`] with the path and number of the first unknown field; [`Kind::InvalidRequest`] for bytes
/// that aren't such a message, or for too many fields.
pub(super) fn check(name: &str, mut bytes: &[u8], max_fields: usize) -> Result<(), Error> {
    Walk { left: max_fields, path: Vec::new() }.message(name, &mut bytes)
}

/// One pass over a message.
struct Walk {
    /// The number of fields that may still come.
    left: usize,
    /// The fields that lead to the message under way, with the index in a repeated one.
    path: Vec<(&'static Field, usize)>,
}

impl Walk {
    fn message(&mut self, name: &str, bytes: &mut &[u8]) -> Result<(), Error> {
        let fields = MESSAGES.get(name).expect("a message of the contract");
        let mut counts = vec![0; fields.len()];
        while bytes.has_remaining() {
            self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
            let (number, wire_type) = decode_key(bytes).map_err(undecodable)?;
            let Some(place) = fields.iter().position(|field| field.number == number) else {
                return Err(self.unsupported(name, number));
            };
            let field = &fields[place];
            match &field.nested {
                Some(nested) if wire_type == WireType::LengthDelimited => {
                    let mut inner = take(bytes)?;
                    self.path.push((field, counts[place]));
                    self.message(nested, &mut inner)?;
                    self.path.pop();
                    counts[place] += 1;
                }
                _ => skip_field(wire_type, number, bytes, DecodeContext::default()).map_err(undecodable)?,
            }
        }
        Ok(())
    }

    fn unsupported(&self, name: &str, number: u32) -> Error {
        let mut path = String::new();
        for (field, index) in &self.path {
            path += &field.name;
            if field.is_repeated {
                path += &format!("[{index}]");
            }
            path.push('.');
        }
        path += &number.to_string();
        path.truncate(MAX_PATH);
        let name = name.rsplit('.').next().unwrap_or(name);
        Error::invalid(Kind::UnsupportedField, path, format!("this server doesn't know field {number} of {name}"))
    }
}

/// The bytes of a field that has its length before it.
fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let len = decode_varint(bytes).map_err(undecodable)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= bytes.len());
    let (inner, rest) = bytes.split_at(len.ok_or_else(cut_off)?);
    *bytes = rest;
    Ok(inner)
}

fn cut_off() -> Error {
    Error::invalid(Kind::InvalidRequest, "", "the request ends within a field")
}

fn too_many() -> Error {
    Error::invalid(Kind::InvalidRequest, "", "the request has too many fields")
}

pub(super) fn undecodable(error: DecodeError) -> Error {
    Error::from(Kind::InvalidRequest).because(error)
}
