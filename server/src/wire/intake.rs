//! The memory for requests that are being read.

use prometheus_client::metrics::gauge::Gauge;

use crate::error::{Error, Kind};

/// What an open request takes besides the bytes of its body: its headers and what HTTP keeps of it.
const REQUEST_BYTES: usize = 2048;

/// A budget of bytes, shared by all connections. Without it, everyone who begins a message and never finishes it would
/// hold as much memory as a message may have, for as long as a call may take.
#[derive(Debug)]
pub struct Intake {
    held: Gauge,
    limit: i64,
}

impl Intake {
    /// A budget of `limit` bytes; `held` shows how many are taken.
    #[must_use]
    pub fn new(limit: usize, held: Gauge) -> Self {
        Self { held, limit: i64::try_from(limit).unwrap_or(i64::MAX) }
    }

    /// Opens the account of one request.
    pub(super) fn open(&self) -> Result<Reading<'_>, Error> {
        let mut reading = Reading { intake: self, bytes: 0 };
        reading.take(REQUEST_BYTES)?;
        Ok(reading)
    }
}

/// What one request holds of the budget, until it is dropped.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    intake: &'a Intake,
    bytes: i64,
}

impl Reading<'_> {
    /// Takes more.
    ///
    /// # Errors
    /// [`Kind::Overloaded`] when there isn't as much.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let before = self.intake.held.inc_by(bytes);
        self.bytes += bytes;
        if before.saturating_add(bytes) > self.intake.limit { Err(Kind::Overloaded.into()) } else { Ok(()) }
    }

    /// Gives back what was taken for a body that isn't kept.
    pub(super) fn give_back(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).min(self.bytes);
        self.intake.held.dec_by(bytes);
        self.bytes -= bytes;
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.intake.held.dec_by(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_all_comes_back() {
        let held = Gauge::default();
        let intake = Intake::new(3 * REQUEST_BYTES, held.clone());
        let mut first = intake.open().unwrap();
        first.take(REQUEST_BYTES).unwrap();
        let second = intake.open().unwrap();
        assert_eq!(intake.open().unwrap_err().kind(), Kind::Overloaded);
        assert_eq!(first.take(1).unwrap_err().kind(), Kind::Overloaded);
        first.give_back(REQUEST_BYTES + 1);
        assert!(intake.open().is_ok());
        drop((first, second));
        assert_eq!(held.get(), 0);
    }
}
