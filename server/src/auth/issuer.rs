//! Issuers of JWTs.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::Uri;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    Grants,
    caller::{CustomerId, Customers, Token},
    credentials_error::CredentialsError,
    jwks::{self, Fetching, Keys, Missing},
    revocation::seconds,
};
use crate::{
    error::{Error, Kind},
    metrics::Metrics,
};

/// The algorithms that an issuer may be allowed, by the names that tokens give them. None of them is symmetric.
pub const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// What is known of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The claim `iss` of its tokens.
    pub issuer: String,
    /// What the claim `aud` of its tokens must be, or have among others: one of these.
    pub audience: Vec<String>,
    /// Where its public keys are.
    pub jwks_url: Option<Uri>,
    /// A file with them.
    pub jwks_file: Option<PathBuf>,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// By how much its clock and ours may differ.
    pub leeway: Duration,
    /// Whether its tokens name customers.
    pub customers: bool,
    /// The claim that names one.
    pub customer_claim: String,
    /// The claim that names what a token's holder may listen to.
    pub grants_claim: String,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            jwks_url: None,
            jwks_file: None,
            algorithms: vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
            leeway: Duration::from_secs(5),
            customers: false,
            customer_claim: "sub".into(),
            grants_claim: "poke".into(),
        }
    }
}

impl IssuerSettings {
    /// Whether it says all that is needed.
    ///
    /// # Errors
    /// Says what isn't right.
    pub fn check(&self, fetching: &Fetching) -> Result<(), String> {
        self.check_alone()?;
        match &self.jwks_file {
            Some(file) => jwks::read(file, fetching.max_bytes).map(drop),
            None => Ok(()),
        }
    }

    fn check_alone(&self) -> Result<(), &'static str> {
        if self.issuer.is_empty() {
            return Err("issuer is missing: the claim `iss` of its tokens");
        }
        if self.audience.is_empty() {
            return Err("audience is missing: a name of this server, which its tokens must have as `aud`");
        }
        if self.algorithms.is_empty() {
            return Err("algorithms must name at least one");
        }
        match (&self.jwks_url, &self.jwks_file) {
            (Some(url), None) => check_url(url),
            (None, Some(_)) => Ok(()),
            (None, None) => Err("jwks_url or jwks_file is missing: where its public keys are"),
            (Some(_), Some(_)) => Err("give either jwks_url or jwks_file"),
        }
    }
}

/// Whoever can change the keys on their way here can make any token.
fn check_url(url: &Uri) -> Result<(), &'static str> {
    let local = matches!(url.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if local => Ok(()),
        _ => Err("jwks_url must be an https URL, or an http URL of this machine"),
    }
}

/// An issuer at work.
#[derive(Debug)]
pub struct Issuer {
    alias: String,
    settings: IssuerSettings,
    keys: Keys,
}

impl Issuer {
    pub(super) fn new(alias: &str, settings: &IssuerSettings, fetching: Fetching) -> Self {
        super::signature::install();
        Self { alias: alias.to_owned(), settings: settings.clone(), keys: Keys::new(settings, fetching) }
    }

    /// Whether it is what the configuration says.
    pub(super) fn is(&self, alias: &str, settings: &IssuerSettings, fetching: Fetching) -> bool {
        self.alias == alias && self.settings == *settings && self.keys.are_fetched_by(fetching)
    }

    /// The name that the configuration gives it.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// Returns true if its tokens name customers.
    pub(super) fn names_customers(&self) -> bool {
        self.settings.customers
    }

    /// Keeps its keys up to date. Runs until it is dropped, and can be run again.
    pub(super) async fn run(&self, metrics: &Metrics) {
        self.keys.run(&self.alias, metrics).await;
    }

    /// Verifies one of its tokens. What the token says of itself counts for nothing before its signature has been
    /// checked, with a key that the issuer has for that algorithm.
    pub(super) async fn verify(self: &Arc<Self>, token: &str, customers: Customers) -> Result<Token, Error> {
        let header = decode_header(token).map_err(CredentialsError::from)?;
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(CredentialsError::Algorithm.into());
        }
        if header.crit.is_some() {
            return Err(CredentialsError::Critical.into());
        }
        let (id, algorithm) = (header.kid.as_deref(), header.alg);
        let claims = match self.decode(token, &self.keys.find(id, algorithm).await.map_err(unkeyed)?, algorithm) {
            // The issuer may have another key under the same `kid` by now.
            Err(CredentialsError::Signature) => {
                self.decode(token, &self.keys.find_anew(id, algorithm).await.map_err(unkeyed)?, algorithm)
            }
            decoded => decoded,
        }?;
        // Who could name any time would come back after every revocation.
        let token = self.token(claims, customers);
        if token.issued.is_some_and(|issued| issued > seconds()) {
            return Err(CredentialsError::IssuedInFuture.into());
        }
        Ok(token)
    }

    /// Checks the signature, and then the claims.
    fn decode(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Map<String, Value>, CredentialsError> {
        Ok(decode(token, key, &self.validation(algorithm))?.claims)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&self.settings.audience);
        validation.validate_nbf = true;
        validation.leeway = self.settings.leeway.as_secs();
        validation
    }

    fn token(self: &Arc<Self>, claims: Map<String, Value>, customers: Customers) -> Token {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let customer = text(&self.settings.customer_claim).filter(|_| self.settings.customers);
        let customer = customer.and_then(|id| CustomerId::new(&self.alias, id, customers));
        Token {
            issuer: Arc::clone(self),
            subject: text("sub").map(str::to_owned),
            grants: Grants::read(claims.get(&self.settings.grants_claim)),
            customer,
            customers,
            // By the slowest clock that the issuer may have: one that is ahead must not outlive a revocation.
            issued: issued(&claims).map(|issued| issued.saturating_sub(self.settings.leeway.as_secs())),
            expires: expiry(&claims, self.settings.leeway),
            claims,
        }
    }
}

/// When a token stops being accepted, on the clock of the process. `None`: too far away to be told.
fn expiry(claims: &Map<String, Value>, leeway: Duration) -> Option<Instant> {
    let exp = Duration::try_from_secs_f64(claims.get("exp")?.as_f64()?).ok()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Instant::now().checked_add(exp.checked_add(leeway)?.saturating_sub(now))
}

/// The whole second in which a token says that it was issued (RFC 7519, section 4.1.6).
fn issued(claims: &Map<String, Value>) -> Option<u64> {
    Duration::try_from_secs_f64(claims.get("iat")?.as_f64()?).ok().map(|issued| issued.as_secs())
}

fn unkeyed(missing: Missing) -> Error {
    match missing {
        Missing::Unknown => CredentialsError::UnknownSigningKey.into(),
        Missing::Unclear(retry) => Kind::KeysUnavailable { retry }.into(),
    }
}

/// The claim by which the issuer of a token is found.
#[derive(Deserialize)]
struct Issued {
    iss: String,
}

/// Returns the one of `issuers` that a token says it is from. It may lie: only that issuer's keys tell.
pub(super) fn of<'a>(issuers: &'a [Arc<Issuer>], token: &str) -> Result<&'a Arc<Issuer>, CredentialsError> {
    let Issued { iss } = insecure_decode_claims(token).map_err(|_| CredentialsError::NotJwt)?;
    issuers.iter().find(|issuer| issuer.settings.issuer == iss).ok_or(CredentialsError::UnknownIssuer)
}
