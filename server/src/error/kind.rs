//! The table of errors.

use std::{borrow::Cow, time::Duration};

use tonic::Code;

use super::Size;
use crate::{metrics::StreamLimit, registry::Whose};

/// What a caller is told went wrong: one kind for each line of the table at the head of `poke.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A domain that breaks the rules of `Interest.domain`.
    InvalidDomain,
    /// A filter that breaks the rules of `Interest.filter`.
    InvalidFilter,
    /// Data that breaks the rules of `PublishRequest.data`.
    InvalidData,
    /// A customer's id without the audience for it, the reverse, or a malformed one.
    InvalidCustomer,
    /// An audience that this server doesn't know.
    InvalidAudience,
    /// A malformed idempotency key.
    InvalidIdempotencyKey,
    /// No subscriptions, or one without an interest.
    InvalidSubscriptions,
    /// Not a message of the contract.
    InvalidRequest,
    /// A field that this server's contract doesn't have.
    UnsupportedField,
    /// Too many interests for one stream.
    TooManyInterests {
        /// How many one stream may have.
        limit: usize,
    },
    /// Credentials are needed, and there are none.
    CredentialsRequired,
    /// Credentials that don't hold.
    InvalidCredentials,
    /// A token whose time is over.
    TokenExpired,
    /// A token of a customer whose tokens were revoked.
    TokenRevoked,
    /// A token that can't be checked just now.
    KeysUnavailable {
        /// When that can have changed.
        retry: Duration,
    },
    /// Nobody may publish to the domain.
    NoPublishers,
    /// The caller isn't on the domain's list of publishers.
    NotAPublisher,
    /// The caller's token doesn't grant the interest.
    NotGranted,
    /// The caller may not administer.
    NotAnAdmin,
    /// A customer's interest, but no verified customer.
    CustomerRequired,
    /// A domain that isn't configured.
    UnknownDomain,
    /// An idempotency key that stands for other content.
    IdempotencyKeyReused,
    /// The domain is for the other audience.
    WrongAudience,
    /// The interest has ended.
    InterestEnded,
    /// A poke, or a request on its way to become one, with too many bytes.
    PokeTooLarge {
        /// Its bytes.
        size: Size,
        /// The most bytes of a poke.
        limit: usize,
    },
    /// A SubscribeRequest with too many bytes.
    RequestTooLarge {
        /// Its bytes.
        size: Size,
        /// The most bytes that it may have.
        limit: usize,
    },
    /// A request with too many bytes of header fields.
    HeadersTooLarge {
        /// The most bytes that they may have.
        limit: usize,
    },
    /// Too much was published in too short a time.
    RateLimited {
        /// Which rate was exceeded.
        whose: Whose,
        /// How many a second it allows.
        limit: u32,
        /// When there is room again.
        wait: Duration,
    },
    /// There are too many streams.
    TooManyStreams {
        /// The bound that was reached.
        of: StreamLimit,
    },
    /// The server has no memory to spare just now.
    Overloaded,
    /// The client didn't read.
    ClientStalled,
    /// The server is going away.
    ShuttingDown,
    /// The stream is too old.
    MaxAge,
    /// Nothing can be stored just now.
    BackplaneUnavailable {
        /// When that can have changed.
        retry: Duration,
    },
    /// The caller's deadline, or the server's own for reading a request, has passed.
    Deadline,
    /// No such method, or an encoding that isn't spoken.
    UnknownMethod,
    /// A fault of the server.
    Internal,
}

/// A line of the table.
pub(super) struct Row {
    pub(super) code: Code,
    pub(super) reason: &'static str,
    pub(super) message: Cow<'static, str>,
    pub(super) retry: Option<Duration>,
}

impl Row {
    fn final_(code: Code, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason, message: message.into(), retry: None }
    }

    fn retried(code: Code, reason: &'static str, message: &'static str, after: Duration) -> Self {
        Self { code, reason, message: message.into(), retry: Some(after) }
    }
}

/// Clients spread their retries by themselves: the delays only keep them from coming back to what can't have changed.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(5);

/// The shortest time that is worth waiting for a rate: whoever comes back earlier finds room for a few pokes at best.
const PAUSE: Duration = Duration::from_millis(100);

impl Kind {
    pub(super) fn row(self) -> Row {
        use Code::*;
        match self {
            Self::InvalidDomain => Row::final_(InvalidArgument, "INVALID_DOMAIN", "the domain is malformed"),
            Self::InvalidFilter => Row::final_(InvalidArgument, "INVALID_FILTER", "the filter is malformed"),
            Self::InvalidData => Row::final_(InvalidArgument, "INVALID_DATA", "the data is not valid in a poke"),
            Self::InvalidCustomer => Row::final_(
                InvalidArgument,
                "INVALID_CUSTOMER",
                "customer_id must be set if, and only if, the audience is AUDIENCE_CUSTOMER, and be well-formed",
            ),
            Self::InvalidAudience => Row::final_(InvalidArgument, "INVALID_AUDIENCE", "the audience is unknown"),
            Self::InvalidIdempotencyKey => {
                Row::final_(InvalidArgument, "INVALID_IDEMPOTENCY_KEY", "the idempotency_key is malformed")
            }
            Self::InvalidSubscriptions => {
                Row::final_(InvalidArgument, "INVALID_SUBSCRIPTIONS", "the subscriptions name no interest")
            }
            Self::InvalidRequest => {
                Row::final_(InvalidArgument, "INVALID_REQUEST", "the request is not a valid message of poke.v1")
            }
            Self::UnsupportedField => Row::final_(
                InvalidArgument,
                "UNSUPPORTED_FIELD",
                "the request has a field that this server doesn't know",
            ),
            Self::TooManyInterests { limit } => Row::final_(
                InvalidArgument,
                "TOO_MANY_INTERESTS",
                format!("a stream has at most {limit} different interests"),
            ),
            Self::CredentialsRequired => Row::final_(
                Unauthenticated,
                "CREDENTIALS_REQUIRED",
                "this call needs credentials: send an API key or a token as `authorization: Bearer`",
            ),
            Self::InvalidCredentials => Row::final_(
                Unauthenticated,
                "INVALID_CREDENTIALS",
                "this server doesn't accept the key or token in `authorization`",
            ),
            Self::TokenExpired => Row::final_(Unauthenticated, "TOKEN_EXPIRED", "the token has expired"),
            Self::TokenRevoked => Row::final_(Unauthenticated, "TOKEN_REVOKED", "the token was revoked: get a new one"),
            Self::KeysUnavailable { retry } => Row::retried(
                Unavailable,
                "KEYS_UNAVAILABLE",
                "the token can't be checked now, because the server doesn't have its issuer's key yet",
                retry,
            ),
            Self::NoPublishers => Row::final_(
                PermissionDenied,
                "NO_PUBLISHERS",
                "nobody may publish to this domain: the server's configuration lists no publishers for it",
            ),
            Self::NotAPublisher => Row::final_(
                PermissionDenied,
                "NOT_A_PUBLISHER",
                "these credentials may not do this in this domain: its publishers don't list them with that right",
            ),
            Self::NotGranted => {
                Row::final_(PermissionDenied, "NOT_GRANTED", "these credentials don't grant this interest")
            }
            Self::NotAnAdmin => {
                Row::final_(PermissionDenied, "NOT_AN_ADMIN", "these credentials give no right to administer")
            }
            Self::CustomerRequired => Row::final_(
                Unauthenticated,
                "CUSTOMER_REQUIRED",
                "AUDIENCE_CUSTOMER needs a token that names the customer, of an issuer with customers = true",
            ),
            Self::UnknownDomain => {
                Row::final_(NotFound, "UNKNOWN_DOMAIN", "the domain isn't configured on this server")
            }
            Self::IdempotencyKeyReused => Row::final_(
                AlreadyExists,
                "IDEMPOTENCY_KEY_REUSED",
                "the idempotency_key has already been used for other content",
            ),
            Self::WrongAudience => {
                Row::final_(FailedPrecondition, "WRONG_AUDIENCE", "the domain is configured for the other audience")
            }
            Self::InterestEnded => Row::final_(FailedPrecondition, "INTEREST_ENDED", "the interest has ended"),
            Self::PokeTooLarge { size, limit } => Row::final_(
                ResourceExhausted,
                "POKE_TOO_LARGE",
                format!(
                    "a poke is at most {limit} bytes, domain, filter and encoded data together: this one has {size}"
                ),
            ),
            Self::RequestTooLarge { size, limit } => Row::final_(
                ResourceExhausted,
                "REQUEST_TOO_LARGE",
                format!("a SubscribeRequest is at most {limit} bytes: this one has {size}"),
            ),
            Self::HeadersTooLarge { limit } => Row::final_(
                ResourceExhausted,
                "HEADERS_TOO_LARGE",
                format!("the header fields of a request are at most {limit} bytes"),
            ),
            Self::RateLimited { whose, limit, wait } => Row {
                code: ResourceExhausted,
                reason: "RATE_LIMITED",
                message: match whose {
                    Whose::Publisher => format!("too fast: one publisher may send {limit} a second to this domain"),
                    Whose::Domain => {
                        format!("too fast: all publishers together may send {limit} a second to this domain")
                    }
                }
                .into(),
                retry: Some(wait.max(PAUSE)),
            },
            Self::TooManyStreams { of } => {
                let message = match of {
                    StreamLimit::Server => "the server has reached its maximum number of streams",
                    StreamLimit::Address => "the client's address has reached its maximum number of streams",
                    StreamLimit::Customer => "the customer has reached the maximum number of streams",
                };
                Row::retried(ResourceExhausted, "TOO_MANY_STREAMS", message, LATER)
            }
            Self::Overloaded => Row::retried(ResourceExhausted, "OVERLOADED", "the server is short of memory", SOON),
            Self::ClientStalled => Row::retried(Aborted, "CLIENT_STALLED", "the client didn't read for too long", SOON),
            Self::ShuttingDown => Row::retried(Unavailable, "SHUTTING_DOWN", "the server is shutting down", SOON),
            Self::MaxAge => Row::retried(Unavailable, "MAX_AGE", "the stream has reached its maximum age", SOON),
            Self::BackplaneUnavailable { retry } => {
                Row::retried(Unavailable, "BACKPLANE_UNAVAILABLE", "the server can't store anything now", retry)
            }
            Self::Deadline => Row::final_(
                DeadlineExceeded,
                "DEADLINE",
                "the deadline of the call, or the server's time for reading the request, has passed",
            ),
            Self::UnknownMethod => Row::final_(
                Unimplemented,
                "UNKNOWN_METHOD",
                "no such method, or an encoding that the server doesn't support",
            ),
            Self::Internal => {
                Row::final_(Internal, "INTERNAL", "an internal error of the server; its log has the details")
            }
        }
    }

    /// What a program may want to know beside the reason.
    pub(super) fn metadata(self) -> Vec<(&'static str, usize)> {
        match self {
            Self::PokeTooLarge { size, limit } | Self::RequestTooLarge { size, limit } => {
                vec![size.metadata(), ("limit", limit)]
            }
            Self::TooManyInterests { limit } | Self::HeadersTooLarge { limit } => vec![("limit", limit)],
            Self::RateLimited { limit, .. } => vec![("limit", limit as usize)],
            _ => Vec::new(),
        }
    }

    /// One of each.
    #[cfg(test)]
    pub(super) const ALL: [Self; 37] = [
        Self::InvalidDomain,
        Self::InvalidFilter,
        Self::InvalidData,
        Self::InvalidCustomer,
        Self::InvalidAudience,
        Self::InvalidIdempotencyKey,
        Self::InvalidSubscriptions,
        Self::InvalidRequest,
        Self::UnsupportedField,
        Self::TooManyInterests { limit: 100 },
        Self::CredentialsRequired,
        Self::InvalidCredentials,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::KeysUnavailable { retry: SOON },
        Self::NoPublishers,
        Self::NotAPublisher,
        Self::NotGranted,
        Self::NotAnAdmin,
        Self::CustomerRequired,
        Self::UnknownDomain,
        Self::IdempotencyKeyReused,
        Self::WrongAudience,
        Self::InterestEnded,
        Self::PokeTooLarge { size: Size::MoreThan(usize::MAX), limit: usize::MAX },
        Self::RequestTooLarge { size: Size::MoreThan(usize::MAX), limit: usize::MAX },
        Self::HeadersTooLarge { limit: usize::MAX },
        Self::RateLimited { whose: Whose::Publisher, limit: u32::MAX, wait: SOON },
        Self::TooManyStreams { of: StreamLimit::Customer },
        Self::Overloaded,
        Self::ClientStalled,
        Self::ShuttingDown,
        Self::MaxAge,
        Self::BackplaneUnavailable { retry: SOON },
        Self::Deadline,
        Self::UnknownMethod,
        Self::Internal,
    ];
}
