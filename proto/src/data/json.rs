//! Between a tree and JSON.
//!
//! The text is parsed one level at a time, since only the literal shows whether a number was written as an integer: by
//! the time that serde_json has made a number of it, an integer beyond 64 bits has been rounded.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{
    DataError,
    tree::{Depth, Tree},
};

/// Integers from here on may have been rounded to the nearest double.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// A literal of so few characters is below 2^53.
const SURELY_EXACT: usize = 15;

/// The tree that `text` stands for.
pub(super) fn parse(text: &str) -> Result<Tree<'_>, DataError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| DataError::NotJson)?;
    parse_value(raw, Depth::default())
}

fn parse_value(raw: &RawValue, depth: Depth) -> Result<Tree<'_>, DataError> {
    let text = raw.get();
    // Text in a RawValue is known to be JSON, but for surrogates: those are looked at only where a string is decoded.
    let decode_error = |_| DataError::NotUnicode;
    Ok(match text.as_bytes().first() {
        Some(b'n') => Tree::Null,
        Some(b't') => Tree::Bool(true),
        Some(b'f') => Tree::Bool(false),
        Some(b'"') => Tree::Text(serde_json::from_str::<Text<'_>>(text).map_err(decode_error)?.0),
        Some(b'[') => {
            let depth = depth.deeper()?;
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(decode_error)?;
            Tree::List(items.into_iter().map(|item| parse_value(item, depth)).collect::<Result<_, _>>()?)
        }
        Some(b'{') => {
            let depth = depth.deeper()?;
            let Members(members) = serde_json::from_str(text).map_err(decode_error)?;
            let parsed = members.into_iter().map(|(key, value)| Ok((key, parse_value(value, depth)?)));
            Tree::Object(parsed.collect::<Result<_, _>>()?)
        }
        _ => Tree::Number(number(text)?),
    })
}

/// The double that a literal stands for. One that was written as an integer must be that integer.
fn number(literal: &str) -> Result<f64, DataError> {
    let number: f64 = literal.parse().map_err(|_| DataError::NotJson)?;
    let written_as_integer = !literal.contains(['.', 'e', 'E']);
    if written_as_integer && literal.len() > SURELY_EXACT && format!("{number:.0}") != literal {
        return Err(DataError::InexactInteger);
    }
    if number.is_finite() { Ok(number) } else { Err(DataError::NotFinite) }
}

/// A string, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object with their values unparsed. The last of equal keys wins.
struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((Text(key), value)) = map.next_entry()? {
                    members.insert(key, value);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The tree of a value that serde_json has parsed, or a program has made.
pub(super) fn from_value(value: &Value) -> Result<Tree<'_>, DataError> {
    from_value_at(value, Depth::default())
}

fn from_value_at(value: &Value, depth: Depth) -> Result<Tree<'_>, DataError> {
    Ok(match value {
        Value::Null => Tree::Null,
        Value::Bool(bit) => Tree::Bool(*bit),
        Value::Number(literal) => Tree::Number(number(&literal.to_string())?),
        Value::String(text) => Tree::Text(text.into()),
        Value::Array(items) => {
            let depth = depth.deeper()?;
            Tree::List(items.iter().map(|item| from_value_at(item, depth)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let depth = depth.deeper()?;
            let parsed = members.iter().map(|(key, value)| Ok((key.into(), from_value_at(value, depth)?)));
            Tree::Object(parsed.collect::<Result<_, _>>()?)
        }
    })
}

/// The tree as serde_json's value.
pub(super) fn to_value(tree: Tree<'_>) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(bit) => bit.into(),
        Tree::Number(number) => to_number(number),
        Tree::Text(text) => text.into(),
        Tree::List(items) => items.into_iter().map(to_value).collect(),
        Tree::Object(members) => members.into_iter().map(|(key, value)| (key, to_value(value))).collect(),
    }
}

fn to_number(number: f64) -> Value {
    let negative_zero = number == 0.0 && number.is_sign_negative();
    if number.fract() == 0.0 && number.abs() < FIRST_INEXACT && !negative_zero {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        let integer = number as i64;
        integer.into()
    } else {
        number.into()
    }
}
