//! Who makes a request.

use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Grants, KeyHash, PeerIdentity};
use crate::interest::{Interest, Recipients};

/// Who makes a request: found out once, before anything looks at what it asks for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub(super) credential: Credential,
    /// The names of the certificate that its connection presented.
    pub(super) certificate: Option<Arc<PeerIdentity>>,
}

/// What a request carries as `authorization: Bearer`, verified.
#[derive(Clone, Debug, Default)]
pub(super) enum Credential {
    /// Nothing.
    #[default]
    None,
    /// An API key.
    Key(Arc<ApiKey>),
    /// A JWT.
    Token(Arc<Token>),
}

/// An API key that was presented.
#[derive(Debug)]
pub(super) struct ApiKey {
    pub(super) name: String,
    pub(super) hash: KeyHash,
}

/// A JWT that was verified.
pub(super) struct Token {
    pub(super) issuer: Arc<super::Issuer>,
    pub(super) subject: Option<String>,
    pub(super) claims: Map<String, Value>,
    pub(super) grants: Grants,
    pub(super) customer: Option<CustomerId>,
    pub(super) customers: Customers,
    /// The second of the UNIX epoch in which it was issued, if it says so.
    pub(super) issued: Option<u64>,
    /// When it stops being accepted. `None`: so far away that it can't be told.
    pub(super) expires: Option<Instant>,
}

/// A customer, by the claim of a verified token. Unique over all issuers that name customers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CustomerId(pub(super) Arc<str>);

/// Whose customers' ids have to be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Customers {
    /// One issuer names them.
    OfOne,
    /// Several do.
    OfSeveral,
}

impl CustomerId {
    /// The customer whom an issuer calls `id`, if that can be a customer's id.
    pub(super) fn new(alias: &str, id: &str, customers: Customers) -> Option<Self> {
        let id = match customers {
            Customers::OfOne => id.to_owned(),
            Customers::OfSeveral => format!("{alias}:{id}"),
        };
        let recipients = Recipients::Customer(id.as_str().into());
        Interest::faults(&recipients, "any", "any").next().is_none().then(|| Self(id.into()))
    }

    /// The id, as a publisher writes it in `customer_id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Customers' ids stay out of logs.
impl fmt::Debug for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerId(..)")
    }
}

impl Token {
    /// By its subject, or else by all that it says besides its times.
    fn publisher(&self) -> String {
        if let Some(subject) = &self.subject {
            return format!("token {} {subject}", self.issuer.alias());
        }
        let lasting = self.claims.iter().filter(|(name, _)| !["exp", "iat", "nbf", "jti"].contains(&name.as_str()));
        let said: String = lasting.map(|(name, value)| format!("{name:?}:{value}\n")).collect();
        format!("claims {} {}", self.issuer.alias(), KeyHash::of(&said))
    }
}

/// What a token says stays out of logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("issuer", &self.issuer.alias()).finish_non_exhaustive()
    }
}

impl Caller {
    /// Somebody with a token that is accepted until then.
    #[cfg(test)]
    pub(crate) fn until(expires: Instant) -> Self {
        Self::of_test(None, Some(expires))
    }

    /// This customer.
    #[cfg(test)]
    pub(crate) fn of_customer(id: &str) -> Self {
        Self::of_test(Some(CustomerId(id.into())), None)
    }

    #[cfg(test)]
    fn of_test(customer: Option<CustomerId>, expires: Option<Instant>) -> Self {
        let issuer = super::Issuer::new("test", &super::IssuerSettings::default(), super::Fetching::default());
        let token = Token {
            issuer: Arc::new(issuer),
            subject: None,
            claims: Map::new(),
            grants: Grants::default(),
            customer,
            customers: Customers::OfOne,
            issued: None,
            expires,
        };
        Self { credential: Credential::Token(Arc::new(token)), certificate: None }
    }

    /// Whether nothing is known of it: no key, no token, no certificate.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(self.credential, Credential::None) && self.certificate.is_none()
    }

    /// Names the caller as a publisher: what its idempotency keys and its rate limits are scoped to. The same for all
    /// its connections; different publishers never share one, and nobody can choose another's.
    #[must_use]
    pub fn publisher(&self) -> Cow<'static, str> {
        match (&self.credential, &self.certificate) {
            (Credential::Key(key), _) => format!("key {}", key.name).into(),
            (Credential::Token(token), _) => token.publisher().into(),
            (Credential::None, Some(certificate)) => format!("certificate {certificate}").into(),
            (Credential::None, None) => Cow::Borrowed(""),
        }
    }

    /// Which customer it is, if it has a token of an issuer that names customers.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerId> {
        match &self.credential {
            Credential::Token(token) => token.customer.as_ref(),
            Credential::Key(_) | Credential::None => None,
        }
    }

    /// When its token was issued, in seconds since the UNIX epoch, if it says so.
    pub(super) fn issued(&self) -> Option<u64> {
        match &self.credential {
            Credential::Token(token) => token.issued,
            Credential::Key(_) | Credential::None => None,
        }
    }

    /// When its token stops being accepted, if it has one that does.
    #[must_use]
    pub fn expires(&self) -> Option<Instant> {
        match &self.credential {
            Credential::Token(token) => token.expires,
            Credential::Key(_) | Credential::None => None,
        }
    }

    /// The same caller without what only publishers need: a stream keeps it for as long as it is open.
    #[must_use]
    pub fn as_listener(&self) -> Self {
        let credential = match &self.credential {
            Credential::Token(token) => Credential::Token(Arc::new(Token {
                issuer: Arc::clone(&token.issuer),
                subject: token.subject.clone(),
                claims: Map::new(),
                grants: token.grants.clone(),
                customer: token.customer.clone(),
                issued: token.issued,
                customers: token.customers,
                expires: token.expires,
            })),
            other => other.clone(),
        };
        Self { credential, certificate: self.certificate.clone() }
    }
}
