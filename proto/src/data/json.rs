//! Between a tree and JSON.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{
    DataError,
    tree::{Budget, Depth, Tree},
};

/// Integers from here on may have been rounded to the nearest double.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0; // 2^53

/// A literal of so few characters is below 2^53.
const SURELY_EXACT: usize = 15;

/// The tree that `text` stands for, in one pass that ends at the first thing that can't be accepted.
pub(super) fn parse<'a>(text: &'a str, budget: &mut Budget) -> Result<Tree<'a>, DataError> {
    let mut reading = Reading { budget, refused: None, is_doubtful: false };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let item = Item { reading: &mut reading, depth: Depth::default() };
    match item.deserialize(&mut deserializer).and_then(|tree| deserializer.end().map(|()| tree)) {
        // Only the literal shows whether a double is what was written.
        Ok(tree) if reading.is_doubtful => {
            literals(text).try_for_each(|literal| number(literal).map(drop)).map(|()| tree)
        }
        Ok(tree) => Ok(tree),
        Err(_) => Err(reading.refused.unwrap_or_else(|| diagnose(text))),
    }
}

/// Why serde_json refuses a text.
fn diagnose(text: &str) -> DataError {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return DataError::NotJson;
    }
    // By its grammar it is JSON, so it has a number that is out of range, or half a surrogate pair.
    literals(text).find_map(|literal| number(literal).err()).unwrap_or(DataError::NotUnicode)
}

/// The numbers in a text that is known to be JSON, as they are written.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit())?..];
            if let Some(inside) = rest.strip_prefix('"') {
                rest = behind_string(inside);
            } else {
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
                let (literal, behind) = rest.split_at(end.unwrap_or(rest.len()));
                rest = behind;
                return Some(literal);
            }
        }
    })
}

/// What follows a string whose first quote has been read.
fn behind_string(mut inside: &str) -> &str {
    while let Some(at) = inside.find(['"', '\\']) {
        let is_end = inside[at..].starts_with('"');
        inside = &inside[at + if is_end { 1 } else { 2 }..];
        if is_end {
            return inside;
        }
    }
    ""
}

/// One value of a text.
struct Item<'s, 'b> {
    reading: &'s mut Reading<'b>,
    depth: Depth,
}

/// How far a text has been read.
struct Reading<'b> {
    budget: &'b mut Budget,
    /// Why it is read no further: serde_json has no room for it in its error.
    refused: Option<DataError>,
    /// There was a double that may stand for another number.
    is_doubtful: bool,
}

impl Reading<'_> {
    fn refuse<E: Error>(&mut self, refused: DataError) -> E {
        self.refused = Some(refused);
        E::custom(refused)
    }

    fn accept<'t, E: Error>(&mut self, tree: Tree<'t>) -> Result<Tree<'t>, E> {
        let accepted = self.budget.visit().and_then(|()| self.budget.value(tree));
        accepted.map_err(|refused| self.refuse(refused))
    }

    fn accept_number<E: Error>(&mut self, number: f64, is_exact: bool) -> Result<Tree<'static>, E> {
        if is_exact { self.accept(Tree::Number(number)) } else { Err(self.refuse(DataError::InexactInteger)) }
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = Tree<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_> {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree<'de>, E> {
        self.reading.accept(Tree::Null)
    }

    fn visit_bool<E: Error>(self, bit: bool) -> Result<Tree<'de>, E> {
        self.reading.accept(Tree::Bool(bit))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Tree<'de>, E> {
        self.visit_i128(integer.into())
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Tree<'de>, E> {
        self.visit_i128(integer.into())
    }

    #[expect(clippy::cast_possible_truncation, reason = "back to where it came from, and compared with that")]
    fn visit_i128<E: Error>(self, integer: i128) -> Result<Tree<'de>, E> {
        let number = integer as f64;
        self.reading.accept_number(number, number as i128 == integer)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tree<'de>, E> {
        self.reading.is_doubtful |= number == 0.0 || number.abs() >= FIRST_INEXACT;
        self.reading.accept_number(number, true)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Tree<'de>, E> {
        self.reading.accept(Tree::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree<'de>, E> {
        self.reading.accept(Tree::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree<'de>, A::Error> {
        let Self { reading, depth } = self;
        let depth = depth.deeper().map_err(|refused| reading.refuse(refused))?;
        reading.accept(Tree::List(Vec::new()))?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Item { reading, depth })? {
            reading.budget.item().map_err(|refused| reading.refuse(refused))?;
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        let Self { reading, depth } = self;
        let depth = depth.deeper().map_err(|refused| reading.refuse(refused))?;
        reading.accept(Tree::Object(BTreeMap::new()))?;
        let mut members = BTreeMap::new();
        while let Some(Text(key)) = map.next_key()? {
            reading.budget.begin_member(&mut members, &key).map_err(|refused| reading.refuse(refused))?;
            let value = map.next_value_seed(Item { reading, depth })?;
            members.insert(key, value);
        }
        Ok(Tree::Object(members))
    }
}

/// A string, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The double that a literal stands for. It must be the number that was written, if that is whole, and not zero unless that
/// was written.
fn number(literal: &str) -> Result<f64, DataError> {
    let number: f64 = literal.parse().map_err(|_| DataError::NotJson)?;
    let written_as_integer = !literal.contains(['.', 'e', 'E']);
    if written_as_integer && literal.len() > SURELY_EXACT && format!("{number:.0}") != literal {
        return Err(DataError::InexactInteger);
    }
    if !number.is_finite() {
        return Err(DataError::NotFinite);
    }
    let decimal = Decimal::of(literal);
    if number == 0.0 && !decimal.digits.is_empty() {
        return Err(DataError::Underflow);
    }
    if !written_as_integer && number.abs() >= FIRST_INEXACT && !decimal.is_kept_by(number.abs()) {
        return Err(DataError::InexactInteger);
    }
    Ok(number)
}

/// Significant decimal digits by which every double can be told from all others.
const DOUBLE_DIGITS: usize = 17;

/// A number as it is written, without its sign: `digits`, and behind them `zeros`, which are places behind the point if
/// there are less than none.
struct Decimal {
    /// Without zeros in front and behind.
    digits: String,
    zeros: i64,
}

impl Decimal {
    fn of(literal: &str) -> Self {
        let unsigned = literal.strip_prefix('-').unwrap_or(literal);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_end_matches('0');
        // An exponent out of range has made zero or infinity of the number, whatever is in front of it.
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let zeros = exponent.saturating_add((all.len() - digits.len()) as i64 - fraction.len() as i64);
        Self { digits: digits.trim_start_matches('0').to_owned(), zeros }
    }

    /// Returns true if `number`, a double that it was read as, says as much: if it has a fraction, always; if it is whole,
    /// when both are equal, or equal in each digit that was written, as in `1e23`, which is how programs write a double.
    fn is_kept_by(&self, number: f64) -> bool {
        let Ok(zeros) = usize::try_from(self.zeros) else { return true };
        let count = self.digits.len();
        if count <= DOUBLE_DIGITS {
            let rounded = format!("{number:.*e}", count.saturating_sub(1));
            let mantissa = rounded.split('e').next().unwrap_or_default();
            return mantissa.chars().filter(|digit| *digit != '.').eq(self.digits.chars());
        }
        format!("{number:.0}") == format!("{}{}", self.digits, "0".repeat(zeros))
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
