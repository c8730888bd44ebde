//! What can go wrong, and whether to try again: the one rule of poke.proto, "Errors".

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{Rejected, TlsProblem, event::TOO_MANY_INTERESTS, http_answer::HttpAnswer};

/// The `domain` of `google.rpc.ErrorInfo` in every error that the server itself raises.
const ERROR_DOMAIN: &str = "poke.v1";

/// Why a call or a subscription failed.
///
/// The source chain holds what was underneath, for the log.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    status: Option<Box<Answer>>,
    tls: Option<Box<TlsProblem>>,
    http: Option<Box<HttpAnswer>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client is set up wrongly: its URL or its token.
    Config,
    /// The data has no form on the wire: a number that a double can't hold, or too deep.
    Data,
    /// The server refused for good: see [`Error::code`] and [`Error::reason`]. The same call would fail again.
    Refused,
    /// The server can't be reached or asked for a later retry. The outcome of a publish is unknown: the same key may be
    /// used again.
    Unavailable,
    /// There is no secure connection: see [`Error::tls_problem`]. It lasts until somebody sets up one of the two sides
    /// otherwise, or renews a certificate. Nothing was sent.
    Tls,
    /// The token provider failed.
    Token,
    /// The other side doesn't speak this protocol: an answer that isn't gRPC (see [`Error::http_status`]), that can't be
    /// decoded, or that lacks required fields.
    Protocol,
    /// The subscription is over.
    Closed,
}

/// What a status of the server said.
#[derive(Clone, Debug)]
struct Answer {
    code: Code,
    message: String,
    reason: Option<String>,
    retry_after: Option<Duration>,
    /// The number of interests that a stream may have, if there were too many.
    interest_limit: Option<usize>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { kind, status: None, tls: None, http: None, source: None }
    }

    pub(crate) fn with(kind: ErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, status: None, tls: None, http: None, source: Some(Arc::from(source.into())) }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The gRPC code, when there was an answer or the transport made one up.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.status.as_ref().map(|answer| answer.code)
    }

    /// The exact cause in UPPER_SNAKE, from the table of errors in poke.proto. Only the server's own errors have one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.status.as_ref()?.reason.as_deref()
    }

    /// Why there is no secure connection.
    #[must_use]
    pub fn tls_problem(&self) -> Option<&TlsProblem> {
        self.tls.as_deref()
    }

    /// The HTTP status of an answer that wasn't gRPC: that of a proxy, or of something that isn't Multicast Poke.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.http.as_ref().map(|http| http.status().as_u16())
    }

    /// Who sent an answer that wasn't gRPC: its `server` header.
    #[must_use]
    pub fn http_server(&self) -> Option<&str> {
        self.http.as_ref()?.server()
    }

    /// The final rejection of an interest that nobody has handled.
    pub(crate) fn refused(rejected: &Rejected) -> Self {
        let Rejected { interest, code, reason, message, .. } = rejected;
        // A name that is too long is one reason to be refused.
        let [domain, filter] = [(&interest.domain, 64), (&interest.filter, 256)]
            .map(|(name, limit)| name[..name.floor_char_boundary(limit)].escape_debug());
        let message = format!("{domain}/{filter}: {message}");
        let reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
        let answer = Answer { code: *code, message, reason, retry_after: None, interest_limit: None };
        Self { status: Some(Box::new(answer)), ..Self::new(ErrorKind::Refused) }
    }

    /// How many interests the server accepts on a stream, if it has refused a Subscribe with more.
    pub(crate) fn interest_limit(&self) -> Option<usize> {
        self.status.as_ref()?.interest_limit
    }

    /// When the server asks to come back, at the earliest.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.status.as_ref()?.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::Config => "the client is set up wrongly",
            ErrorKind::Data => "the data has no form on the wire",
            ErrorKind::Refused => "the server refused",
            ErrorKind::Unavailable => "the server is not available just now",
            ErrorKind::Tls => "no secure connection",
            ErrorKind::Token => "no token",
            ErrorKind::Protocol => "the server doesn't speak this protocol",
            ErrorKind::Closed => "the subscription is over",
        })?;
        if let Some(problem) = &self.tls {
            return write!(f, ": {problem}");
        }
        match self.status.as_deref() {
            Some(Answer { message, .. }) if !message.is_empty() => write!(f, ": {message}"),
            _ => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// A failed call, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) remedy: Remedy,
}

/// What to do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Try again, after the error's `retry_after` and the backoff.
    Retry,
    /// Try again at once, but only once: after GOAWAY a channel's first new call can fail like this.
    RetryAtOnce,
    /// Get another token and try again, once.
    RefreshToken,
    /// Give up.
    GiveUp,
}

impl Remedy {
    /// The one rule of poke.proto.
    ///
    /// Each error of the server carries ErrorInfo. A status without it was made by the transport, a proxy or a library.
    fn of(status: &Status) -> Self {
        let from_server = status.get_details_error_info().is_some_and(|info| info.domain == ERROR_DOMAIN);
        match status.code() {
            _ if status.get_details_retry_info().is_some() => Self::Retry,
            Code::Unavailable | Code::DeadlineExceeded => Self::Retry,
            Code::Unauthenticated => Self::RefreshToken,
            _ if from_server => Self::GiveUp,
            Code::Cancelled | Code::Internal | Code::Unknown => Self::RetryAtOnce,
            // What the network or the peer's HTTP/2 did to the transport.
            _ if StdError::source(status).is_some() => Self::Retry,
            _ => Self::GiveUp,
        }
    }

    /// Of an answer that isn't gRPC.
    fn of_http(http: &HttpAnswer) -> Self {
        match http.status() {
            StatusCode::UNAUTHORIZED => Self::RefreshToken,
            _ if http.is_passing() => Self::Retry,
            _ => Self::GiveUp,
        }
    }
}

impl Failure {
    pub(crate) fn retry(error: Error) -> Self {
        Self { error, remedy: Remedy::Retry }
    }

    pub(crate) fn give_up(error: Error) -> Self {
        Self { error, remedy: Remedy::GiveUp }
    }

    /// The same, where no other token can help.
    pub(crate) fn once_only(self) -> Self {
        match self.remedy {
            Remedy::RefreshToken => Self::give_up(self.error),
            _ => self,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let (tls, http) = (TlsProblem::find(&status), HttpAnswer::find(&status).cloned());
        let remedy = match (&tls, &http) {
            // A certificate may be renewed, and a server set up rightly, while a subscription waits.
            (Some(_), _) => Remedy::Retry,
            (None, Some(http)) => Remedy::of_http(http),
            (None, None) => Remedy::of(&status),
        };
        let kind = match remedy {
            _ if tls.is_some() => ErrorKind::Tls,
            Remedy::GiveUp if http.as_ref().is_some_and(|http| !http.is_refusal()) => ErrorKind::Protocol,
            Remedy::Retry | Remedy::RetryAtOnce => ErrorKind::Unavailable,
            Remedy::RefreshToken | Remedy::GiveUp => ErrorKind::Refused,
        };
        let info = status.get_details_error_info();
        let answer = Answer {
            code: status.code(),
            message: status.message().to_owned(),
            interest_limit: info.as_ref().and_then(interest_limit),
            reason: info.map(|info| info.reason),
            retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay).map(bounded),
        };
        let error = Error {
            kind,
            status: Some(Box::new(answer)),
            tls: tls.map(Box::new),
            http: http.map(Box::new),
            source: Some(Arc::new(status)),
        };
        Self { error, remedy }
    }
}

/// The number of interests that the server accepts, in an error because of more.
fn interest_limit(info: &tonic_types::ErrorInfo) -> Option<usize> {
    info.metadata.get("limit").filter(|_| info.reason == TOO_MANY_INTERESTS)?.parse().ok()
}

/// For calls to other services over [`Client::channel`](crate::Client::channel).
impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Failure::from(status).error
    }
}

/// A duration from the wire, cut to a day: what is longer is no plan, and would overflow sums.
pub(crate) fn bounded(duration: Duration) -> Duration {
    duration.min(Duration::from_secs(24 * 60 * 60))
}
