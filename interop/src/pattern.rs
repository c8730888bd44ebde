//! Patterns that what is seen must match, and data that would be too long to write down.

use poke_proto::v1::PublishRequest;
use poke_tests::Data;
use prost::Message as _;
use serde_json::{Map, Value, json};

/// Says where a value differs from a pattern. An object may hold more than its pattern does; numbers are compared as
/// doubles. In place of a value `$any` is anything, `$absent` nothing, `{"$one_of": [...]}` one of several, and `{"$shorter": 1000}` text
/// of less bytes.
pub(crate) fn differs(pattern: &Value, value: Option<&Value>) -> Option<String> {
    find(pattern, value, "")
}

fn find(pattern: &Value, value: Option<&Value>, path: &str) -> Option<String> {
    let differs = || {
        let shown = value.map_or("nothing".into(), |value| cut(&value.to_string()));
        Some(format!("{path}: {shown}, not {}", cut(&pattern.to_string())))
    };
    match (pattern, value) {
        (Value::String(text), value) if text == "$any" => {
            if value.is_some() {
                None
            } else {
                differs()
            }
        }
        (Value::String(text), value) if text == "$absent" => {
            if value.is_none() {
                None
            } else {
                differs()
            }
        }
        (Value::Object(object), Some(Value::String(text))) if object.contains_key("$shorter") => {
            let is_short = object["$shorter"].as_u64().is_some_and(|most| (text.len() as u64) < most);
            if is_short { None } else { differs() }
        }
        (Value::Object(object), value) if object.contains_key("$one_of") => {
            let options = object["$one_of"].as_array();
            let is_one =
                options.is_some_and(|options| options.iter().any(|option| find(option, value, path).is_none()));
            if is_one { None } else { differs() }
        }
        (Value::Object(pattern), Some(Value::Object(object))) => {
            pattern.iter().find_map(|(key, pattern)| find(pattern, object.get(key), &format!("{path}.{key}")))
        }
        (Value::Array(pattern), Some(Value::Array(items))) if pattern.len() == items.len() => {
            let mut pairs = pattern.iter().zip(items).enumerate();
            pairs.find_map(|(at, (pattern, item))| find(pattern, Some(item), &format!("{path}[{at}]")))
        }
        (Value::Number(a), Some(Value::Number(b))) if a.as_f64() == b.as_f64() => None,
        (pattern, Some(value)) if pattern == value => None,
        _ => differs(),
    }
}

fn cut(text: &str) -> String {
    if text.len() <= 200 {
        text.into()
    } else {
        format!("{}... ({} bytes)", text.chars().take(80).collect::<String>(), text.len())
    }
}

/// Writes data out: `{"$repeat": [text, count]}` is a long text, `{"$nest": depth}` so many objects in each other, and
/// `{"$fill": bytes}` a text with which a poke of domain PLAYLIST and filter `f` takes so many bytes.
pub(crate) fn expand(value: &mut Value) {
    match value {
        Value::Object(object) => match written_out(object) {
            Some(data) => *value = data,
            None => object.values_mut().for_each(expand),
        },
        Value::Array(items) => items.iter_mut().for_each(expand),
        _ => {}
    }
}

fn written_out(object: &Map<String, Value>) -> Option<Value> {
    let (key, argument) = object.iter().next()?;
    let count = |value: &Value| usize::try_from(value.as_u64().unwrap_or_default()).unwrap_or_default();
    match key.as_str() {
        "$repeat" => Some(json!(argument[0].as_str()?.repeat(count(&argument[1])))),
        "$nest" => Some((0..count(argument)).fold(json!("x"), |inner, _| json!({ "k": inner }))),
        "$fill" => Some(json!("x".repeat(fill(count(argument))))),
        _ => None,
    }
}

fn fill(bytes: usize) -> usize {
    let size = |length: usize| {
        let data = Some(Data::string(&"x".repeat(length)));
        PublishRequest { domain: "PLAYLIST".into(), filter: "f".into(), data, ..Default::default() }.encoded_len()
    };
    // What is around a text of that length takes the same for any near it.
    bytes - (size(bytes) - bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_may_leave_out_what_it_does_not_care_about() {
        let seen = json!({"event": "poke", "data": {"n": 1.0}, "position": {"epoch": "e"}});
        assert_eq!(differs(&json!({"event": "poke", "data": {"n": 1}, "gone": "$absent"}), Some(&seen)), None);
        assert_eq!(differs(&json!({"position": "$any"}), Some(&seen)), None);
        let difference = differs(&json!({"data": {"n": 2}}), Some(&seen));
        assert_eq!(difference.as_deref(), Some(".data.n: 1.0, not 2"));
    }

    #[test]
    fn a_pattern_that_is_written_wrongly_matches_nothing() {
        for pattern in [json!({"$one_of": "a"}), json!({"$one_of": []}), json!({"$shorter": "1"}), json!("$anything")] {
            assert!(differs(&pattern, Some(&json!("a"))).is_some(), "{pattern}");
        }
    }

    #[test]
    fn filled_data_takes_what_it_should() {
        let mut data = json!({"$fill": 131_072});
        expand(&mut data);
        let data = Some(Data::from_value(&data).expect("a string"));
        let poke = PublishRequest { domain: "PLAYLIST".into(), filter: "f".into(), data, ..Default::default() };
        assert_eq!(poke.encoded_len(), 131_072);
    }
}
