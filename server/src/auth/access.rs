//! Who may do what in a domain.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::caller::{Caller, Credential};

/// Who may do what in one domain. By default nobody may publish, and who listens must say who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Who may publish and end.
    pub publishers: Publishers,
    /// Who may listen.
    pub subscribers: Subscribers,
}

impl Access {
    /// Everyone may do everything: for development.
    #[must_use]
    pub fn open() -> Self {
        Self { publishers: Publishers::Anyone, subscribers: Subscribers::Open }
    }
}

/// Who may publish to a domain and end its interests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publishers {
    /// Whoever reaches the server.
    Anyone,
    /// Whoever is on the list.
    Listed(Vec<Publisher>),
}

impl Default for Publishers {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// Whom it is about.
    pub who: Principal,
    /// May publish.
    pub publish: bool,
    /// May end interests.
    pub end: bool,
}

/// Someone whom the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Who has the API key of this name.
    Key(String),
    /// Who has a token of this issuer with all these claims.
    Token {
        /// The issuer's name in the configuration.
        issuer: String,
        /// What the token must say.
        claims: BTreeMap<String, ClaimMatch>,
    },
    /// Who has a client certificate with this DNS name or URI, such as a SPIFFE ID. Compared exactly, DNS names in lower
    /// case: no wildcards.
    Certificate(String),
}

/// What a claim must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimMatch {
    /// One of these strings, or a list with one of them in it.
    OneOf(Vec<String>),
    /// An object with these members.
    Object(BTreeMap<String, ClaimMatch>),
}

/// Who may listen to a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subscribers {
    /// Everyone.
    Open,
    /// Who has a key, a token or a client certificate.
    #[default]
    Authenticated,
    /// Who has a token that names the interest.
    Grant,
}

/// What a publisher may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Publish.
    Publish,
    /// EndInterest.
    End,
}

impl Publishers {
    /// Whether nobody may do anything.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Listed(list) if list.is_empty())
    }

    pub(super) fn allow(&self, caller: &Caller, right: Right) -> bool {
        match self {
            Self::Anyone => true,
            Self::Listed(list) => list.iter().any(|entry| entry.gives(right) && entry.who.is(caller)),
        }
    }
}

impl Publisher {
    fn gives(&self, right: Right) -> bool {
        match right {
            Right::Publish => self.publish,
            Right::End => self.end,
        }
    }
}

impl Principal {
    pub(super) fn is(&self, caller: &Caller) -> bool {
        match (self, &caller.credential) {
            (Self::Key(name), Credential::Key(key)) => key.name == *name,
            (Self::Token { issuer, claims }, Credential::Token(token)) => {
                token.issuer.alias() == issuer && holds(claims, &token.claims)
            }
            (Self::Certificate(name), _) => caller.certificate.as_ref().is_some_and(|certificate| {
                // No DNS name has a colon, and no URI is without one.
                if name.contains(':') {
                    certificate.uris().any(|uri| uri == name)
                } else {
                    certificate.dns_names().any(|dns| dns == name)
                }
            }),
            _ => false,
        }
    }
}

fn holds(wanted: &BTreeMap<String, ClaimMatch>, claims: &Map<String, Value>) -> bool {
    wanted.iter().all(|(name, wanted)| claims.get(name).is_some_and(|claim| wanted.matches(claim)))
}

impl ClaimMatch {
    fn matches(&self, claim: &Value) -> bool {
        match (self, claim) {
            (Self::OneOf(wanted), Value::String(claim)) => wanted.contains(claim),
            (Self::OneOf(_), Value::Array(claims)) => {
                claims.iter().any(|claim| claim.is_string() && self.matches(claim))
            }
            (Self::Object(wanted), Value::Object(claims)) => holds(wanted, claims),
            _ => false,
        }
    }
}
