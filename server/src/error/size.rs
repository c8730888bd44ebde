//! The size of what is too large.

use std::fmt;

/// The size of what is too large, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All of it was counted.
    Exactly(usize),
    /// Reading stopped behind so many bytes.
    MoreThan(usize),
}

impl Size {
    /// The name by which details carry it, and the number of bytes.
    pub(super) fn metadata(self) -> (&'static str, usize) {
        match self {
            Self::Exactly(bytes) => ("size", bytes),
            Self::MoreThan(bytes) => ("size_over", bytes),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(bytes) => bytes.fmt(f),
            Self::MoreThan(bytes) => write!(f, "more than {bytes}"),
        }
    }
}
