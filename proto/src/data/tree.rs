//! A JSON value that keeps to the rules of data, on its way between text and wire.

use std::{borrow::Cow, collections::BTreeMap};

use super::{DataError, MAX_DATA_DEPTH};

/// Numbers are finite and there are at most [`MAX_DATA_DEPTH`] levels: both parsers see to it.
#[derive(Debug, PartialEq)]
pub(super) enum Tree<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// Sorted by key, as the canonical form is.
    Object(BTreeMap<Cow<'a, str>, Self>),
}

/// How many arrays and objects stand around a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Depth(usize);

impl Depth {
    /// Inside of one more array or object.
    pub(super) fn deeper(self) -> Result<Self, DataError> {
        if self.0 < MAX_DATA_DEPTH { Ok(Self(self.0 + 1)) } else { Err(DataError::TooDeep) }
    }
}
