//! A poke to send, also as a line of JSON in the contract's own form.

use poke_client::Data;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One poke to send.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) domain: String,
    pub(crate) filter: String,
    pub(crate) data: Option<Data>,
    pub(crate) customer: Option<String>,
    pub(crate) key: Option<String>,
}

impl Request {
    pub(crate) fn new(domain: &str, filter: &str, data: Option<Data>, customer: Option<String>) -> Self {
        Self { domain: domain.to_owned(), filter: filter.to_owned(), data, customer, key: None }
    }
}

/// PublishRequest in JSON. Names are taken in both of protobuf's forms.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    domain: String,
    filter: String,
    /// As it is written, since what a double can't hold must be seen before it is one.
    #[serde(default, borrow, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(default)]
    audience: Audience,
    #[serde(alias = "customer_id")]
    customer_id: Option<String>,
    #[serde(alias = "idempotency_key")]
    idempotency_key: Option<String>,
}

#[derive(Default, Deserialize, PartialEq)]
enum Audience {
    #[default]
    #[serde(rename = "AUDIENCE_UNSPECIFIED")]
    Unspecified,
    #[serde(rename = "AUDIENCE_CUSTOMER")]
    Customer,
}

/// A `data` of null is the value null, not absence.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one line. `customer` is for the lines that don't name one.
pub(crate) fn parse(line: &str, customer: Option<&str>) -> Result<Request, String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let data = line.data.map(|raw| Data::from_json(raw.get())).transpose();
    let data = data.map_err(|error| format!("the data has {error}"))?;
    let named = line.customer_id.filter(|id| !id.is_empty());
    if line.audience == Audience::Customer && named.is_none() {
        return Err("AUDIENCE_CUSTOMER needs a customerId".to_owned());
    }
    if line.audience == Audience::Unspecified && named.is_some() {
        return Err("a customerId needs \"audience\":\"AUDIENCE_CUSTOMER\"".to_owned());
    }
    Ok(Request {
        domain: line.domain,
        filter: line.filter,
        data,
        customer: named.or_else(|| customer.map(str::to_owned)),
        key: line.idempotency_key.filter(|key| !key.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn request(line: &str) -> Request {
        parse(line, None).unwrap()
    }

    fn refusal(line: &str) -> String {
        parse(line, None).unwrap_err()
    }

    #[test]
    fn a_line_is_a_publish_request() {
        let read = request(r#"{"domain":"PLAYLIST","filter":"p1","data":{"n":[1,null]},"idempotencyKey":"k"}"#);
        assert_eq!((read.domain.as_str(), read.filter.as_str()), ("PLAYLIST", "p1"));
        assert_eq!(read.data.unwrap().to_json().unwrap(), r#"{"n":[1,null]}"#);
        assert_eq!(read.key.as_deref(), Some("k"));
        assert_eq!(request(r#"{"domain":"D","filter":"f","idempotency_key":"k"}"#).key.as_deref(), Some("k"));
    }

    #[test]
    fn undefined_null_and_the_empty_string_are_three_things() {
        assert_eq!(request(r#"{"domain":"D","filter":"f"}"#).data, None);
        assert_eq!(request(r#"{"domain":"D","filter":"f","data":null}"#).data, Some(Data::null()));
        assert_eq!(request(r#"{"domain":"D","filter":"f","data":""}"#).data, Some(Data::string("")));
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        assert!(refusal(r#"{"domain":"D","filter":"f","date":1}"#).contains("date"));
        assert!(refusal(r#"{"domain":"D"}"#).contains("filter"));
        refusal("Updated");
    }

    #[test]
    fn an_integer_that_a_double_cannot_hold_is_refused() {
        assert!(refusal(r#"{"domain":"D","filter":"f","data":9007199254740993}"#).contains("integer"));
    }

    #[test]
    fn a_customer_needs_its_audience_and_the_reverse() {
        let read = request(r#"{"domain":"D","filter":"f","audience":"AUDIENCE_CUSTOMER","customer_id":"c"}"#);
        assert_eq!(read.customer.as_deref(), Some("c"));
        assert!(refusal(r#"{"domain":"D","filter":"f","customerId":"c"}"#).contains("audience"));
        assert!(refusal(r#"{"domain":"D","filter":"f","audience":"AUDIENCE_CUSTOMER"}"#).contains("customerId"));
        let lent = parse(r#"{"domain":"D","filter":"f"}"#, Some("c")).unwrap();
        assert_eq!(lent.customer.as_deref(), Some("c"));
    }
}
