//! Reasons why credentials aren't accepted, for the log. The caller only learns that they aren't.

use jsonwebtoken::errors::ErrorKind;

use crate::error::{Error, Kind};

/// Reason why credentials aren't accepted. Its text repeats nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CredentialsError {
    #[error("`authorization` isn't `Bearer` and a key or token")]
    NotBearer,
    #[error("there are several `authorization` headers")]
    SeveralHeaders,
    #[error("no key in [keys] has the hash of this API key")]
    UnknownKey,
    #[error("it is neither an API key nor a JWT with the claim `iss`")]
    NotJwt,
    #[error("no [issuers.NAME] has the `iss` of the token as its issuer")]
    UnknownIssuer,
    #[error("the token's `alg` isn't one of its issuer's algorithms")]
    Algorithm,
    #[error("the token's header has `crit`, of which nothing is supported")]
    Critical,
    #[error("the issuer has no key with the token's `kid` and `alg`")]
    UnknownSigningKey,
    #[error("the token's signature isn't of the issuer's key")]
    Signature,
    #[error("the token's `aud` is none of its issuer's audience")]
    Audience,
    #[error("the token's `nbf` is in the future")]
    NotYetValid,
    #[error("the token's `iat` is in the future")]
    IssuedInFuture,
    #[error("the token's `exp` has passed")]
    Expired,
    #[error("the token lacks one of the claims `exp`, `iss` and `aud`")]
    MissingClaim,
    #[error("the token is malformed, or a claim of it has the wrong type")]
    Malformed,
}

/// An expired token is told from others, so that its holder renews it.
impl From<CredentialsError> for Error {
    fn from(fault: CredentialsError) -> Self {
        let kind = match fault {
            CredentialsError::Expired => Kind::TokenExpired,
            _ => Kind::InvalidCredentials,
        };
        Self::from(kind).because(fault)
    }
}

/// The errors of `jsonwebtoken` repeat parts of a token.
impl From<jsonwebtoken::errors::Error> for CredentialsError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidIssuer => Self::UnknownIssuer,
            ErrorKind::ImmatureSignature => Self::NotYetValid,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::MissingRequiredClaim(_) => Self::MissingClaim,
            _ => Self::Malformed,
        }
    }
}
