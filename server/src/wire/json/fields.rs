//! The fields of a request in JSON.

use std::{borrow::Cow, fmt};

use poke_proto::{Data, DataError, v1};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    error::{Error, Faults, Kind},
    frame::MAX_POKE_BYTES,
};

/// The most members that are read, known or not: enough to name several mistakes.
const MAX_FIELDS: usize = 64;

/// The longest name of an unknown field that is told to the caller.
const MAX_NAME: usize = 64;

/// The members of the request's object that nobody has asked for yet, in their order.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// # Errors
    /// If the text isn't a JSON object. The message says where it goes wrong, but not what stands there.
    pub(super) fn parse(text: &'a str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| {
            let rule = if error.is_data() && text.trim_start().starts_with('{') {
                format!("the request has more than {MAX_FIELDS} fields")
            } else {
                format!("the request isn't a JSON object (line {}, column {})", error.line(), error.column())
            };
            // Its own text repeats what it stumbled over, which is nobody's to see: not even the log's.
            let cause = format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column());
            Error::invalid(Kind::InvalidRequest, "", rule).because(cause)
        })
    }

    /// Text; empty if the field is absent or null.
    pub(super) fn text(&mut self, name: &'static str, faults: &mut Faults) -> String {
        let text = self.take(name, faults).map(|raw| {
            let text: Option<String> =
                serde_json::from_str(raw.get()).map_err(|_| format!("{name} must be a string"))?;
            Ok(text.unwrap_or_default())
        });
        text.and_then(|text| check(name, text, faults)).unwrap_or_default()
    }

    /// An audience, by its name or its number. A number that this server doesn't know is for validation to refuse.
    pub(super) fn audience(&mut self, faults: &mut Faults) -> i32 {
        let name = "audience";
        let Some(raw) = self.take(name, faults) else { return 0 };
        match serde_json::from_str::<AudienceName>(raw.get()) {
            Ok(audience) => {
                let unknown = || Error::invalid(Kind::InvalidAudience, name, "audience is unknown");
                faults.check(audience.number().ok_or_else(unknown)).unwrap_or_default()
            }
            Err(_) => {
                check(name, Err("audience must be the name or the number of one".into()), faults).unwrap_or_default()
            }
        }
    }

    /// Data. Here null is a value like any other.
    ///
    /// # Errors
    /// If no poke can hold it, whatever else is wrong.
    pub(super) fn data(&mut self, faults: &mut Faults) -> Result<Option<Data>, Error> {
        let Some(raw) = self.take("data", faults) else { return Ok(None) };
        match Data::from_json_within(raw.get(), MAX_POKE_BYTES) {
            // Nothing that grows stands in a lone string, so that it can be counted to its end, and its size told.
            Err(DataError::TooLarge) if raw.get().starts_with('"') => Ok(faults.check(Data::from_json(raw.get()))),
            Err(too_large @ DataError::TooLarge) => Err(too_large.into()),
            data => Ok(faults.check(data)),
        }
    }

    /// Notes what nobody has asked for.
    pub(super) fn finish(self, faults: &mut Faults) {
        for (name, _) in self.0 {
            faults.note(unknown(&name));
        }
    }

    /// The value of a field, under its own name or the one in camelCase.
    fn take(&mut self, name: &'static str, faults: &mut Faults) -> Option<&'a RawValue> {
        let camel = camel_case(name);
        let mut values = self.0.extract_if(.., |(given, _)| *given == name || *given == camel);
        let value = values.next();
        if values.count() > 0 {
            check::<()>(name, Err(format!("{name} must be given once")), faults);
        }
        value.map(|(_, raw)| raw)
    }
}

/// A field that isn't one of the request's. It is named if its name is fit to be shown.
pub(super) fn unknown(name: &str) -> Error {
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()) {
        let rule = format!("this server doesn't know the field {name}");
        Error::invalid(Kind::UnsupportedField, name.to_owned(), rule)
    } else {
        Error::invalid(Kind::UnsupportedField, "", "this server doesn't know a field of the request")
    }
}

fn check<T>(name: &'static str, result: Result<T, String>, faults: &mut Faults) -> Option<T> {
    faults.check(result.map_err(|rule| Error::invalid(Kind::InvalidRequest, name, rule)))
}

/// `customer_id` as `customerId`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |camel, word| {
        let (initial, rest) = word.split_at(1);
        camel + &initial.to_ascii_uppercase() + rest
    })
}

/// An audience in JSON.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum AudienceName {
    Absent(()),
    Number(i32),
    Name(String),
}

impl AudienceName {
    /// Its number; `None` for a name that isn't known.
    pub(super) fn number(&self) -> Option<i32> {
        match self {
            Self::Absent(()) => Some(0),
            Self::Number(number) => Some(*number),
            Self::Name(name) => v1::Audience::from_str_name(name).map(i32::from),
        }
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Borrows a name if it has no escapes.
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    if fields.len() == MAX_FIELDS {
                        return Err(A::Error::custom("too many fields"));
                    }
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
