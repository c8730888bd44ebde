//! A median with its interval of confidence, by order statistics: no assumption about how samples are distributed.

/// The median of some samples, and between which of them the true one lies with a probability of at least 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) median: f64,
    /// `None` with fewer than six samples: these can't give 95 %.
    pub(crate) bounds: Option<(f64, f64)>,
}

/// The probability that the true median lies outside of the interval, on each side.
const TAIL: f64 = 0.025;

impl Interval {
    /// Returns `None` without samples.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<_> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let upper = *sorted.get(count / 2)?;
        let median = if count % 2 == 1 { upper } else { f64::midpoint(sorted[count / 2 - 1], upper) };
        let bounds = outside(count).map(|outside| (sorted[outside], sorted[count - 1 - outside]));
        Some(Self { median, bounds })
    }
}

/// The number of samples at each end that lie outside of the interval. The number of samples below the true median is
/// binomial with a probability of one half.
fn outside(count: usize) -> Option<usize> {
    let mut probability = 0.5_f64.powi(i32::try_from(count).ok()?);
    let (mut tail, mut outside) = (0.0, None);
    for below in 0..count {
        tail += probability;
        if tail > TAIL {
            break;
        }
        outside = Some(below);
        probability *= (count - below) as f64 / (below + 1) as f64;
    }
    outside
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

    use super::*;

    #[test]
    fn the_interval_has_the_ranks_of_the_sign_test() {
        // Ranks from the tables of the sign test, from 1: n = 6: 1 and 6; 10: 2 and 9; 20: 6 and 15.
        for (count, low, high) in [(6, 1.0, 6.0), (10, 2.0, 9.0), (20, 6.0, 15.0), (100, 40.0, 61.0)] {
            let samples = (1..=count).rev().map(f64::from);
            let interval = Interval::of(samples).expect("there are samples");
            assert_eq!(interval.bounds, Some((low, high)), "{count}");
            assert!((interval.median - f64::from(count + 1) / 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn few_samples_have_no_interval() {
        assert_eq!(Interval::of([]), None);
        assert_eq!(Interval::of([2.0, 1.0, 3.0]), Some(Interval { median: 2.0, bounds: None }));
        assert!(Interval::of([1.0; 5]).expect("five").bounds.is_none());
    }

    #[test]
    fn it_holds_the_true_median_as_often_as_it_says() {
        // A generator of Lehmer's: samples that are skewed, with a median of 0.25.
        let mut state = 42_u64;
        let mut sample = || {
            state = state * 48_271 % 2_147_483_647;
            (state as f64 / 2_147_483_647.0).powi(2)
        };
        let trials = 2000;
        let held = (0..trials).filter(|_| {
            let interval = Interval::of((0..20).map(|_| sample())).expect("samples");
            interval.bounds.is_some_and(|(low, high)| low <= 0.25 && 0.25 <= high)
        });
        let share = held.count() as f64 / f64::from(trials);
        assert!(share >= 0.945, "{share}");
    }

    /// Ratios whose logarithms are spread evenly by `noise` around that of `ratio`, and one in ten of them by ten times that:
    /// a neighbour was busy.
    fn ratios(random: &mut SmallRng, ratio: f64, noise: f64) -> impl Iterator<Item = f64> {
        std::iter::repeat_with(move || {
            let spread = if random.random_bool(0.1) { 10.0 * noise } else { noise };
            ratio * random.random_range(-spread..spread).exp()
        })
    }

    #[test]
    fn nineteen_in_twenty_intervals_hold_the_true_median() {
        let random = &mut SmallRng::seed_from_u64(1);
        let held = (0..4000)
            .filter(|_| {
                let (low, high) =
                    Interval::of(ratios(random, 1.0, 0.03).take(20)).and_then(|it| it.bounds).expect("20");
                low <= 1.0 && 1.0 <= high
            })
            .count();
        // 20 samples give 95.9 %, whatever their distribution is.
        assert!((3800..3880).contains(&held), "{held}");
    }

    #[test]
    fn a_build_that_is_three_per_cent_faster_is_told_apart() {
        let random = &mut SmallRng::seed_from_u64(2);
        let found = (0..1000)
            .filter(|_| {
                let (_, high) = Interval::of(ratios(random, 0.97, 0.03).take(20)).and_then(|it| it.bounds).expect("20");
                high < 1.0
            })
            .count();
        assert!(found > 900, "{found}");
    }
}
