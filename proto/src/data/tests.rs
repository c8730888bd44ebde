#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use proptest::prelude::*;
use prost::encoding::encode_varint;
use serde_json::{Value, json};

use super::*;
use crate::v1;

/// A length-delimited field, for encodings that no encoder makes.
fn field(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag << 3 | 2];
    encode_varint(payload.len() as u64, &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

fn list(values: &[&[u8]]) -> Vec<u8> {
    field(6, &values.iter().flat_map(|value| field(1, value)).collect::<Vec<_>>())
}

fn member(key: &[u8], value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key), field(2, value)].concat())
}

fn canonical(bytes: &[u8]) -> Result<Data, DataError> {
    Data::encoded(bytes.to_vec()).canonical()
}

const NULL: &[u8] = &[0x08, 0x00];
const TRUE: &[u8] = &[0x20, 0x01];

fn number(number: f64) -> Vec<u8> {
    [&[0x11][..], &number.to_le_bytes()].concat()
}

/// `[[[...]]]`.
fn nested_json(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn nested_wire(depth: usize) -> Vec<u8> {
    (0..depth).fold(NULL.to_vec(), |value, _| list(&[&value]))
}

#[test]
fn people_write_json_and_read_it_back() {
    for text in [
        "null",
        "true",
        "\"\"",
        "\"Updated\"",
        "\"\\u0000\\n\"",
        "\"🎵 e\u{301}\"",
        "0",
        "-1",
        "-0.0",
        "0.1",
        "1e300",
        "9007199254740991",
        "[]",
        "{}",
        "[null,[],{\"\":{}}]",
        "{\"a\":1,\"b\":[true,\"x\"]}",
    ] {
        let data = Data::from_json(text).unwrap();
        assert_eq!(data.to_json().unwrap(), text.replace("1e300", "1e+300"));
        assert_eq!(data.canonical().unwrap(), data);
        assert_eq!(Data::from_value(&serde_json::from_str(text).unwrap()).unwrap(), data);
    }
    assert_eq!(Data::from_json(" \n[ 1 , 2 ] ").unwrap().to_json().unwrap(), "[1,2]");
    assert_eq!(Data::from_json("\"x\"").unwrap(), Data::string("x"));
    assert_eq!(Data::from_json("null").unwrap(), Data::null());
    assert_eq!(Data::null().as_bytes(), NULL);
}

#[test]
fn the_last_of_equal_keys_wins() {
    assert_eq!(Data::from_json(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap().to_json().unwrap(), r#"{"a":3,"b":2}"#);
    let twice = field(5, &[member(b"a", TRUE), member(b"b", NULL), member(b"a", NULL)].concat());
    assert_eq!(canonical(&twice).unwrap().to_json().unwrap(), r#"{"a":null,"b":null}"#);
}

#[test]
fn an_integer_is_exact_or_refused() {
    for exact in ["9007199254740992", "-9007199254740992", "18446744073709551616", "10000000000000000000000", "-0"] {
        let data = Data::from_json(exact).unwrap();
        assert_eq!(data.to_value().unwrap().as_f64().unwrap(), exact.parse::<f64>().unwrap());
    }
    let googol = format!("1{}", "0".repeat(100));
    let long = format!("1{}", "0".repeat(400));
    for inexact in ["9007199254740993", "-9007199254740993", "18446744073709551615", &googol, &long] {
        assert_eq!(Data::from_json(inexact), Err(DataError::InexactInteger), "{inexact}");
        assert_eq!(Data::from_json(&format!("{{\"id\":[{inexact}]}}")), Err(DataError::InexactInteger));
    }
    assert_eq!(Data::from_value(&json!(u64::MAX)), Err(DataError::InexactInteger));
    assert_eq!(Data::from_value(&json!(1_u64 << 63)).unwrap().to_value().unwrap(), json!(9223372036854775808.0));
    // The same however it is written.
    for inexact in [
        "9007199254740993.0",
        "-9007199254740993.0",
        "9.007199254740993e15",
        "9007199254740993e0",
        "900719925474099300E-2",
        "123456789012345678.0",
        "1.00000000000000000001e25",
        "18446744073709551615.000",
    ] {
        assert_eq!(Data::from_json(inexact), Err(DataError::InexactInteger), "{inexact}");
        assert_eq!(
            Data::from_json(&format!("{{\"id\":[0.5,{inexact}]}}")),
            Err(DataError::InexactInteger),
            "{inexact}"
        );
    }
    for exact in [
        "9007199254740992.0",
        "9007199254740994.0",
        "9.007199254740992e15",
        "1208925819614629174706176.0",
        // As programs write a double: by its shortest form, or by 17 digits.
        "1e23",
        "1E+300",
        "9.9999999999999992e+22",
        "1.7976931348623157e308",
        // With a fraction it is no id.
        "9007199254740992.5",
        "123456789.123456789123456789",
    ] {
        let number = Data::from_json(exact).map(|data| data.to_value().unwrap().as_f64().unwrap());
        assert_eq!(number, Ok(exact.parse::<f64>().unwrap()), "{exact}");
    }
    assert!(DataError::InexactInteger.to_string().contains("as a string"));
}

#[test]
fn only_zero_is_zero() {
    for zero in ["0", "-0", "0.0", "-0.000", "0e5", "0.0e-400", "0e999999999999999999999"] {
        assert_eq!(Data::from_json(zero).unwrap().to_value().unwrap().as_f64(), Some(0.0), "{zero}");
    }
    let long = format!("0.{}1", "0".repeat(400));
    for tiny in ["1e-400", "-1e-400", "2.4e-324", "0.5E-323999", "1e-99999999999999999999", &long] {
        assert_eq!(Data::from_json(tiny), Err(DataError::Underflow), "{tiny}");
        assert_eq!(Data::from_json(&format!("[0.0,{{\"x\":{tiny}}}]")), Err(DataError::Underflow), "{tiny}");
    }
    // The smallest doubles are numbers as any other, though not with all digits.
    for small in ["5e-324", "2.5e-324", "2.2250738585072014e-308", "1.5e-320"] {
        assert_eq!(Data::from_json(small).unwrap().to_value().unwrap().as_f64(), small.parse().ok(), "{small}");
    }
}

#[test]
fn every_double_may_be_sent_as_it_is_printed() {
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&proptest::num::f64::NORMAL, |number| {
            for text in [format!("{number:e}"), format!("{number:.16e}"), serde_json::to_string(&number).unwrap()] {
                prop_assert_eq!(Data::from_json(&text).map(|data| data.to_value().unwrap().as_f64()), Ok(Some(number)));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn numbers_are_finite() {
    for literal in ["1e400", "-1e400", "[1e309]"] {
        assert_eq!(Data::from_json(literal), Err(DataError::NotFinite), "{literal}");
    }
    for infinite in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(canonical(&number(infinite)), Err(DataError::NotFinite));
        assert_eq!(canonical(&list(&[&number(infinite)])), Err(DataError::NotFinite));
    }
}

#[test]
fn depth_24_passes_and_25_is_refused() {
    let deepest = Data::from_json(&nested_json(24)).unwrap();
    assert_eq!(deepest.to_json().unwrap(), nested_json(24));
    assert_eq!(canonical(&nested_wire(24)).unwrap().canonical().unwrap().as_bytes(), nested_wire(24));
    for depth in [25, 100, 100_000] {
        assert_eq!(Data::from_json(&nested_json(depth)), Err(DataError::TooDeep));
        assert_eq!(Data::from_json(&"{\"a\":".repeat(depth)), Err(DataError::TooDeep));
    }
    let object = "{\"a\":".repeat(25) + "0" + &"}".repeat(25);
    assert_eq!(Data::from_json(&object), Err(DataError::TooDeep));
    assert_eq!(canonical(&nested_wire(25)), Err(DataError::TooDeep));
    assert_eq!(canonical(&nested_wire(2000)), Err(DataError::TooDeep));
    let value = (0..25).fold(Value::Null, |value, _| json!({ "a": value }));
    assert_eq!(Data::from_value(&value), Err(DataError::TooDeep));
}

#[test]
fn json_is_strict() {
    for text in [
        "",
        " ",
        "nul",
        "'x'",
        "[1,]",
        "{a:1}",
        "1 2",
        "01",
        "+1",
        ".5",
        "1.",
        "NaN",
        "Infinity",
        "\"\n\"",
        "\u{feff}1",
    ] {
        assert_eq!(Data::from_json(text), Err(DataError::NotJson), "{text:?}");
    }
    for text in [r#""\ud800""#, r#"["\udc00x"]"#, r#"{"\ud800":1}"#, r#""\ud800\u0041""#] {
        assert_eq!(Data::from_json(text), Err(DataError::NotUnicode), "{text:?}");
    }
    assert_eq!(Data::from_json(r#""\ud83c\udfb5""#).unwrap(), Data::string("🎵"));
}

#[test]
fn every_value_has_a_kind() {
    let without_key = field(5, &field(1, &field(2, TRUE)));
    assert_eq!(canonical(&without_key).unwrap().to_json().unwrap(), r#"{"":true}"#);
    let without_value = field(5, &field(1, &field(1, b"a")));
    for bytes in [vec![], list(&[b""]), list(&[TRUE, b""]), field(5, &member(b"a", b"")), without_value] {
        assert_eq!(canonical(&bytes), Err(DataError::NoKind), "{bytes:?}");
    }
    assert_eq!(Data::default().to_json(), Err(DataError::NoKind));
}

#[test]
fn text_is_utf8() {
    for bytes in [field(3, b"\xff"), list(&[&field(3, b"\xed\xa0\x80")]), field(5, &member(b"\xc0\x80", TRUE))] {
        assert_eq!(canonical(&bytes), Err(DataError::NotUnicode), "{bytes:?}");
    }
}

#[test]
fn unknown_fields_are_dropped_and_null_is_zero() {
    let unknown = [&[0x38, 0x01][..], &field(9, b"\xff"), &[0x5d, 1, 2, 3, 4], &[0x63, 0x08, 0x01, 0x64]].concat();
    for (bytes, expected) in [
        ([&unknown, TRUE].concat(), "true"),
        ([TRUE, &unknown].concat(), "true"),
        (vec![0x08, 0x07], "null"),
        (vec![0x20, 0xff, 0x7f], "true"),
        (list(&[&[&unknown, NULL].concat()]), "[null]"),
        (field(6, &unknown), "[]"),
        (field(5, &field(1, &[field(1, b"k"), field(3, b"?"), field(2, NULL)].concat())), r#"{"k":null}"#),
    ] {
        let data = canonical(&bytes).unwrap();
        assert_eq!(data.to_json().unwrap(), expected);
        assert_eq!(data, Data::from_json(expected).unwrap());
    }
}

#[test]
fn what_is_not_a_value_is_malformed() {
    for bytes in [
        &[0x0a, 0x00][..],   // null as bytes
        &[0x10, 0x00],       // a number as a varint
        &[0x15, 0, 0, 0, 0], // a number as fixed32
        &[0x2b, 0x2c],       // an object as a group
        &[0x12],             // cut before a length
        &[0x11, 0, 0],       // cut in a number
        &[0x1a, 0x05, b'a'], // a length past the end
        &[0x00],             // field 0
        &[0x0c],             // the end of a group that never began
        &[0x08, 0x80],       // a varint that never ends
        &[0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ] {
        assert_eq!(canonical(bytes), Err(DataError::Malformed), "{bytes:?}");
    }
    assert_eq!(canonical(&list(&[&[0x10, 0x00]])), Err(DataError::Malformed));
    assert_eq!(canonical(&field(6, &[0x08, 0x00])), Err(DataError::Malformed));
}

#[test]
fn encodings_in_a_row_are_merged() {
    for (bytes, expected) in [
        ([NULL, TRUE].concat(), "true"),
        ([list(&[TRUE]), list(&[NULL])].concat(), "[true,null]"),
        ([list(&[TRUE]), NULL.to_vec(), list(&[NULL])].concat(), "[null]"),
        ([field(5, &member(b"b", TRUE)), field(5, &member(b"a", NULL))].concat(), r#"{"a":null,"b":true}"#),
    ] {
        assert_eq!(canonical(&bytes).unwrap().to_json().unwrap(), expected);
        let theirs = prost_types::Value::decode(&bytes[..]).unwrap();
        assert_eq!(canonical(&theirs.encode_to_vec()).unwrap().to_json().unwrap(), expected);
    }
}

#[test]
fn a_message_carries_data_untouched() {
    let data = Data::from_json(r#"{"b":1,"a":[null,"x",true]}"#).unwrap();
    for data in [None, Some(Data::string("")), Some(Data::null()), Some(data)] {
        let poke = v1::Poke { domain: "D".into(), filter: "f".into(), data, ..Default::default() };
        assert_eq!(v1::Poke::decode(&poke.encode_to_vec()[..]).unwrap(), poke);
    }
}

#[test]
fn decoding_drops_unknown_fields_and_checks_nothing_else() {
    let wrong_types = [&[0x0a, 0x01, b'x', 0x10, 0x05, 0x1d, 1, 2, 3, 4][..], &number(f64::NAN)].concat();
    let with_unknown = [&[0x38, 0x01][..], &wrong_types, &field(15, b"?"), &[0x2b, 0x2c]].concat();
    assert_eq!(Data::decode(&with_unknown[..]).unwrap().as_bytes(), wrong_types);
    assert!(Data::decode(&[0x1a, 0x05, b'a'][..]).is_err());
}

#[test]
fn data_is_merged_from_a_thousand_parts_and_no_more() {
    let nulls = NULL.repeat(1000);
    assert_eq!(Data::decode(&nulls[..]).unwrap().as_bytes(), nulls);
    assert!(Data::decode(&NULL.repeat(1001)[..]).is_err());
    let mut data = Data::decode(&nulls[..]).unwrap();
    data.clear();
    assert_eq!(data, Data::default());
    data.merge(&nulls[..]).unwrap();
    let mut parts = Data::null();
    let shared = parts.clone();
    parts.merge(TRUE).unwrap();
    assert_eq!((parts.to_json().unwrap(), shared), ("true".into(), Data::null()));
}

#[test]
fn sizes_are_those_of_the_wire() {
    assert_eq!(Data::string("12345").encoded_size(), 7);
    assert_eq!(Data::from_json("[1,2,3]").unwrap().encoded_size(), 2 + 3 * 11);
    assert_eq!(Data::string(&"x".repeat(200)).encoded_size(), 203);
}

/// The largest poke.
const MOST: usize = 131_072;

/// A mebibyte of text at most, that repeats `item` inside of `around`.
fn megabyte((begin, item, end): (&str, &str, &str)) -> String {
    let items = ((1 << 20) - begin.len() - end.len()) / (item.len() + 1);
    format!("{begin}{}{end}", vec![item; items].join(","))
}

#[test]
fn reading_stops_where_nothing_more_can_fit() {
    let deep = ("[".repeat(24), "]".repeat(24));
    let objects = ("{\"a\":".repeat(23) + "[", "]".to_owned() + &"}".repeat(23));
    for around in [
        (&*deep.0, "1", &*deep.1),
        (&*objects.0, "1", &*objects.1),
        ("[", "null", "]"),
        ("[", "[]", "]"),
        ("[", "{}", "]"),
        ("[", "\"\"", "]"),
        ("[", "1.7976931348623157e308", "]"),
        ("[", "100000000000000000000", "]"),
        ("[", "[[[]],{\"k\":{}}]", "]"),
        ("[", "{\"a\":1,\"a\":2}", "]"),
        ("{", "\"a\":1", "}"),
        ("{", "\"a\":{\"a\":[]}", "}"),
    ] {
        let text = megabyte(around);
        let mut budget = Budget::of(MOST);
        assert_eq!(json::parse(&text, &mut budget), Err(DataError::TooLarge), "{around:?}");
        let seen = MOST / 2 - budget.fields_left();
        assert!((5000..=MOST / 2).contains(&seen), "{seen} {around:?}");
        assert!(Data::from_json(&text).is_ok());
        assert_eq!(Data::from_json_within(&text, MOST), Err(DataError::TooLarge));
    }
}

#[test]
fn the_same_holds_for_encodings() {
    let half = 500_000;
    for bytes in [
        list(&[NULL]).repeat(170_000),
        field(6, &field(1, NULL).repeat(250_000)),
        field(6, &field(1, &[0x32, 0x00]).repeat(250_000)),
        field(6, &[0x10, 0x00].repeat(half)),
        field(5, &field(1, &field(2, TRUE)).repeat(170_000)),
        field(5, &field(1, &[field(2, TRUE).repeat(100_000), field(1, b"a").repeat(100_000)].concat())),
        NULL.repeat(half),
        [0x32, 0x00].repeat(half),
        [0x38, 0x00].repeat(half),
    ] {
        let mut budget = Budget::of(MOST);
        assert_eq!(wire::parse(&bytes, &mut budget), Err(DataError::TooLarge));
        assert_eq!(Data::encoded(bytes).canonical_within(MOST), Err(DataError::TooLarge));
    }
}

#[test]
fn what_fits_its_limit_passes_and_what_is_replaced_does_not_count() {
    for text in ["[null,true,1.5,[],{}]", "{\"\":\"x\",\"b\":{\"c\":[[1]]}}", "\"xyz\"", "null"] {
        let data = Data::from_json(text).unwrap();
        let size = data.encoded_size();
        assert_eq!(Data::from_json_within(text, size), Ok(data.clone()));
        assert_eq!(Data::from_json_within(text, size - 1), Err(DataError::TooLarge));
        assert_eq!(data.canonical_within(size), Ok(data.clone()));
        assert_eq!(data.canonical_within(size - 1), Err(DataError::TooLarge));
    }
    let large = "x".repeat(90_000);
    let text = format!("{{\"a\":[\"{large}\"],\"a\":[\"{large}\"],\"\\u0061\":\"{large}\"}}");
    assert_eq!(
        Data::from_json_within(&text, MOST).unwrap().encoded_size(),
        Data::from_json(&text).unwrap().encoded_size()
    );
    let large = field(3, large.as_bytes());
    let three = field(5, &member(b"a", &large).repeat(3));
    assert!(Data::encoded(three.repeat(2)).canonical_within(MOST).is_ok());
    assert!(Data::encoded([list(&[&large]), large].concat()).canonical_within(MOST).is_ok());
}

#[test]
fn no_error_repeats_the_input() {
    let secret = "hunter2";
    for text in [format!("{{\"{secret}\":9007199254740993}}"), format!("[\"{secret}\\ud800\"]"), format!("\"{secret}")]
    {
        let error = Data::from_json(&text).unwrap_err();
        assert!(!error.to_string().contains(secret) && !format!("{error:?}").contains(secret));
    }
}

/// Any JSON, with numbers in the form in which they are read back.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("not an integer", |n| n.fract() != 0.0 || n.abs() >= 1e16).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let json = leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    });
    (json, 0_usize..=24, any::<bool>()).prop_map(|(json, more, object)| {
        (0..more).fold(json, |json, _| if object { json!({ "k": json }) } else { json!([json]) })
    })
}

/// Encodes as a careless encoder might: keys in falling order, an old value of each before it, unknown fields between.
fn carelessly(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![0x08, 0x05],
        Value::Array(items) => {
            items.iter().fold(list(&[]), |list_so_far, item| [list_so_far, list(&[&carelessly(item)])].concat())
        }
        Value::Object(members) => {
            let members = members.iter().rev();
            let encode = |(key, value): (&String, &Value)| {
                [member(key.as_bytes(), TRUE), field(7, b"?"), member(key.as_bytes(), &carelessly(value))].concat()
            };
            field(5, &members.flat_map(encode).collect::<Vec<_>>())
        }
        scalar => [&field(12, b"?"), Data::from_value(scalar).unwrap().as_bytes()].concat(),
    }
}

fn json_depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(json_depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(json_depth).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn any_json_survives(value in any_json()) {
        let data = Data::from_value(&value);
        prop_assert_eq!(Data::from_json(&value.to_string()), data.clone());
        prop_assert_eq!(Data::from_json(&serde_json::to_string_pretty(&value).unwrap()), data.clone());
        if json_depth(&value) > MAX_DATA_DEPTH {
            prop_assert_eq!(data, Err(DataError::TooDeep));
        } else {
            let data = data.unwrap();
            prop_assert_eq!(data.to_value().unwrap(), value);
            prop_assert_eq!(data.canonical().unwrap(), data);
        }
    }

    #[test]
    fn all_encodings_of_the_same_json_have_one_canonical_form(value in any_json()) {
        if let Ok(data) = Data::from_value(&value) {
            prop_assert_eq!(canonical(&carelessly(&value)).unwrap(), data.clone());
            prop_assert_eq!(Data::encoded(carelessly(&value)).canonical_within(MOST).unwrap(), data);
        }
    }

    #[test]
    fn other_runtimes_read_what_passes(value in any_json()) {
        if let Ok(data) = Data::from_value(&value) {
            let theirs = prost_types::Value::decode(data.as_bytes()).unwrap();
            prop_assert_eq!(canonical(&theirs.encode_to_vec()).unwrap(), data);
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..0x34], 0..200)) {
        let decoded = Data::decode(&bytes[..]);
        if let Ok(data) = canonical(&bytes) {
            prop_assert_eq!(data.canonical().unwrap(), data.clone());
            prop_assert_eq!(decoded.unwrap().canonical().unwrap(), data.clone());
            prost_types::Value::decode(data.as_bytes()).unwrap();
            prop_assert_eq!(Data::from_json(&data.to_json().unwrap()).unwrap(), data);
        }
    }

    #[test]
    fn any_text_is_answered(text in r#"[\[\]{}",:\\ud8c0-9eE.+ntrf-]{0,40}"#) {
        let data = Data::from_json(&text);
        prop_assert_eq!(Data::from_json_within(&text, MOST), data.clone());
        if let Ok(data) = data {
            prop_assert_eq!(data.canonical_within(data.encoded_size()).unwrap(), data.clone());
            prop_assert_eq!(data.canonical().unwrap(), data);
        }
    }
}
