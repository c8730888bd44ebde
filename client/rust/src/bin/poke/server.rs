//! The server that a command talks to, and what its errors mean for a user.

use std::{error::Error as _, iter, time::Duration};

use poke_client::{Channel, Client, Code, Error, ErrorKind, TlsProblem};
use tonic::{Request, Status, metadata::AsciiMetadataValue};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use crate::{
    failure::{Exit, Failure},
    profile::{self, Target},
    text,
};

/// A client, and how to say what is wrong with it.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: Client,
    token: Option<String>,
    target: Target,
    wait: bool,
}

/// Repeats of a health check that was cancelled. About a third are, by a peer that answers before it is asked; after ten the
/// chance that each was is below one in 100,000.
const MAX_HEALTH_REPEATS: usize = 10;

impl Server {
    /// Doesn't connect yet. `wait` makes an unreachable server a reason to try again.
    pub(crate) fn new(target: Target, wait: bool) -> Result<Self, Failure> {
        let client = build(&target)?;
        let Target { url, token, .. } = target.clone();
        Ok(Self { url, client, token, target, wait })
    }

    /// Whether an unreachable server is a reason to try again.
    pub(crate) fn waits(&self) -> bool {
        self.wait
    }

    /// A connection of its own.
    pub(crate) fn another_channel(&self) -> Result<Channel, Failure> {
        Ok(build(&self.target)?.channel())
    }

    /// Fails at once if nobody listens at the url, where the client itself would try again until its deadline.
    pub(crate) async fn reach(&self, timeout: Duration) -> Result<(), Failure> {
        if self.wait {
            return Ok(());
        }
        match tokio::time::timeout(timeout, self.health()).await {
            Err(_) => Err(self.timed_out(timeout)),
            Ok(Err(status)) if status.source().is_some() => Err(self.failure(&Error::from(status))),
            // Any answer will do: a server may have no health service.
            Ok(_) => Ok(()),
        }
    }

    /// Asks grpc.health.v1 about the whole server.
    ///
    /// A connection that ends while a call is on its way to it cancels the call and keeps its reason to itself. Only a call
    /// that had begun hears why, such as that the peer doesn't speak HTTP/2; so the call is repeated until one has.
    pub(crate) async fn health(&self) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        let mut health = HealthClient::new(self.client.channel());
        let mut answer = health.check(HealthCheckRequest::default()).await;
        for _ in 0..MAX_HEALTH_REPEATS {
            match answer {
                Err(status) if status.code() == Code::Cancelled => {
                    answer = health.check(HealthCheckRequest::default()).await;
                }
                _ => break,
            }
        }
        answer
    }

    /// A request with the token, for calls that don't go through the client.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = self.token.as_ref().and_then(|token| AsciiMetadataValue::try_from(format!("Bearer {token}")).ok());
        if let Some(mut bearer) = bearer {
            bearer.set_sensitive(true);
            request.metadata_mut().insert("authorization", bearer);
        }
        request
    }

    fn token_too_large(&self, error: &Error) -> Failure {
        let token =
            self.token.as_ref().map(|token| format!("; the token has {} bytes", text::thousands(token.len() as u64)));
        let token = token.unwrap_or_default();
        Failure::new(Exit::Refused, format_args!("the server refused: {}{token}", cause(error)))
    }

    /// The time of a call was up.
    pub(crate) fn timed_out(&self, timeout: Duration) -> Failure {
        let after = text::duration(timeout);
        Failure::new(Exit::Timeout, format_args!("no answer from {} within {after}; --timeout allows more", self.url))
    }

    /// As [`Server::failure`], of a call that was tried for `timeout`: who waits for a server runs out of time.
    pub(crate) fn call_failure(&self, error: &Error, timeout: Duration) -> Failure {
        if self.wait && error.kind() == ErrorKind::Unavailable {
            let why = if error.reason().is_some() { said(error) } else { cause(error) };
            let after = text::duration(timeout);
            let url = &self.url;
            return Failure::new(
                Exit::Timeout,
                format_args!("no answer from {url} within {after} ({why}); --timeout allows more"),
            );
        }
        self.failure(error)
    }

    /// What an error means for the user, and what they can do.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        let url = &self.url;
        match error.kind() {
            ErrorKind::Config | ErrorKind::Data => Failure::usage(with_cause(error)),
            ErrorKind::Refused if error.http_status() == Some(431) || error.reason() == Some("HEADERS_TOO_LARGE") => {
                self.token_too_large(error)
            }
            ErrorKind::Refused => refused(error),
            ErrorKind::Protocol if error.http_status().is_some() => not_poke(url, error),
            ErrorKind::Unavailable if error.http_status().is_some() => {
                Failure::new(Exit::Unreachable, format_args!("{url} can't serve this now ({})", cause(error)))
            }
            ErrorKind::Tls => insecure(url, error),
            ErrorKind::Unavailable if error.reason().is_some() => {
                Failure::new(Exit::Unreachable, format_args!("{url} can't serve this now: {}", said(error)))
            }
            ErrorKind::Unavailable if error.code() == Some(Code::DeadlineExceeded) => {
                Failure::new(Exit::Timeout, format_args!("no answer from {url} in time; --timeout allows more"))
            }
            ErrorKind::Unavailable if is_other_protocol(error) => Failure::new(
                Exit::Unreachable,
                format_args!(
                    "{url} answers, but isn't a poke server (it doesn't speak HTTP/2): is it the right --url?"
                ),
            ),
            ErrorKind::Unavailable => Failure::new(
                Exit::Unreachable,
                format_args!("can't reach {url} ({}): is poke-server running? --url names another", cause(error)),
            ),
            ErrorKind::Protocol => Failure::new(
                Exit::Unexpected,
                format_args!("{url} doesn't speak Multicast Poke ({}): is it the right --url?", with_cause(error)),
            ),
            _ => Failure::new(Exit::Unexpected, with_cause(error)),
        }
    }
}

/// Something answers, in HTTP.
fn not_poke(url: &str, error: &Error) -> Failure {
    let status = error.http_status().unwrap_or_default();
    let ours = error.http_server().is_some_and(|server| server.starts_with("poke-server"));
    let hint = if ours {
        "it is the admin port of one, which prints its main one when it starts"
    } else {
        "is it the right --url?"
    };
    Failure::new(Exit::Unreachable, format_args!("{url} answers, but isn't a poke server (HTTP {status}): {hint}"))
}

/// What answered made no sense as HTTP/2, as when a server of HTTP/1.1 listens there.
fn is_other_protocol(error: &Error) -> bool {
    let chain = iter::successors(Some(error as &dyn std::error::Error), |error| (*error).source());
    let reasons = chain.filter_map(|error| error.downcast_ref::<h2::Error>()?.reason());
    reasons.into_iter().any(|reason| matches!(reason, h2::Reason::FRAME_SIZE_ERROR | h2::Reason::PROTOCOL_ERROR))
}

/// What may be shown of a URL that is wrong: not its password, and no token in its place.
fn shown(url: &str) -> String {
    let shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        (None, Some((_, rest))) => format!("…@{rest}"),
        (_, None) => url.to_owned(),
    };
    profile::shown(shown)
}

fn build(target: &Target) -> Result<Client, Failure> {
    let mut builder = Client::builder(&target.url);
    match (&target.token_file, &target.token) {
        // Whoever renews the token writes the file anew.
        (Some(path), _) => {
            let path = path.clone();
            builder = builder.token_provider(move || {
                let path = path.clone();
                async move { profile::read_text(&path) }
            });
        }
        (None, Some(token)) => builder = builder.token(token),
        (None, None) => {}
    }
    let certificates = &target.certificates;
    if let Some(authorities) = &certificates.authorities {
        builder = builder.authorities(authorities.as_str());
    }
    if let Some((certificate, key)) = &certificates.own {
        builder = builder.certificate(certificate.as_str(), key.as_str());
    }
    builder.build().map_err(|error| Failure::usage(format_args!("{}: {}", shown(&target.url), cause(&error))))
}

fn insecure(url: &str, error: &Error) -> Failure {
    let hint = match error.tls_problem() {
        Some(TlsProblem::UnknownAuthority) => "; --ca names the authority to trust",
        Some(TlsProblem::CertificateRequired) => "; --cert and --cert-key present one",
        _ => "",
    };
    let problem = error.tls_problem().map_or_else(|| error.to_string(), ToString::to_string);
    Failure::new(Exit::Unreachable, format_args!("{url}: {problem}{hint}"))
}

fn refused(error: &Error) -> Failure {
    let exit = if error.reason() == Some("INTEREST_ENDED") { Exit::Ended } else { Exit::Refused };
    let hint = hint(error.code(), error.reason()).map(|hint| format!("; {hint}")).unwrap_or_default();
    Failure::new(exit, format_args!("the server refused: {}{hint}", said(error)))
}

/// What the user can do about a refusal.
fn hint(code: Option<Code>, reason: Option<&str>) -> Option<&'static str> {
    match (code?, reason) {
        (_, Some("WRONG_AUDIENCE")) => Some("--customer makes the difference"),
        (_, Some("UNKNOWN_DOMAIN")) => Some("the server's configuration names its domains"),
        (_, Some("IDEMPOTENCY_KEY_REUSED")) => Some("take another --key"),
        (Code::Unauthenticated | Code::PermissionDenied, _) => Some("--token, POKE_TOKEN or a profile gives a token"),
        (Code::Unimplemented, None) => Some("is it a Multicast Poke server?"),
        _ => None,
    }
}

/// The server's words with its code and reason.
fn said(error: &Error) -> String {
    let code = error.code().map(code_name).unwrap_or_default();
    let words = error.to_string();
    let words = words.split_once(": ").map_or(words.as_str(), |(_, words)| words);
    match error.reason() {
        Some(reason) => format!("{words} ({code}, {reason})"),
        None => format!("{words} ({code})"),
    }
}

/// What is at the bottom of an error, for example "Connection refused".
pub(crate) fn cause(error: &Error) -> String {
    if let Some(problem) = error.tls_problem() {
        return problem.to_string();
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let words = match deepest.downcast_ref::<Status>() {
        // Its own text is for programmers.
        Some(status) if !status.message().is_empty() => status.message().to_owned(),
        Some(status) => status.code().description().to_owned(),
        None => deepest.to_string(),
    };
    words.split_once(" (os error").map_or(words.as_str(), |(words, _)| words).to_owned()
}

fn with_cause(error: &Error) -> String {
    let (words, cause) = (error.to_string(), cause(error));
    if error.source().is_some() && !words.ends_with(&cause) { format!("{words}: {cause}") } else { words }
}

/// A code as the contract writes it: `NOT_FOUND`.
pub(crate) fn code_name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn server() -> Server {
        let certificates = crate::profile::Certificates::default();
        Server::new(
            Target { url: "http://h:1".to_owned(), token: None, token_file: None, certificates, note: None },
            false,
        )
        .unwrap()
    }

    fn failure(status: Status) -> (Exit, String) {
        match server().failure(&Error::from(status)) {
            Failure::Said { exit, message } => (exit, message),
            other => panic!("{other:?}"),
        }
    }

    fn refusal(code: Code, reason: &str) -> Status {
        let details = ErrorDetails::with_error_info(reason, "poke.v1", [] as [(String, String); 0]);
        Status::with_error_details(code, "no: because", details)
    }

    #[tokio::test]
    async fn a_refusal_names_its_reason_and_a_way_out() {
        let (exit, message) = failure(refusal(Code::FailedPrecondition, "WRONG_AUDIENCE"));
        assert_eq!(exit, Exit::Refused);
        assert_eq!(
            message,
            "the server refused: no: because (FAILED_PRECONDITION, WRONG_AUDIENCE); --customer makes the difference"
        );
    }

    #[tokio::test]
    async fn each_kind_has_its_exit_code() {
        assert_eq!(failure(refusal(Code::FailedPrecondition, "INTEREST_ENDED")).0, Exit::Ended);
        assert_eq!(failure(refusal(Code::Unavailable, "SHUTTING_DOWN")).0, Exit::Unreachable);
        assert_eq!(failure(Status::deadline_exceeded("")).0, Exit::Timeout);
        assert_eq!(failure(Status::unavailable("tcp connect error")).0, Exit::Unreachable);
        let (exit, message) = failure(Status::unauthenticated("no token"));
        assert!(exit == Exit::Refused && message.contains("POKE_TOKEN"), "{message}");
    }

    #[tokio::test]
    async fn what_people_read_is_no_dump() {
        let (_, message) = failure(Status::unavailable("the server is going away"));
        assert!(message.contains("(the server is going away)"), "{message}");
        let (_, message) = failure(Status::internal("h2 said no"));
        assert!(!message.contains("code:") && message.contains("h2 said no"), "{message}");
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        assert_eq!(shown("http://ann:secret@host:1"), "http://…@host:1");
        assert_eq!(shown("ann:secret@host"), "…@host");
        assert_eq!(shown("http://host:99999"), "http://host:99999");
    }

    #[test]
    fn codes_are_written_as_in_the_contract() {
        assert_eq!(code_name(Code::Ok), "OK");
        assert_eq!(code_name(Code::ResourceExhausted), "RESOURCE_EXHAUSTED");
    }
}
