//! Customers whose tokens were revoked.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::RwLock;
use tokio::time::Instant;

use super::CustomerId;

/// How many revocations are remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembering {
    /// Customers at once.
    pub limit: usize,
    /// As long as a token can live.
    pub window: Duration,
}

impl Default for Remembering {
    fn default() -> Self {
        Self { limit: 100_000, window: Duration::from_secs(86_400) }
    }
}

/// What happened to a customer's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Those that were issued up to this second of the UNIX epoch are refused.
    pub issued_until: u64,
    /// For how long that is remembered.
    pub window: Duration,
}

/// There is no room for another one: to forget an older one would let its customer in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no more revocations can be remembered: admin.revocations is used up")]
pub struct Full;

/// Whose tokens are refused although they hold.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    remembering: Remembering,
    customers: RwLock<HashMap<Arc<str>, Revoked>>,
}

#[derive(Clone, Copy, Debug)]
struct Revoked {
    issued_until: u64,
    forgotten: Instant,
}

impl Revocations {
    pub(super) fn new(remembering: Remembering) -> Self {
        Self { remembering, customers: RwLock::default() }
    }

    /// Revokes every token of a customer that was issued until now. Doing it again counts from then.
    pub(super) fn revoke(&self, customer: &str, now: Instant) -> Result<Revocation, Full> {
        let Remembering { limit, window } = self.remembering;
        let mut customers = self.customers.write();
        customers.retain(|_, revoked| revoked.forgotten > now);
        if customers.len() >= limit && !customers.contains_key(customer) {
            return Err(Full);
        }
        let issued_until = seconds();
        customers.insert(customer.into(), Revoked { issued_until, forgotten: now + window });
        Ok(Revocation { issued_until, window })
    }

    /// Whether a token of this customer is revoked. One that doesn't say when it was issued can be an old one.
    pub(super) fn cover(&self, customer: &CustomerId, issued: Option<u64>, now: Instant) -> bool {
        let revoked = self.customers.read().get(customer.as_str()).copied();
        revoked.is_some_and(|Revoked { issued_until, forgotten }| {
            now < forgotten && issued.is_none_or(|issued| issued <= issued_until)
        })
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.customers.read().len()
    }
}

/// The time of day, in seconds since the UNIX epoch.
pub(super) fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::auth::Caller;

    fn customer(id: &str) -> CustomerId {
        Caller::of_customer(id).customer().unwrap().clone()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn what_was_issued_before_is_refused_for_as_long_as_it_can_live_and_what_comes_later_is_not() {
        let revocations = Revocations::new(Remembering { limit: 10, window: HOUR });
        let (alice, bob, now) = (customer("alice"), customer("bob"), Instant::now());
        assert!(!revocations.cover(&alice, None, now));
        let Revocation { issued_until, window } = revocations.revoke("alice", now).unwrap();
        assert_eq!(window, HOUR);
        for (issued, covered) in
            [(None, true), (Some(0), true), (Some(issued_until), true), (Some(issued_until + 1), false)]
        {
            assert_eq!(revocations.cover(&alice, issued, now), covered, "{issued:?}");
            assert!(!revocations.cover(&bob, issued, now));
            assert!(!revocations.cover(&alice, issued, now + HOUR), "no older token lives any more");
        }
    }

    #[test]
    fn none_is_forgotten_for_another_and_doing_it_twice_takes_no_room() {
        let revocations = Revocations::new(Remembering { limit: 2, window: HOUR });
        let now = Instant::now();
        for customer in ["a", "b", "a", "b"] {
            assert!(revocations.revoke(customer, now).is_ok());
        }
        assert_eq!(revocations.revoke("c", now), Err(Full));
        assert!(revocations.cover(&customer("a"), None, now));
        assert!(revocations.revoke("a", now + HOUR / 2).is_ok());
        assert!(revocations.revoke("c", now + HOUR).is_ok(), "the time of b is over");
        assert_eq!((revocations.len(), revocations.cover(&customer("a"), None, now + HOUR)), (2, true));
    }
}
