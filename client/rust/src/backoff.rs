//! Full-jitter backoff: a random wait below a bound that doubles.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LARGEST: Duration = Duration::from_secs(30);

/// A uniformly random part of a duration. Tests load the dice.
pub(crate) type Dice = fn(Duration) -> Duration;

/// Fair dice.
pub(crate) fn uniform(bound: Duration) -> Duration {
    bound.mul_f64(rand::random())
}

/// How often it has been tried in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait before the next attempt.
    pub(crate) fn next(&mut self, dice: Dice) -> Duration {
        self.next_within(LARGEST, dice)
    }

    /// As [`Backoff::next`], for attempts that have only so much time left: a wait takes half of it at most, as long as
    /// that isn't less than the first bound.
    pub(crate) fn next_before(&mut self, left: Duration, dice: Dice) -> Duration {
        self.next_within((left / 2).clamp(FIRST, LARGEST), dice)
    }

    fn next_within(&mut self, largest: Duration, dice: Dice) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(largest);
        self.failures = self.failures.saturating_add(1);
        dice(bound)
    }

    /// As [`Backoff::next`], but the first wait of a row is below `spread`.
    pub(crate) fn next_spread(&mut self, spread: Duration, dice: Dice) -> Duration {
        match self.failures {
            0 => {
                self.failures = 1;
                dice(spread)
            }
            _ => self.next(dice),
        }
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_from_half_a_second_to_thirty() {
        let mut backoff = Backoff::default();
        let bounds: Vec<_> = (0..9).map(|_| backoff.next(|bound| bound).as_millis()).collect();
        assert_eq!(bounds, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next(|bound| bound), FIRST);
    }

    #[test]
    fn with_little_time_left_the_waits_fit_into_it() {
        let mut backoff = Backoff::default();
        let mut left = Duration::from_secs(20);
        let mut waits = Vec::new();
        while !left.is_zero() {
            let wait = backoff.next_before(left, |bound| bound);
            waits.push(wait.as_millis());
            left = left.saturating_sub(wait);
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 6250, 3125, 1562, 781, 500, 500]);
    }

    #[test]
    fn it_never_overflows() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.next(|bound| bound), LARGEST);
    }

    #[test]
    fn the_wait_is_uniform_below_the_bound() {
        let waits: Vec<_> = (0..1000).map(|_| uniform(LARGEST)).collect();
        assert!(waits.iter().all(|wait| *wait <= LARGEST));
        assert!(waits.iter().any(|wait| *wait < LARGEST / 4) && waits.iter().any(|wait| *wait > LARGEST / 4 * 3));
    }
}
