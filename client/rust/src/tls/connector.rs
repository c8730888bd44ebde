//! Opens connections over TLS.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    client::TlsStream,
    rustls::{self, ClientConfig, pki_types::ServerName},
};
use tonic::ConnectError;
use tower::Service;

use super::BoxError;

/// Opens connections over TLS. Clones share the tickets by which later handshakes are short.
#[derive(Clone)]
pub(crate) struct TlsConnector {
    tcp: HttpConnector,
    tls: tokio_rustls::TlsConnector,
    timeout: Duration,
    refusal: Refusal,
}

/// What the server said when it closed the last connection for a fault of this client.
///
/// In TLS 1.3 a client's handshake is over before the server has looked at the client's certificate. If it refuses it,
/// the connection closes under the first call, and HTTP doesn't tell that call why. So the next attempt tells it.
type Refusal = Arc<Mutex<Option<rustls::Error>>>;

impl TlsConnector {
    pub(super) fn new(config: ClientConfig, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { tcp, tls: Arc::new(config).into(), timeout, refusal: Refusal::default() }
    }

    async fn connect(mut self, uri: Uri) -> Result<TokioIo<Stream>, BoxError> {
        if let Some(refusal) = self.refusal.lock().take() {
            return Err(refusal.into());
        }
        // A URI has an IPv6 address in brackets.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)?;
        let tcp = self.tcp.call(uri).await?.into_inner();
        let tls = self.tls.connect(name, tcp).await?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("the server doesn't speak HTTP/2".into());
        }
        Ok(TokioIo::new(Stream { tls, refusal: self.refusal }))
    }
}

impl Service<Uri> for TlsConnector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(cx).map_err(|error| ConnectError(error.into()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.timeout, self.clone().connect(uri));
        Box::pin(async { connecting.await.unwrap_or_else(|elapsed| Err(elapsed.into())).map_err(ConnectError) })
    }
}

/// A connection, which remembers why the server closed it.
pub(crate) struct Stream {
    tls: TlsStream<TcpStream>,
    refusal: Refusal,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.tls).poll_read(cx, buf);
        if let Poll::Ready(Err(error)) = &read
            && let Some(error @ rustls::Error::AlertReceived(_)) = error.get_ref().and_then(|e| e.downcast_ref())
        {
            *self.refusal.lock() = Some(error.clone());
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
