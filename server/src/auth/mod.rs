//! Who may do what.
//!
//! A request becomes a [`Caller`] once, before anything looks at what it asks for: by the API key or the JWT that it
//! carries, and by the certificate of its connection. What a caller may do is written in the configuration, and can be
//! replaced as a whole while the server runs.

mod access;
mod caller;
mod certificate;
mod credentials_error;
mod grant;
mod issuer;
mod jwks;
mod key;
mod revocation;
mod signature;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    future::pending,
    sync::Arc,
};

use futures_util::future::join_all;
use http::{HeaderMap, header};
use tokio::{sync::watch, time::Instant};

pub(crate) use self::certificate::certificate_fault;
pub use self::{
    access::{Access, ClaimMatch, Principal, Publisher, Publishers, Right, Subscribers},
    caller::{Caller, CustomerId},
    certificate::PeerIdentity,
    grant::Grants,
    issuer::{ALGORITHMS, Issuer, IssuerSettings},
    jwks::Fetching,
    key::{KeyHash, NewKey},
    revocation::{Full, Remembering, Revocation},
};
use self::{
    caller::{ApiKey, Credential, Customers},
    credentials_error::CredentialsError,
    revocation::Revocations,
};
use crate::{
    error::{Error, Kind},
    interest::Interest,
    metrics::Metrics,
};

/// Who can prove what, over all domains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// API keys by name. A name has several while one replaces the other.
    pub keys: BTreeMap<String, Vec<KeyHash>>,
    /// Issuers of JWTs by name.
    pub issuers: BTreeMap<String, IssuerSettings>,
    /// Who may administer.
    pub admins: Vec<Principal>,
    /// How issuers' keys are fetched.
    pub jwks: Fetching,
}

impl Settings {
    /// Whether customers' ids have their issuer's name in front.
    #[must_use]
    pub fn has_several_customer_issuers(&self) -> bool {
        self.issuers.values().filter(|issuer| issuer.customers).count() > 1
    }

    /// Why nobody can be this principal: it names a key or an issuer that there isn't.
    #[must_use]
    pub fn stranger(&self, principal: &Principal) -> Option<String> {
        match principal {
            Principal::Key(name) if !self.keys.contains_key(name) => {
                Some(format!("there is no key {} in [keys]", name.escape_debug()))
            }
            Principal::Token { issuer, .. } if !self.issuers.contains_key(issuer) => {
                Some(format!("there is no issuer [issuers.{}]", issuer.escape_debug()))
            }
            _ => None,
        }
    }
}

/// Who may do what on this server.
#[derive(Debug)]
pub struct Auth {
    rules: watch::Sender<Arc<Rules>>,
    /// They outlive the rules.
    revocations: Revocations,
}

/// What the configuration says, as a whole.
#[derive(Debug)]
struct Rules {
    keys: Vec<(String, KeyHash)>,
    issuers: Vec<Arc<Issuer>>,
    customers: Customers,
    admins: Vec<Principal>,
    domains: HashMap<String, Access>,
    others: Option<Access>,
}

impl Auth {
    /// The rules of this configuration: `domains` by name, and what holds for `others`, if there may be any.
    #[must_use]
    pub fn new<'a>(
        settings: &Settings,
        domains: impl IntoIterator<Item = (&'a str, &'a Access)>,
        others: Option<&Access>,
    ) -> Self {
        let rules = watch::Sender::new(Arc::new(Rules::new(settings, domains, others, &[])));
        Self { rules, revocations: Revocations::default() }
    }

    /// With bounds of its own on what is remembered of revocations.
    #[must_use]
    pub fn remembering(self, remembering: Remembering) -> Self {
        Self { revocations: Revocations::new(remembering), ..self }
    }

    /// From now on these rules hold, and all of them at once. What is known of issuers that haven't changed stays.
    pub fn replace<'a>(
        &self,
        settings: &Settings,
        domains: impl IntoIterator<Item = (&'a str, &'a Access)>,
        others: Option<&Access>,
    ) {
        let rules = Rules::new(settings, domains, others, &self.rules().issuers);
        self.rules.send_replace(Arc::new(rules));
    }

    /// Everyone may do everything in any domain: for development.
    #[must_use]
    pub fn open() -> Self {
        Self::new(&Settings::default(), [], Some(&Access::open()))
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.borrow())
    }

    /// Keeps issuers' keys up to date. Runs until it is dropped.
    pub async fn run(self: Arc<Self>, metrics: Arc<Metrics>) {
        let mut changes = self.rules.subscribe();
        loop {
            let rules = Arc::clone(&changes.borrow_and_update());
            let fetching = join_all(rules.issuers.iter().map(|issuer| issuer.run(&metrics)));
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                // Without issuers there is nothing to do.
                () = async { fetching.await; pending().await } => {}
            }
        }
    }

    /// Who makes a request with these headers, on a connection with this certificate.
    ///
    /// # Errors
    /// When its credentials don't hold, even where none would be needed: who sends them means to be known, and must learn
    /// that they have to be renewed. A server that knows neither keys nor issuers doesn't look at any.
    pub async fn caller(&self, headers: &HeaderMap, certificate: Option<Arc<PeerIdentity>>) -> Result<Caller, Error> {
        let rules = self.rules();
        let credential = match bearer(headers) {
            _ if rules.keys.is_empty() && rules.issuers.is_empty() => Credential::None,
            Ok(None) => Credential::None,
            Ok(Some(bearer)) => rules.credential(bearer).await?,
            Err(error) => return Err(error),
        };
        let caller = Caller { credential, certificate };
        if self.is_revoked(&caller) { Err(Kind::TokenRevoked.into()) } else { Ok(caller) }
    }

    /// Refuses every token of a customer that was issued until now, for as long as one can live. Streams that are open
    /// look at it when they are told to. Doing it again counts from then.
    ///
    /// # Errors
    /// When no more can be remembered.
    pub fn revoke(&self, customer: &str) -> Result<Revocation, Full> {
        self.revocations.revoke(customer, Instant::now())
    }

    /// Returns why no token can be this customer's, if so: a revocation of it would do nothing.
    #[must_use]
    pub fn not_a_customer(&self, customer: &str) -> Option<&'static str> {
        let rules = self.rules();
        let issuers: Vec<_> = rules.issuers.iter().filter(|issuer| issuer.names_customers()).collect();
        let is_of = |issuer: &Issuer| {
            let id = customer.strip_prefix(issuer.alias()).and_then(|rest| rest.strip_prefix(':'));
            id.is_some_and(|id| !id.is_empty())
        };
        match rules.customers {
            _ if issuers.is_empty() => Some("no issuer of tokens names customers: none has customers = true"),
            Customers::OfSeveral if !issuers.iter().any(|issuer| is_of(issuer)) => {
                Some("several issuers name customers: write the id as ALIAS:ID, as in dev:alice of [issuers.dev]")
            }
            Customers::OfOne | Customers::OfSeveral => None,
        }
    }

    /// How many customers' revocations are remembered.
    #[must_use]
    pub fn revoked(&self) -> usize {
        self.revocations.len()
    }

    /// Returns true if the caller's token was revoked.
    pub(crate) fn is_revoked(&self, caller: &Caller) -> bool {
        let customer = caller.customer();
        customer.is_some_and(|customer| self.revocations.cover(customer, caller.issued(), Instant::now()))
    }

    /// Whether the caller has this right in a domain.
    ///
    /// # Errors
    /// If it hasn't, or there is no such domain.
    pub fn may_publish(&self, caller: &Caller, domain: &str, right: Right) -> Result<(), Error> {
        let rules = self.rules();
        let publishers = &rules.access(domain)?.publishers;
        match publishers.allow(caller, right) {
            true => Ok(()),
            false if publishers.is_nobody() => Err(Kind::NoPublishers.into()),
            false if caller.is_anonymous() => Err(Kind::CredentialsRequired.into()),
            false => Err(Kind::NotAPublisher.into()),
        }
    }

    /// Whether the caller may listen to an interest.
    ///
    /// # Errors
    /// If it may not, or there is no such domain.
    pub fn may_listen(&self, caller: &Caller, interest: &Interest) -> Result<(), Error> {
        let rules = self.rules();
        match (rules.access(interest.domain())?.subscribers, &caller.credential) {
            (Subscribers::Open, _) => Ok(()),
            (Subscribers::Authenticated, _) if !caller.is_anonymous() => Ok(()),
            (Subscribers::Grant, Credential::Token(token)) if token.grants.cover(interest) => Ok(()),
            (Subscribers::Grant, _) if !caller.is_anonymous() => Err(Kind::NotGranted.into()),
            (Subscribers::Authenticated | Subscribers::Grant, _) => Err(Kind::CredentialsRequired.into()),
        }
    }

    /// Who may do what in a domain, or in each that has no name of its own in the configuration.
    #[must_use]
    pub fn access(&self, domain: Option<&str>) -> Option<Access> {
        let rules = self.rules();
        match domain {
            Some(name) => rules.domains.get(name).cloned(),
            None => rules.others.clone(),
        }
    }

    /// Whether what a caller has proved is still something to be known by.
    ///
    /// # Errors
    /// When its key or its issuer was withdrawn, or its token revoked.
    pub fn still_knows(&self, caller: &Caller) -> Result<(), Error> {
        let rules = self.rules();
        let known = match &caller.credential {
            Credential::None => true,
            Credential::Key(key) => rules.keys.iter().any(|(name, hash)| *name == key.name && *hash == key.hash),
            // With another issuer that names customers theirs are told apart, and a customer's id is no longer the same.
            Credential::Token(token) if token.customers != rules.customers && token.customer.is_some() => false,
            Credential::Token(token) => rules.issuers.iter().any(|issuer| Arc::ptr_eq(issuer, &token.issuer)),
        };
        match known {
            true if self.is_revoked(caller) => Err(Kind::TokenRevoked.into()),
            true => Ok(()),
            false => Err(Kind::InvalidCredentials.into()),
        }
    }

    /// Whether the caller may administer the server.
    ///
    /// # Errors
    /// If it may not.
    pub fn may_administer(&self, caller: &Caller) -> Result<(), Error> {
        match self.rules().admins.iter().any(|admin| admin.is(caller)) {
            true => Ok(()),
            false if caller.is_anonymous() => Err(Kind::CredentialsRequired.into()),
            false => Err(Kind::NotAnAdmin.into()),
        }
    }
}

impl Rules {
    fn new<'a>(
        settings: &Settings,
        domains: impl IntoIterator<Item = (&'a str, &'a Access)>,
        others: Option<&Access>,
        known: &[Arc<Issuer>],
    ) -> Self {
        let issuer = |alias: &String, issuer: &IssuerSettings| {
            let known = known.iter().find(|known| known.is(alias, issuer, settings.jwks));
            known.cloned().unwrap_or_else(|| Arc::new(Issuer::new(alias, issuer, settings.jwks)))
        };
        let keys = settings.keys.iter();
        Self {
            keys: keys.flat_map(|(name, hashes)| hashes.iter().map(|hash| (name.clone(), *hash))).collect(),
            issuers: settings.issuers.iter().map(|(alias, settings)| issuer(alias, settings)).collect(),
            customers: if settings.has_several_customer_issuers() { Customers::OfSeveral } else { Customers::OfOne },
            admins: settings.admins.clone(),
            domains: domains.into_iter().map(|(name, access)| (name.to_owned(), access.clone())).collect(),
            others: others.cloned(),
        }
    }

    fn access(&self, domain: &str) -> Result<&Access, Error> {
        self.domains.get(domain).or(self.others.as_ref()).ok_or_else(|| Kind::UnknownDomain.into())
    }

    async fn credential(&self, bearer: &str) -> Result<Credential, Error> {
        if bearer.starts_with(key::PREFIX) {
            return self.key(bearer).ok_or_else(|| CredentialsError::UnknownKey.into());
        }
        let issuer = issuer::of(&self.issuers, bearer)?;
        Ok(Credential::Token(Arc::new(issuer.verify(bearer, self.customers).await?)))
    }

    /// Looks at every key, so that the time tells nothing.
    fn key(&self, presented: &str) -> Option<Credential> {
        let hash = KeyHash::of(presented);
        let found = self.keys.iter().fold(None, |found, (name, known)| if *known == hash { Some(name) } else { found });
        found.map(|name| Credential::Key(Arc::new(ApiKey { name: name.clone(), hash })))
    }
}

/// What a request carries as `authorization: Bearer` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let invalid = || Error::from(CredentialsError::NotBearer);
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
            if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(invalid()) }
        }
        // Who reads the first one and who reads the last one would see two callers.
        (Some(_), Some(_)) => Err(CredentialsError::SeveralHeaders.into()),
    }
}
