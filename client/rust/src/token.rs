//! Bearer tokens: one for ever, or from a provider that is asked again when one is no longer accepted.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc};

use poke_proto::text;
use tokio::sync::Mutex;
use tonic::{Request, metadata::AsciiMetadataValue};

use crate::{
    Error, ErrorKind,
    clock::{Clock, Moment},
    error::Failure,
};

type BoxError = Box<dyn StdError + Send + Sync>;
type Provider = dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync;

/// Where the tokens of a client come from.
pub(crate) enum Tokens {
    /// The same for ever.
    Fixed(Token),
    /// From a provider.
    Provided {
        provider: Arc<Provider>,
        /// Held while a token is fetched, so that all calls share one fetch.
        newest: Mutex<Option<Fetched>>,
    },
}

/// A token, and when it came from the provider.
#[derive(Clone)]
pub(crate) struct Fetched {
    pub(crate) token: Token,
    pub(crate) at: Moment,
}

/// The value of the `authorization` header, if there is one.
#[derive(Clone)]
pub(crate) struct Token(Option<AsciiMetadataValue>);

impl Token {
    /// The token of a text, which may have come from a file: a byte-order mark and white space around it aren't sent.
    fn bearer(token: &str) -> Result<Self, Error> {
        let token = text::without_mark(token).trim();
        if token.is_empty() {
            return Err(Error::with(ErrorKind::Config, "the token is empty"));
        }
        let mut value = AsciiMetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|error| Error::with(ErrorKind::Config, error))?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }

    /// A request with this token.
    pub(crate) fn add_to<T>(self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(value) = self.0 {
            request.metadata_mut().insert("authorization", value);
        }
        request
    }
}

impl Tokens {
    pub(crate) fn none() -> Self {
        Self::Fixed(Token(None))
    }

    pub(crate) fn fixed(token: &str) -> Result<Self, Error> {
        Token::bearer(token).map(Self::Fixed)
    }

    pub(crate) fn provided(provider: Arc<Provider>) -> Self {
        Self::Provided { provider, newest: Mutex::default() }
    }

    /// The token for a call. One that was fetched at or before `stale` is fetched anew.
    pub(crate) async fn get(&self, clock: &Clock, stale: Option<Moment>) -> Result<Fetched, Failure> {
        let (provider, newest) = match self {
            Self::Fixed(token) => return Ok(Fetched { token: token.clone(), at: clock.now() }),
            Self::Provided { provider, newest } => (provider, newest),
        };
        let mut newest = newest.lock().await;
        match &*newest {
            Some(fetched) if stale.is_none_or(|stale| fetched.at > stale) => Ok(fetched.clone()),
            _ => {
                let token = provider().await.map_err(|error| Failure::retry(Error::with(ErrorKind::Token, error)))?;
                let token = Token::bearer(&token).map_err(Failure::give_up)?;
                Ok(newest.insert(Fetched { token, at: clock.now() }).clone())
            }
        }
    }

    /// Whether there can be another token than the one that was refused.
    pub(crate) fn can_refresh(&self) -> bool {
        matches!(self, Self::Provided { .. })
    }
}

/// A token is never printed.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(Token(None)) => "Tokens::None",
            Self::Fixed(Token(Some(_))) => "Tokens::Fixed",
            Self::Provided { .. } => "Tokens::Provided",
        })
    }
}
