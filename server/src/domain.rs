//! The domains that this server knows, and what each allows.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use parking_lot::RwLock;
use tokio::time::Instant;

use crate::{
    auth::Access,
    registry::{Allowance, Rates, Retention},
};

/// To whom a domain's pokes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone who holds the interest.
    Everyone,
    /// One customer.
    Customer,
}

/// One domain, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// To whom its pokes go. It has no other.
    pub audience: Audience,
    /// What each of its interests retains.
    pub retention: Retention,
    /// Idempotency keys that are kept for it.
    pub idempotency_keys: usize,
    /// How fast may be published to it.
    pub rates: Rates,
    /// Who may do what in it.
    pub access: Access,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            audience: Audience::Everyone,
            retention: Retention { pokes: 64, bytes: 1 << 20 },
            idempotency_keys: 100_000,
            rates: Rates {
                publisher: NonZeroU32::new(1000),
                domain: NonZeroU32::new(10_000),
                burst: Duration::from_secs(10),
            },
            access: Access::default(),
        }
    }
}

impl Settings {
    /// The same, but open to everyone: for development.
    #[must_use]
    pub fn opened(&self) -> Self {
        Self { access: Access::open(), ..self.clone() }
    }
}

/// One domain, at work.
#[derive(Debug)]
pub struct Domain {
    /// To whom its pokes go.
    pub audience: Audience,
    /// How fast may be published to it.
    pub rates: Rates,
    /// What each of its interests may retain, and the idempotency keys used in it.
    pub allowance: Allowance,
}

impl Domain {
    fn new(settings: &Settings) -> Arc<Self> {
        let allowance = Allowance::new(settings.retention, settings.idempotency_keys).with_rates(settings.rates);
        Arc::new(Self { audience: settings.audience, rates: settings.rates, allowance })
    }
}

/// Every domain of this server.
#[derive(Debug)]
pub struct Domains {
    table: RwLock<Table>,
}

#[derive(Debug)]
struct Table {
    named: HashMap<String, Arc<Domain>>,
    open: Option<Arc<Domain>>,
}

impl Domains {
    /// The configured domains and no others.
    #[must_use]
    pub fn configured<'a>(domains: impl IntoIterator<Item = (&'a str, &'a Settings)>) -> Self {
        let named = domains.into_iter().map(|(name, settings)| (name.to_owned(), Domain::new(settings))).collect();
        Self { table: RwLock::new(Table { named, open: None }) }
    }

    /// Any domain, each with the same settings: for development. They share one allowance of idempotency keys, since
    /// callers make the names up.
    #[must_use]
    pub fn open(settings: &Settings) -> Self {
        Self::configured([]).with_others(settings)
    }

    /// These domains, and any other with the same settings. The others share one allowance.
    #[must_use]
    pub fn with_others(self, settings: &Settings) -> Self {
        self.table.write().open = Some(Domain::new(settings));
        self
    }

    /// From now on there are these. One that was there before stays as it is, with what is known of its past.
    pub fn replace<'a>(&self, named: impl IntoIterator<Item = (&'a str, &'a Settings)>, others: Option<&Settings>) {
        let mut table = self.table.write();
        let mut old = std::mem::take(&mut table.named);
        let mut kept = |name: &str| old.remove(name);
        table.named = named
            .into_iter()
            .map(|(name, settings)| (name.to_owned(), kept(name).unwrap_or_else(|| Domain::new(settings))))
            .collect();
        table.open = others.map(|settings| table.open.take().unwrap_or_else(|| Domain::new(settings)));
    }

    /// The domain of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Domain>> {
        let table = self.table.read();
        table.named.get(name).or(table.open.as_ref()).cloned()
    }

    /// Each domain by its name, in order; the last may be what holds for every other name.
    #[must_use]
    pub fn all(&self) -> Vec<(Option<String>, Arc<Domain>)> {
        let table = self.table.read();
        let named = table.named.iter().map(|(name, domain)| (Some(name.clone()), Arc::clone(domain)));
        let mut all: Vec<_> = named.collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all.extend(table.open.iter().map(|domain| (None, Arc::clone(domain))));
        all
    }

    /// Lets go the idempotency keys whose window has passed. Answers how many stay.
    pub fn expire(&self, now: Instant, window: Duration) -> usize {
        let table = self.table.read();
        table.named.values().chain(&table.open).map(|domain| domain.allowance.expire(now, window)).sum()
    }
}
