//! One client of one service: its connection, its tokens, and its calls.

use std::{error::Error as StdError, future::Future, sync::Arc, time::Duration};

use http::Uri;
use poke_proto::v1::poke_service_client::PokeServiceClient;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Response, Status, transport::Endpoint};

use crate::{
    End, Error, ErrorKind, Position, Publish, Published, Subscription, Want,
    backoff::{Backoff, uniform},
    clock::{Clock, Moment},
    connection::{Channel, Connector},
    error::{Failure, Remedy, bounded},
    tls::Tls,
    token::{Token, Tokens},
};

/// The shortest time that one attempt of a call gets, unless less is left.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

/// How long a connection may take to open. It leaves time for a second attempt within the default deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// What a peer may send ahead of its reader, in bytes for each stream: enough for the largest event, and too little for
/// one slow reader to use up the connection's window.
const STREAM_WINDOW: u32 = 256 * 1024;

/// Events that wait for a slow reader; at 128 KiB a poke, 8 MiB at most.
const DEFAULT_EVENT_BUFFER: usize = 64;

/// A client of a Multicast Poke service. Clones share one HTTP/2 connection, which the first call opens. Each
/// [subscription](Client::subscribe) is a stream of its own; past 50 of them the client opens another connection.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connector: Connector,
    tokens: Tokens,
    clock: Clock,
    event_buffer: usize,
}

/// Makes a [`Client`].
#[derive(Debug)]
#[must_use = "`build` makes the client"]
pub struct Builder {
    url: String,
    tls: Tls,
    tokens: Result<Tokens, Error>,
    event_buffer: usize,
}

impl Client {
    /// Starts to make a client of the service at `url`: `https://host`, `http://host:port` or `unix:/path`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder { url: url.into(), tls: Tls::default(), tokens: Ok(Tokens::none()), event_buffer: DEFAULT_EVENT_BUFFER }
    }

    /// Listens to `wants`, each an [`Interest`](crate::Interest), a [`Want`] or a pair with a saved position.
    ///
    /// The subscription connects, resumes and moves between servers by itself. With an empty set it waits for
    /// [`Control::add`](crate::Control::add).
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn subscribe<W: Into<Want>>(&self, wants: impl IntoIterator<Item = W>) -> Subscription {
        Subscription::start(self, wants.into_iter().map(Into::into))
    }

    /// Sends one poke. It is tried again under one key until the server has answered or the deadline has passed.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] after the deadline: the outcome is unknown, and the same key may be used again.
    /// [`ErrorKind::Tls`] at once when the two sides can't speak securely: nothing was sent then.
    /// [`ErrorKind::Refused`] when the server said no, [`ErrorKind::Data`] when the data has no form on the wire.
    pub async fn publish(&self, publish: Publish) -> Result<Published, Error> {
        let (request, deadline) = publish.into_request()?;
        let call = |channel, token: Token| {
            let request = token.add_to(request.clone());
            async move { PokeServiceClient::new(channel).publish(request).await }
        };
        let answer = self.unary(deadline, call).await?;
        Ok(Published {
            position: answer.position.ok_or(Error::new(ErrorKind::Protocol))?.into(),
            local_receiver_count: answer.local_receiver_count.and_then(|count| count.try_into().ok()),
            duplicate: answer.duplicate.unwrap_or_default(),
        })
    }

    /// Tells the subscribers of an interest that there is no more. Repeats answer with the first position.
    ///
    /// # Errors
    /// As [`Client::publish`].
    pub async fn end(&self, end: End) -> Result<Position, Error> {
        let (request, deadline) = end.into_request()?;
        let call = |channel, token: Token| {
            let request = token.add_to(request.clone());
            async move { PokeServiceClient::new(channel).end_interest(request).await }
        };
        let answer = self.unary(deadline, call).await?;
        Ok(answer.position.ok_or(Error::new(ErrorKind::Protocol))?.into())
    }

    /// The current connection, for other gRPC services of the server, such as health. It stays usable after the client
    /// has moved to another.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.connector().current().channel
    }

    /// Calls until there is an answer, a final refusal, or no time left.
    async fn unary<T, C>(&self, deadline: Duration, call: impl Fn(Channel, Token) -> C) -> Result<T, Error>
    where
        C: Future<Output = Result<Response<T>, Status>>,
    {
        let ends_at = Instant::now() + bounded(deadline);
        let mut backoff = Backoff::default();
        let mut retried_at_once = false;
        loop {
            // Half of what is left: a connection that swallows the first attempt leaves time for another.
            let left = ends_at.saturating_duration_since(Instant::now());
            let patience = (left / 2).max(SHORTEST_ATTEMPT).min(left);
            let connection = self.connector().current();
            let attempt = self.authorized(None, |token| call(connection.channel.clone(), token));
            let failure = match timeout(patience, attempt).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(failure)) => failure,
                Err(_) => Status::deadline_exceeded("no answer in time").into(),
            };
            let delay = match failure.remedy {
                Remedy::GiveUp | Remedy::RefreshToken => return Err(failure.error),
                Remedy::Retry if failure.error.kind() == ErrorKind::Tls => return Err(failure.error),
                Remedy::RetryAtOnce if !retried_at_once => Duration::ZERO,
                Remedy::RetryAtOnce | Remedy::Retry => {
                    failure.error.retry_after().unwrap_or_default() + backoff.next(uniform)
                }
            };
            if Instant::now() + delay >= ends_at {
                return Err(failure.error);
            }
            retried_at_once |= failure.remedy == Remedy::RetryAtOnce;
            if failure.error.reason().is_none() {
                self.connector().retire(&connection);
            }
            tracing::debug!(error = %failure.error, ?delay, "the call is tried again");
            sleep(delay).await;
        }
    }

    /// Calls once, or a second time with a new token if the first one is no longer accepted. A token that was fetched at
    /// or before `stale` isn't used.
    pub(crate) async fn authorized<T, C>(&self, stale: Option<Moment>, call: impl Fn(Token) -> C) -> Result<T, Failure>
    where
        C: Future<Output = Result<T, Status>>,
    {
        let Inner { tokens, clock, .. } = &*self.inner;
        let used = tokens.get(clock, stale).await?;
        let first = call(used.token).await.map_err(Failure::from);
        match first {
            Err(refused) if refused.remedy == Remedy::RefreshToken && tokens.can_refresh() => {
                let newer = tokens.get(clock, Some(used.at)).await?;
                call(newer.token).await.map_err(|status| Failure::from(status).once_only())
            }
            other => other.map_err(Failure::once_only),
        }
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.inner.connector
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn can_refresh_token(&self) -> bool {
        self.inner.tokens.can_refresh()
    }

    pub(crate) fn event_buffer(&self) -> usize {
        self.inner.event_buffer
    }
}

impl Builder {
    /// Trusts the authorities whose certificates are in `pem`, and no others. By default those of the system hold. Only
    /// for `https:`. PEM that has lost its line breaks in a variable, or has a literal `\n` in their place, is read as well.
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.authorities = Some(pem.into());
        self
    }

    /// Presents a certificate to a server that asks for one: the certificate with its intermediate ones, and its private
    /// key, both as PEM. Only for `https:`.
    pub fn certificate(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls.certificate = Some((certificates.into(), key.into()));
        self
    }

    /// Sends this token as `authorization: Bearer`: an API key or a JWT.
    pub fn token(mut self, token: &str) -> Self {
        self.tokens = Tokens::fixed(token);
        self
    }

    /// Asks for a token before the first call, when the server no longer accepts the last one, and when it says that the
    /// token is about to expire. A failure counts as a lost connection: the provider is asked again after the backoff.
    pub fn token_provider<F, T, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.tokens = Ok(Tokens::provided(Arc::new(move || {
            let token = provider();
            Box::pin(async move { token.await.map_err(Into::into) })
        })));
        self
    }

    /// How many events of a subscription wait for a slow reader, at least 1. Beyond that the client stops reading, and
    /// a server that must wait for too long reports a gap. Default 64.
    pub fn event_buffer(mut self, events: usize) -> Self {
        self.event_buffer = events.max(1);
        self
    }

    /// Makes the client. It connects when it is first used.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a malformed URL, a token that can't be a header, and certificates that can't be read.
    pub fn build(self) -> Result<Client, Error> {
        let is_encrypted = check_url(&self.url)?;
        let endpoint = endpoint(self.url, is_encrypted)
            .and_then(|endpoint| endpoint.user_agent(concat!("poke-client-rust/", env!("CARGO_PKG_VERSION"))))
            .map_err(|error| Error::with(ErrorKind::Config, error))?
            .initial_stream_window_size(STREAM_WINDOW);
        let connector = if is_encrypted {
            let tls = self.tls.connector(CONNECT_TIMEOUT).map_err(|error| Error::with(ErrorKind::Config, error))?;
            Connector::new(move || endpoint.connect_with_connector_lazy(tls.clone()))
        } else if self.tls.is_set() {
            return Err(Error::with(ErrorKind::Config, "certificates are for https: URLs alone"));
        } else {
            let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
            Connector::new(move || endpoint.connect_lazy())
        };
        Ok(Client {
            inner: Arc::new(Inner {
                connector,
                tokens: self.tokens?,
                clock: Clock::system(),
                event_buffer: self.event_buffer,
            }),
        })
    }

    /// A client whose connections and clock are a test's.
    #[cfg(test)]
    pub(crate) fn build_on(
        self,
        dial: impl Fn() -> tonic::transport::Channel + Send + Sync + 'static,
        clock: Clock,
    ) -> Result<Client, Error> {
        let Self { tokens, event_buffer, .. } = self;
        let connector = Connector::new(dial);
        Ok(Client { inner: Arc::new(Inner { connector, tokens: tokens?, clock, event_buffer }) })
    }
}

/// Where to connect to. tonic refuses `https:` where it isn't to do TLS itself, if any crate of the program has switched its
/// TLS on; so it is told where to connect without, and what the origin is.
fn endpoint(url: String, is_encrypted: bool) -> Result<Endpoint, tonic::transport::Error> {
    match url.parse::<Uri>() {
        Ok(origin) if is_encrypted => {
            let (host, port) = (origin.host().unwrap_or_default(), origin.port_u16().unwrap_or(HTTPS_PORT));
            Ok(Endpoint::from_shared(format!("http://{host}:{port}"))?.origin(origin))
        }
        _ => Endpoint::from_shared(url),
    }
}

/// Where `https:` goes by itself.
const HTTPS_PORT: u16 = 443;

/// What tonic finds out only when it connects, or never. Answers whether it means TLS. The URL isn't repeated, since it may
/// hold a password.
fn check_url(url: &str) -> Result<bool, Error> {
    if let Some(path) = url.strip_prefix("unix:") {
        return check_path(path.strip_prefix("//").unwrap_or(path)).map(|()| false);
    }
    let uri: Uri =
        url.parse().map_err(|error| Error::with(ErrorKind::Config, format!("this isn't a URL ({error})")))?;
    let is_encrypted = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(config("the URL must be https://HOST, http://HOST:PORT or unix:PATH")),
    };
    let (host, authority) =
        (uri.host().unwrap_or_default(), uri.authority().map_or("", |authority| authority.as_str()));
    if authority.contains('@') {
        return Err(config("the URL must hold no user and no password: a token says who calls"));
    }
    if uri.path() != "/" || uri.query().is_some() {
        return Err(config("the URL must end after the host and its port"));
    }
    // A port that is none is passed over when the URL is read, and the scheme's would be taken.
    let port = authority.strip_prefix(host).unwrap_or_default();
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return Err(config("the URL's port must be a number from 1 to 65535"));
    }
    Ok(is_encrypted)
}

/// What a server can't listen on either.
fn check_path(path: &str) -> Result<(), Error> {
    match path {
        "" => Err(config("unix: needs the path of a socket")),
        path if path.starts_with('@') => {
            Err(config("abstract UNIX sockets (unix:@name) aren't supported: name a path"))
        }
        #[cfg(unix)]
        path if std::os::unix::net::SocketAddr::from_pathname(path).is_err() => {
            Err(config("the path of the UNIX socket is too long for the system: Linux takes 107 bytes"))
        }
        _ => Ok(()),
    }
}

fn config(problem: &'static str) -> Error {
    Error::with(ErrorKind::Config, problem)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test panics")]

    use super::*;

    #[test]
    fn a_url_that_can_never_work_is_refused_at_once() {
        for good in [
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://poke",
            "http://poke",
            "unix:/run/poke",
            "unix:///run/poke",
            "http://poke:65535/",
        ] {
            assert!(Client::builder(good).build().is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:8080",
            "localhost",
            "ftp://poke",
            "http://",
            "unix:",
            "unix://",
            "unix:@poke",
            &format!("unix:/{}", "x".repeat(120)),
            "http://a b",
            "http://poke:99999",
            "http://poke:0",
            "http://poke:",
            "http://poke:80x",
            "http://[::1]:65536",
            "http://poke:80/some/path",
            "http://poke?query",
            "https://user:secret@poke",
        ] {
            let error = Client::builder(bad).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_token_that_is_no_header_is_refused_and_none_is_ever_printed() {
        assert_eq!(Client::builder("http://a").token("a\nb").build().unwrap_err().kind(), ErrorKind::Config);
        let client = Client::builder("http://a").token("secret").build().unwrap();
        assert!(!format!("{client:?}").contains("secret"));
        for nothing in ["", " \n", "\u{feff}"] {
            assert_eq!(Client::builder("http://a").token(nothing).build().unwrap_err().kind(), ErrorKind::Config);
        }
    }
}
