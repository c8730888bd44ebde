//! One connection's life, from its first byte to its end.

use std::{
    convert::Infallible,
    error::Error,
    io,
    pin::{Pin, pin},
    sync::Arc,
};

use futures_util::{
    Stream, StreamExt as _,
    future::{Either, select},
};
use http::{Request, Response};
use http_body::Body;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use super::{
    Connection,
    exchange::Outgoing,
    greeting::{Language, Watched, greet},
    http2,
    orders::{Order, orders},
    request::{Inbound, Requests},
};
use crate::{error::causes, limits::Limits, metrics::ConnectionEnd};

/// How connections speak HTTP: 1.1, or 2 with prior knowledge.
#[derive(Clone)]
pub(super) struct Http {
    limits: Limits,
    http1: hyper::server::conn::http1::Builder,
}

impl Http {
    pub(super) fn new(limits: Limits) -> Self {
        let mut http1 = hyper::server::conn::http1::Builder::new();
        // The deadlines of `orders` bound the time for a head: they can tell a first one from an idle connection.
        http1.header_read_timeout(None).max_buf_size(limits.header_bytes as usize);
        Self { http1, limits }
    }

    /// Serves a connection to its end. Dropping the future closes it.
    pub(super) async fn serve<T, S, B>(&self, socket: T, connection: &Arc<Connection>, service: S) -> ConnectionEnd
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Inbound>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Outgoing,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut orders = pin!(orders(connection, &self.limits));
        let (language, socket) = match select(orders.next(), pin!(greet(socket, connection, &self.limits))).await {
            Either::Left((Some(Order::End(end)), _)) => return end,
            // Nothing has been asked yet, so nothing has to be told.
            Either::Left(_) => return ConnectionEnd::Closed,
            Either::Right((Ok(greeted), _)) => greeted,
            Either::Right((Err(error), _)) => return end_of(&error),
        };
        let requests = Requests { service, connection: Arc::clone(connection) };
        match language {
            Language::Http2 => http2::Serving::new(socket, &self.limits, orders, requests).await,
            // Boxed, so that the others have no room for it.
            Language::Http1 => Box::pin(self.serve_http1(socket, orders, requests)).await,
        }
    }

    async fn serve_http1<T, S, B>(
        &self,
        socket: Watched<T>,
        mut orders: Pin<&mut impl Stream<Item = Order>>,
        requests: Requests<S>,
    ) -> ConnectionEnd
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        S: Service<Request<Inbound>, Response = Response<B>, Error = Infallible> + Clone + 'static,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let connection = Arc::clone(&requests.connection);
        let mut http = pin!(self.http1.serve_connection(TokioIo::new(socket), requests));
        loop {
            match select(orders.next(), http.as_mut()).await {
                Either::Left((Some(Order::End(end)), _)) => return end,
                Either::Left((Some(Order::Retire), _)) => {
                    http.as_mut().graceful_shutdown();
                    connection.set_retired();
                }
                // There are no pings here.
                Either::Left(_) => {}
                Either::Right((Err(error), _)) if !connection.is_retired() => return end_of(&error),
                // Who was told to go may leave as it likes.
                Either::Right(_) => return ConnectionEnd::Closed,
            }
        }
    }
}

/// What an error of the connection says of its end. None of them is the server's fault.
pub(super) fn end_of(error: &(dyn Error + 'static)) -> ConnectionEnd {
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<hyper::Error>()
            && (error.is_timeout() || error.is_incomplete_message() || error.is_closed())
        {
            return ConnectionEnd::Lost;
        }
        match cause.downcast_ref().map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) | None => {}
            Some(_) => return ConnectionEnd::Lost,
        }
    }
    ConnectionEnd::Protocol
}
