//! One client of one service: its connection, its token, and its calls.

use std::{error::Error as StdError, future::Future, sync::Arc};

use tonic::transport::{Channel, Endpoint};

use crate::{End, Error, Position, Publish, Published, Subscription, Want, token::Tokens};

/// A client of a Multicast Poke service. Clones share one HTTP/2 connection, which is opened by the first call.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    tokens: Tokens,
}

/// Makes a [`Client`].
#[derive(Debug)]
#[must_use = "`build` makes the client"]
pub struct Builder {
    url: String,
    tokens: Result<Tokens, Error>,
}

impl Client {
    /// Starts to make a client of the service at `url`: `http://host:port` or `unix:/path`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder { url: url.into(), tokens: Tokens::fixed(None) }
    }

    /// Listens to `wants`, each an [`Interest`](crate::Interest), a [`Want`] or a pair with a saved position.
    ///
    /// The subscription connects, resumes and moves between servers by itself. An empty set waits for
    /// [`Control::add`](crate::Control::add).
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn subscribe<W: Into<Want>>(&self, wants: impl IntoIterator<Item = W>) -> Subscription {
        Subscription::start(self.clone(), wants.into_iter().map(Into::into))
    }

    /// Sends one poke. It is retried under one key until the server has answered or the deadline has passed.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) after the deadline: the outcome is unknown, and the
    /// same key may be used again. Otherwise the server's refusal, or data without a form on the wire.
    pub async fn publish(&self, publish: Publish) -> Result<Published, Error> {
        let (_request, _deadline) = publish.into_parts()?;
        Err(Error::new(crate::ErrorKind::Closed))
    }

    /// Tells the subscribers of an interest that there is no more. Repeats answer with the first position.
    ///
    /// # Errors
    /// As [`Client::publish`].
    pub async fn end(&self, end: End) -> Result<Position, Error> {
        let (_request, _deadline) = end.into_parts()?;
        Err(Error::new(crate::ErrorKind::Closed))
    }

    /// The current connection, for other gRPC services of the server, such as health. It stays usable after the client
    /// has moved to another.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.inner.endpoint.connect_lazy()
    }
}

impl Builder {
    /// Sends this token as `authorization: Bearer`: an API key or a JWT.
    pub fn token(mut self, token: &str) -> Self {
        self.tokens = Tokens::fixed(Some(token));
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
        self.tokens = Ok(Tokens::from_provider(Arc::new(move || {
            let token = provider();
            Box::pin(async move { token.await.map_err(Into::into) })
        })));
        self
    }

    /// Makes the client. It connects when it is first used.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a malformed URL or a token that can't be a header.
    pub fn build(self) -> Result<Client, Error> {
        let endpoint = Endpoint::from_shared(self.url).map_err(|error| Error::with(crate::ErrorKind::Config, error))?;
        Ok(Client { inner: Arc::new(Inner { endpoint, tokens: self.tokens? }) })
    }
}
