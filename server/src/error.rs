//! One error for all that a caller is told: a kind and what caused it.
//!
//! [`Kind`] is the table of errors at the head of `poke.proto`: each kind has a code, a reason, a message and perhaps a
//! delay after which to retry. The cause is for the log; callers see neither it nor their own input.

mod connect;
mod details;
mod kind;
mod size;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt, time::Duration};

use poke_proto::DataError;
use tonic::{Code, Status};

pub use self::{connect::ConnectError, kind::Kind, size::Size};
use crate::{frame::MAX_POKE_BYTES, interest::InvalidInterest};

/// An error, and what it came from.
pub(crate) fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The most violations that one error lists.
const MAX_VIOLATIONS: usize = 8;

/// Why a call, or one interest of it, is refused.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    violations: Vec<Violation>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    reason: &'static str,
    field: Cow<'static, str>,
    rule: Cow<'static, str>,
}

impl Error {
    /// Bad input: `field` breaks `rule`, which is a sentence without its stop that names the field. Neither may repeat
    /// what the caller sent; both stay under 100 bytes or so.
    pub fn invalid(kind: Kind, field: impl Into<Cow<'static, str>>, rule: impl Into<Cow<'static, str>>) -> Self {
        let violation = Violation { reason: kind.row().reason, field: field.into(), rule: rule.into() };
        Self { violations: vec![violation], ..kind.into() }
    }

    /// With its cause, for the log.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// This error with the violations of another one added, as many as one error may list.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.violations.extend(other.violations);
        self.violations.truncate(MAX_VIOLATIONS);
        self
    }

    /// Which line of the table it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The gRPC code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.kind.row().code
    }

    /// The reason, in UPPER_SNAKE.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.kind.row().reason
    }

    /// What to tell people: the first rule that was broken, or else what the table says.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        match &self.violations[..] {
            [] => self.kind.row().message,
            [only] => only.rule.clone(),
            [first, others @ ..] => format!("{} (and {} more)", first.rule, others.len()).into(),
        }
    }

    /// When to ask again. `None`: never, if the code doesn't say otherwise.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.kind.row().retry
    }

    /// As a gRPC status with its details.
    #[must_use]
    pub fn to_status(&self) -> Status {
        Status::with_details(self.code(), self.message(), details::encode(self).into())
    }
}

/// What is wrong with one request, gathered so that its caller hears of it all at once.
#[derive(Debug, Default)]
pub struct Faults(Option<Error>);

impl Faults {
    /// Notes an error. Only the first one that blames a field is kept.
    pub fn note(&mut self, error: Error) {
        let Some(noted) = self.0.take() else { return self.0 = Some(error) };
        let blamed = |violation: &Violation| noted.violations.iter().any(|other| other.field == violation.field);
        self.0 = Some(if error.violations.iter().any(blamed) { noted } else { noted.and(error) });
    }

    /// Notes what went wrong, or gives what went right.
    pub fn check<T>(&mut self, result: Result<T, impl Into<Error>>) -> Option<T> {
        result.map_err(|error| self.note(error.into())).ok()
    }

    /// # Errors
    /// If anything has been noted: the first error, with the violations of the others.
    pub fn into_result(self) -> Result<(), Error> {
        self.0.map_or(Ok(()), Err)
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self { kind, violations: Vec::new(), source: None }
    }
}

impl From<InvalidInterest> for Error {
    fn from(invalid: InvalidInterest) -> Self {
        let (kind, field) = match invalid {
            InvalidInterest::Domain => (Kind::InvalidDomain, "domain"),
            InvalidInterest::FilterLength | InvalidInterest::FilterCharacter => (Kind::InvalidFilter, "filter"),
            InvalidInterest::Customer => (Kind::InvalidCustomer, "customer_id"),
        };
        Self::invalid(kind, field, invalid.to_string())
    }
}

impl From<DataError> for Error {
    fn from(invalid: DataError) -> Self {
        if invalid == DataError::TooLarge {
            return Kind::PokeTooLarge { size: Size::MoreThan(MAX_POKE_BYTES), limit: MAX_POKE_BYTES }.into();
        }
        Self::invalid(Kind::InvalidData, "data", format!("data is refused: {invalid}"))
    }
}

/// For the log: the reason, and the causes as sources.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason(), self.message())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
