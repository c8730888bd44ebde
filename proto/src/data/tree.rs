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
    Object(Members<'a>),
}

pub(super) type Members<'a> = BTreeMap<Cow<'a, str>, Tree<'a>>;

impl Tree<'_> {
    /// The fewest bytes that its encoding can take: lengths are counted as one byte each.
    fn least_size(&self) -> usize {
        let inside = match self {
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => 0,
            Tree::List(items) => items.iter().map(|item| ITEM + item.least_size()).sum(),
            Tree::Object(members) => members.iter().map(|(key, value)| MEMBER + key.len() + value.least_size()).sum(),
        };
        self.shell() + inside
    }

    /// The same without what is nested in it.
    fn shell(&self) -> usize {
        match self {
            Tree::Null | Tree::Bool(_) | Tree::List(_) | Tree::Object(_) => 2,
            Tree::Number(_) => 9,
            Tree::Text(text) => 2 + text.len(),
        }
    }
}

/// A list's item around its value: a key and a length.
const ITEM: usize = 2;
/// An object's member around the bytes of its name and its value: three keys and three lengths.
const MEMBER: usize = 6;

/// What a parser may still accept, so that it stops where the encoding can no longer fit its limit: input that is
/// small, or has been compressed, must not cost more time than the largest that passes.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes of the canonical encoding.
    bytes: usize,
    /// Fields of the encoding, whether or not they end up in the canonical one.
    fields: usize,
}

impl Budget {
    /// For a canonical encoding of at most `bytes`. As each of its fields takes two bytes or more, an encoding with
    /// more than half as many fields is not what anybody's encoder made of data that fits.
    pub(super) fn of(bytes: usize) -> Self {
        Self { bytes, fields: bytes / 2 }
    }

    /// For input of which nobody says how large it may be.
    pub(super) fn unlimited() -> Self {
        Self { bytes: usize::MAX, fields: usize::MAX }
    }

    /// One more field is looked at.
    pub(super) fn visit(&mut self) -> Result<(), DataError> {
        self.fields = self.fields.checked_sub(1).ok_or(DataError::TooLarge)?;
        Ok(())
    }

    /// An array's next item comes.
    pub(super) fn item(&mut self) -> Result<(), DataError> {
        self.take(ITEM)
    }

    /// A member of this name comes, in the place of an earlier one that has the same.
    pub(super) fn begin_member(&mut self, members: &mut Members<'_>, key: &str) -> Result<(), DataError> {
        if let Some(earlier) = members.remove(key) {
            self.bytes += MEMBER + key.len();
            self.replaced(Some(&earlier));
        }
        self.take(MEMBER + key.len())
    }

    /// A value comes. What is nested in it has been taken, or will be.
    pub(super) fn value<'a>(&mut self, value: Tree<'a>) -> Result<Tree<'a>, DataError> {
        self.take(value.shell())?;
        Ok(value)
    }

    /// What was accepted doesn't count after all: something has taken its place.
    pub(super) fn replaced(&mut self, value: Option<&Tree<'_>>) {
        self.bytes += value.map_or(0, Tree::least_size);
    }

    fn take(&mut self, bytes: usize) -> Result<(), DataError> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(DataError::TooLarge)?;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn fields_left(&self) -> usize {
        self.fields
    }
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
