//! How fast may be published: by one publisher, and to one domain.
//!
//! Each rate is a leaky bucket that is kept as a single time, the one at which it will have drained (the virtual scheduling
//! algorithm of ITU-T I.371, also known as GCRA). A bucket that has drained says nothing, so it needn't be kept.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    time::Duration,
};

use tokio::time::Instant;

/// Buckets of publishers that a domain keeps. They take about 32 bytes each, and only those who have just published have
/// one.
const MAX_PUBLISHERS: usize = 10_000;

/// What a domain lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Pokes and ends a second of one publisher. `None` is any number.
    pub publisher: Option<NonZeroU32>,
    /// Pokes and ends a second of all publishers together.
    pub domain: Option<NonZeroU32>,
    /// How much of its rate a publisher, or a domain, that was quiet may use up at once: as much as comes in this time.
    pub burst: Duration,
}

/// Which rate was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of the publisher.
    Publisher,
    /// That of the domain.
    Domain,
}

/// Too much in too short a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} a second")]
pub struct TooFast {
    /// Which rate was exceeded.
    pub whose: Whose,
    /// How many a second it allows.
    pub limit: u32,
    /// When there will be room for one more.
    pub wait: Duration,
}

/// The rates of one domain, at work.
#[derive(Debug)]
pub(super) struct Meter {
    rates: Rates,
    hasher: RandomState,
    domain: Option<Instant>,
    /// By the hash of their name: two names meet once in a very long time, and names can be long.
    publishers: HashMap<u64, Instant>,
    /// The bucket of all publishers for whom there is no other.
    crowd: Option<Instant>,
}

impl Meter {
    pub(super) fn new(rates: Rates) -> Self {
        Self { rates, hasher: RandomState::new(), domain: None, publishers: HashMap::new(), crowd: None }
    }

    /// Lets one through. What one of the rates refuses takes nothing of the other.
    pub(super) fn take(&mut self, publisher: &str, now: Instant) -> Result<(), TooFast> {
        let Rates { publisher: of_publisher, domain: of_domain, burst } = self.rates;
        let too_fast = |whose, limit: NonZeroU32| move |wait| TooFast { whose, limit: limit.get(), wait };
        let publisher = self.hasher.hash_one(publisher);
        let drained = match of_publisher {
            Some(limit) => {
                self.make_room(publisher, now);
                let bucket = self.publishers.get(&publisher).copied();
                let bucket = if self.is_full() { bucket.or(self.crowd) } else { bucket };
                Some(fill(bucket, limit, burst, now).map_err(too_fast(Whose::Publisher, limit))?)
            }
            None => None,
        };
        if let Some(limit) = of_domain {
            self.domain = Some(fill(self.domain, limit, burst, now).map_err(too_fast(Whose::Domain, limit))?);
        }
        if let Some(drained) = drained {
            if self.is_full() && !self.publishers.contains_key(&publisher) {
                self.crowd = Some(drained);
            } else {
                self.publishers.insert(publisher, drained);
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.publishers.len() >= MAX_PUBLISHERS
    }

    /// Lets go the buckets that say nothing, if a new one needs room.
    fn make_room(&mut self, publisher: u64, now: Instant) {
        if self.is_full() && !self.publishers.contains_key(&publisher) {
            self.publishers.retain(|_, drained| *drained > now);
        }
    }
}

/// Puts one into a bucket. Answers when it will have drained, or how long there is no room yet.
fn fill(drained: Option<Instant>, limit: NonZeroU32, burst: Duration, now: Instant) -> Result<Instant, Duration> {
    let drained = drained.unwrap_or(now).max(now);
    match (drained - now).checked_sub(burst) {
        Some(wait) if !wait.is_zero() => Err(wait),
        _ => Ok(drained + Duration::from_secs(1) / limit.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(publisher: u32, domain: u32, burst: Duration) -> Meter {
        Meter::new(Rates { publisher: NonZeroU32::new(publisher), domain: NonZeroU32::new(domain), burst })
    }

    /// How many of 1,000 attempts at one time get through.
    fn passed(meter: &mut Meter, publisher: &str, now: Instant) -> usize {
        (0..1000).filter(|_| meter.take(publisher, now).is_ok()).count()
    }

    #[test]
    fn who_was_quiet_may_send_a_burst_and_then_keeps_to_the_rate() {
        let (mut meter, now) = (rates(10, 0, Duration::from_secs(2)), Instant::now());
        assert_eq!(passed(&mut meter, "a", now), 21);
        let too_fast = meter.take("a", now).err();
        let wait = Duration::from_millis(100);
        assert_eq!(too_fast, Some(TooFast { whose: Whose::Publisher, limit: 10, wait }));
        assert!(meter.take("a", now + wait - Duration::from_nanos(1)).is_err());
        assert!(meter.take("a", now + wait).is_ok(), "room comes when it was said to");
        let steady = (2..1000).filter(|n| meter.take("a", now + wait * *n).is_ok()).count();
        assert_eq!(steady, 998, "the rate itself always passes");
        assert_eq!(passed(&mut meter, "b", now), 21, "each publisher has its own");
        assert_eq!(passed(&mut meter, "a", now + Duration::from_secs(3600)), 21, "no more is saved up than a burst");
    }

    #[test]
    fn without_a_burst_one_comes_at_a_time() {
        let (mut meter, now) = (rates(1, 0, Duration::ZERO), Instant::now());
        assert_eq!(
            [0, 0, 999, 1000].map(|ms| meter.take("a", now + Duration::from_millis(ms)).is_ok()),
            [true, false, false, true]
        );
    }

    #[test]
    fn all_publishers_together_keep_to_the_domains_rate_and_a_refusal_costs_nobody_anything() {
        let (mut meter, now) = (rates(100, 10, Duration::from_secs(1)), Instant::now());
        assert_eq!(passed(&mut meter, "a", now), 11);
        let whose = meter.take("b", now).map_err(|too_fast| too_fast.whose);
        assert_eq!(whose, Err(Whose::Domain));
        let mut later = rates(100, 0, Duration::from_secs(1));
        std::mem::swap(&mut later.publishers, &mut meter.publishers);
        std::mem::swap(&mut later.hasher, &mut meter.hasher);
        assert_eq!(passed(&mut later, "a", now), 90, "what the domain refused was not charged to the publisher");
    }

    #[test]
    fn names_cost_no_more_than_their_bound_and_newcomers_share_a_bucket_while_it_is_reached() {
        let (mut meter, now) = (rates(1, 0, Duration::from_secs(1)), Instant::now());
        let passed = |meter: &mut Meter, prefix: &str, now| {
            (0..2 * MAX_PUBLISHERS).filter(|n| meter.take(&format!("{prefix}{n}"), now).is_ok()).count()
        };
        assert_eq!(passed(&mut meter, "a", now), MAX_PUBLISHERS + 2);
        assert_eq!(meter.publishers.len(), MAX_PUBLISHERS);
        assert!(meter.take("a0", now).is_ok(), "who has a bucket keeps it");
        let later = now + Duration::from_secs(10);
        assert_eq!(passed(&mut meter, "b", later), MAX_PUBLISHERS + 2, "those of old are gone");
        assert_eq!(meter.publishers.len(), MAX_PUBLISHERS);
    }

    #[test]
    fn no_rate_lets_all_through_and_keeps_nothing() {
        let (mut meter, now) = (Meter::new(Rates::default()), Instant::now());
        assert_eq!(passed(&mut meter, "a", now), 1000);
        assert!(meter.publishers.is_empty());
    }
}
