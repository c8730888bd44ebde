//! Bearer tokens: fixed, or from a provider that is asked again when one is no longer accepted.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc};

use tokio::sync::Mutex;
use tonic::metadata::AsciiMetadataValue;

use crate::{Error, ErrorKind};

type BoxError = Box<dyn StdError + Send + Sync>;
type Provider = dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync;

/// Where the tokens of a client come from. Clones share what they have fetched.
#[derive(Clone)]
pub(crate) struct Tokens {
    provider: Option<Arc<Provider>>,
    /// Held while a token is fetched, so that all calls share one fetch.
    current: Arc<Mutex<Option<AsciiMetadataValue>>>,
}

impl Tokens {
    /// The same token for ever; `None` is none at all.
    pub(crate) fn fixed(token: Option<&str>) -> Result<Self, Error> {
        let current = token.map(bearer).transpose()?;
        Ok(Self { provider: None, current: Arc::new(Mutex::new(current)) })
    }

    pub(crate) fn from_provider(provider: Arc<Provider>) -> Self {
        Self { provider: Some(provider), current: Arc::default() }
    }

    /// The value of the `authorization` header. `refused` is a token that the server no longer accepts: it is fetched
    /// anew, unless another call has done that already.
    pub(crate) async fn get(&self, refused: Option<&AsciiMetadataValue>) -> Result<Option<AsciiMetadataValue>, Error> {
        let mut current = self.current.lock().await;
        if let Some(provider) = &self.provider
            && (current.is_none() || current.as_ref() == refused)
        {
            let token = provider().await.map_err(|error| Error::with(ErrorKind::Token, error))?;
            *current = Some(bearer(&token)?);
        }
        Ok(current.clone())
    }

    /// Whether another token can be had.
    pub(crate) fn can_refresh(&self) -> bool {
        self.provider.is_some()
    }
}

fn bearer(token: &str) -> Result<AsciiMetadataValue, Error> {
    let mut value = AsciiMetadataValue::try_from(format!("Bearer {token}"))
        .map_err(|error| Error::with(ErrorKind::Config, error))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A token is never printed.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("can_refresh", &self.can_refresh()).finish_non_exhaustive()
    }
}
