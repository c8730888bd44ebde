//! What a client listens to, and where it starts.

use std::{cmp::Ordering, fmt};

use poke_proto::v1;
use serde::{Deserialize, Serialize};

/// To whom the pokes of an interest go. It is part of the interest's identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Audience {
    /// Everyone who holds the interest.
    #[default]
    Everyone,
    /// The one customer whom the subscriber's token names.
    Customer,
}

/// What a client listens to: a domain and a filter, and the audience that goes with them.
///
/// The server checks the parts: a domain is 1 to 64 of `[A-Za-z0-9_.-]`, a filter 1 to 256 bytes of UTF-8 without
/// control characters. They are compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Interest {
    /// The kind of data, for example `PLAYLIST`.
    pub domain: String,
    /// Which one of its kind, for example a playlist's id.
    pub filter: String,
    /// To whom the pokes go.
    #[serde(default, skip_serializing_if = "is_everyone")]
    pub audience: Audience,
}

fn is_everyone(audience: &Audience) -> bool {
    *audience == Audience::Everyone
}

impl Interest {
    /// An interest in the pokes that go to everyone.
    pub fn new(domain: impl Into<String>, filter: impl Into<String>) -> Self {
        Self { domain: domain.into(), filter: filter.into(), audience: Audience::Everyone }
    }

    /// The same for the pokes that go to the one customer whom the client's token names.
    #[must_use]
    pub fn customer(self) -> Self {
        Self { audience: Audience::Customer, ..self }
    }

    /// This interest, starting after `position` instead of with new pokes only.
    #[must_use]
    pub fn after(self, position: Position) -> Want {
        Want { interest: self, start: Start::After(position) }
    }

    /// This interest, starting with the newest retained poke.
    #[must_use]
    pub fn latest(self) -> Want {
        Want { interest: self, start: Start::Latest }
    }
}

/// `DOMAIN/FILTER`, for people.
impl fmt::Display for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.filter)
    }
}

/// A place in a log that many interests share.
///
/// Positions are ordered within an epoch; those of different epochs can't be compared, so `<=` and `>` are both false
/// between them. Never compute loss from the distance of two sequences.
///
/// As JSON it is `{"epoch": "...", "sequence": "7"}`, as protobuf's own JSON mapping has it, since JavaScript can't hold
/// every sequence as a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Position {
    /// Names one unbroken history. Opaque.
    pub epoch: String,
    /// Strictly rises within an epoch, over all of its interests.
    #[serde(with = "sequence_as_text")]
    pub sequence: i64,
}

impl Position {
    /// The position `sequence` in the history `epoch`.
    pub fn new(epoch: impl Into<String>, sequence: i64) -> Self {
        Self { epoch: epoch.into(), sequence }
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.epoch == other.epoch).then(|| self.sequence.cmp(&other.sequence))
    }
}

/// `EPOCH:SEQUENCE`, for people.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.sequence)
    }
}

mod sequence_as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(sequence: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(sequence)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Where an interest starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With new pokes only.
    #[default]
    New,
    /// With everything retained after this position. What is no longer retained is reported as a gap.
    After(Position),
    /// With the newest retained poke if there is one.
    Latest,
}

/// An interest and where to start. An [`Interest`] alone starts with new pokes; a pair with a [`Position`] goes on after
/// it, so that saved [`Positions`](crate::Positions) can be passed to [`Client::subscribe`](crate::Client::subscribe).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Want {
    /// What to listen to.
    pub interest: Interest,
    /// Where to start.
    pub start: Start,
}

impl Want {
    /// `interest`, from `start` on.
    #[must_use]
    pub fn new(interest: Interest, start: Start) -> Self {
        Self { interest, start }
    }
}

impl From<Interest> for Want {
    fn from(interest: Interest) -> Self {
        Self { interest, start: Start::New }
    }
}

impl From<(Interest, Position)> for Want {
    fn from((interest, position): (Interest, Position)) -> Self {
        interest.after(position)
    }
}

impl From<Audience> for v1::Audience {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Everyone => Self::Unspecified,
            Audience::Customer => Self::Customer,
        }
    }
}

impl From<v1::Audience> for Audience {
    fn from(audience: v1::Audience) -> Self {
        match audience {
            v1::Audience::Unspecified => Self::Everyone,
            v1::Audience::Customer => Self::Customer,
        }
    }
}

impl From<Interest> for v1::Interest {
    fn from(Interest { domain, filter, audience }: Interest) -> Self {
        Self { domain, filter, audience: v1::Audience::from(audience).into() }
    }
}

impl From<v1::Interest> for Interest {
    fn from(interest: v1::Interest) -> Self {
        // An unknown audience is read as the zero value (poke.proto, "Growth").
        let audience = interest.audience().into();
        Self { domain: interest.domain, filter: interest.filter, audience }
    }
}

impl From<Position> for v1::Position {
    fn from(Position { epoch, sequence }: Position) -> Self {
        Self { epoch, sequence }
    }
}

impl From<v1::Position> for Position {
    fn from(v1::Position { epoch, sequence }: v1::Position) -> Self {
        Self { epoch, sequence }
    }
}
