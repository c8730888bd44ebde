//! Saved positions, as a value that a program can keep.

use std::collections::{BTreeMap, btree_map};

use serde::{Deserialize, Serialize};

use crate::{Interest, Position};

/// How far each interest has been read.
///
/// As JSON it is a list of `{"domain": "...", "filter": "...", "position": {"epoch": "...", "sequence": "7"}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Saved>", into = "Vec<Saved>")]
pub struct Positions(BTreeMap<Interest, Position>);

#[derive(Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    interest: Interest,
    position: Position,
}

impl Positions {
    /// The position of `interest`, if it has one.
    #[must_use]
    pub fn get(&self, interest: &Interest) -> Option<&Position> {
        self.0.get(interest)
    }

    /// Each interest and its position.
    pub fn iter(&self) -> impl Iterator<Item = (&Interest, &Position)> {
        self.0.iter()
    }

    /// How many interests have a position.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when no interest has a position.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Interest, Position)> for Positions {
    fn from_iter<I: IntoIterator<Item = (Interest, Position)>>(saved: I) -> Self {
        Self(saved.into_iter().collect())
    }
}

impl IntoIterator for Positions {
    type Item = (Interest, Position);
    type IntoIter = btree_map::IntoIter<Interest, Position>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Vec<Saved>> for Positions {
    fn from(saved: Vec<Saved>) -> Self {
        saved.into_iter().map(|saved| (saved.interest, saved.position)).collect()
    }
}

impl From<Positions> for Vec<Saved> {
    fn from(positions: Positions) -> Self {
        positions.into_iter().map(|(interest, position)| Saved { interest, position }).collect()
    }
}
