//! Plain HTTP requests, as `curl` makes them.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use tokio::net::TcpStream;

use crate::within;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, empty when there were none.
    pub trailers: HeaderMap,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it isn't JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request on a connection of its own and reads the answer.
///
/// # Panics
/// When there is no answer.
pub async fn send(request: Request<Full<Bytes>>) -> Answer {
    try_send(request).await.expect("the server answers")
}

/// As [`send`], for a request that may have no answer.
///
/// # Errors
/// The connection ends before the answer does.
pub async fn try_send(request: Request<Full<Bytes>>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    within("an HTTP answer", async {
        let (head, body) = client.request(request).await?.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers })
    })
    .await
}

/// `GET url`.
pub async fn get(url: &str) -> Answer {
    send(request(url)).await
}

pub(crate) fn request(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).expect("a valid URL")
}

/// `POST url` with a content type and a body.
pub async fn post(url: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let request = Request::post(url).header("content-type", content_type).body(Full::new(body.into()));
    send(request.expect("a valid URL")).await
}

/// As [`send`], over HTTP/2 with prior knowledge. `Err` is how the server reset the stream or the connection.
///
/// # Errors
/// The reset, if there is no answer.
///
/// # Panics
/// When the server isn't there, or is silent.
pub async fn send_http2(request: Request<Bytes>) -> Result<Answer, h2::Error> {
    let address = request.uri().authority().expect("an absolute URL").as_str().to_owned();
    within("an HTTP answer", async {
        let socket = TcpStream::connect(address).await.expect("the server accepts");
        let (mut client, connection) = h2::client::handshake(socket).await?;
        let connection = tokio::spawn(connection);
        let (head, body) = request.into_parts();
        let (answer, mut stream) = client.send_request(Request::from_parts(head, ()), body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(body, true)?;
        }
        let (head, mut body) = answer.await?.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            bytes.extend_from_slice(&data);
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        connection.abort();
        Ok(Answer { status: head.status, headers: head.headers, body: bytes.freeze(), trailers })
    })
    .await
}
