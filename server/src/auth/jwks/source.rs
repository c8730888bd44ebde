//! Where the keys of an issuer are.

use std::{
    error::Error,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{task::spawn_blocking, time::timeout};
use tokio_rustls::rustls;

use super::{Fetching, set::KeySet};
use crate::{auth::certificate_fault, error::causes};

type Http = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Where the keys of an issuer are.
#[derive(Debug)]
pub(super) enum Source {
    /// At an address.
    Url(Uri),
    /// In a file.
    File(PathBuf),
}

impl Source {
    /// Reads the keys, whatever they are now. The error is for the log.
    pub(super) async fn read(&self, fetching: &Fetching) -> Result<KeySet, String> {
        let bytes = match self {
            Self::Url(url) => {
                timeout(fetching.timeout, fetch(url, fetching.max_bytes)).await.map_err(|_| "no answer in time")?
            }
            Self::File(path) => {
                let (path, max_bytes) = (path.clone(), fetching.max_bytes);
                return spawn_blocking(move || read(&path, max_bytes)).await.map_err(|error| error.to_string())?;
            }
        };
        KeySet::parse(&bytes.map_err(|error| chain(&*error))?)
    }
}

/// The bytes at `url`. There are no redirects: where the keys are is for the operator to say.
async fn fetch(url: &Uri, max_bytes: usize) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let request = Request::get(url)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(header::USER_AGENT, concat!("poke-server/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())?;
    let answer = http()?.request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the answer is {}", answer.status()).into());
    }
    Ok(Limited::new(answer.into_body(), max_bytes).collect().await?.to_bytes())
}

/// The keys in a file. Blocks.
pub(in crate::auth) fn read(path: &Path, max_bytes: usize) -> Result<KeySet, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max_bytes as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    if bytes.len() > max_bytes {
        return Err(format!("{} is too large", path.display()));
    }
    KeySet::parse(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// One client for all issuers. It trusts whom the system trusts.
fn http() -> Result<Http, Box<dyn Error + Send + Sync>> {
    static HTTP: OnceLock<Http> = OnceLock::new();
    if let Some(http) = HTTP.get() {
        return Ok(http.clone());
    }
    // By name, so that no other crate of the process can make the choice unclear.
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    let connector = connector.https_or_http().enable_http1().build();
    Ok(HTTP.get_or_init(|| Client::builder(TokioExecutor::new()).build(connector)).clone())
}

/// An error with its causes: what a client of HTTP says is only that it didn't go well.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(words).collect::<Vec<_>>().join(": ")
}

/// An I/O error passes over what it wraps when it is asked for its cause, and rustls's own words are for programmers.
fn words(error: &(dyn Error + 'static)) -> String {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match inner.and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(error)) => {
            format!("its certificate isn't accepted: {}", certificate_fault(error))
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_in_words() {
        let error = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let said = chain(&io::Error::new(io::ErrorKind::InvalidData, error));
        assert_eq!(said, "its certificate isn't accepted: no authority that is trusted here has signed it");
    }
}
