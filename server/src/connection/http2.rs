//! HTTP/2 as the server speaks it: the connection and all exchanges on it in one task, on the h2 crate itself.
//!
//! hyper would spawn a task for each exchange, ask each of them twice for every chunk, and keep the time of the last read
//! under a lock of its own. Here all exchanges hand over what they have, and then the connection writes it in one go.

use std::{
    convert::Infallible,
    error::Error,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Buf;
use futures_util::{
    Stream, StreamExt as _,
    future::{Either, select},
};
use h2::{Ping, PingPong, Reason, RecvStream, server::SendResponse};
use http::{Request, Response, header};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use super::{
    Connection,
    exchange::{Exchange, Outgoing},
    exchanges::Exchanges,
    gate::Gate,
    greeting::Watched,
    life::end_of,
    orders::Order,
    request::{Inbound, Requests},
};
use crate::{limits::Limits, metrics::ConnectionEnd};

/// Bytes that one HTTP/2 stream holds back for a client that is slow to read: two frames of the usual size, so that one
/// is ready while the other is on its way. Everything else of a slow stream waits in the ring, where it costs nothing.
const SEND_BUFFER: usize = 32 << 10;

/// What a client may send on one stream, and on all of them, before the server has read it. A request has at most 1 MiB.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What a connection's task consists of besides exchanges, as bits of its gate.
const ORDERS: u64 = 1;
const HTTP: u64 = 2;

/// How many requests are taken before their exchanges get a turn: who opens streams and resets them at once doesn't make
/// the server keep them all. Nor does it queue more frames than those of so many answers, in a place of h2's that is as
/// large ever after as it had to be once, 312 bytes a frame: with 32 it held 1 KB for each of eleven streams.
const ACCEPTED_AT_ONCE: usize = 8;

/// How connections speak HTTP/2.
#[derive(Clone)]
pub(super) struct Http2(h2::server::Builder);

impl Http2 {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut builder = h2::server::Builder::new();
        builder
            .max_concurrent_streams(limits.requests_per_connection)
            .max_header_list_size(limits.header_bytes)
            .max_send_buffer_size(SEND_BUFFER)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        Self(builder)
    }

    /// Serves a connection to its end.
    pub(super) async fn serve<T, S, B>(
        &self,
        socket: Watched<T>,
        mut orders: Pin<&mut impl Stream<Item = Order>>,
        requests: Requests<S>,
    ) -> ConnectionEnd
    where
        T: AsyncRead + AsyncWrite + Unpin,
        S: Service<Request<Inbound>, Response = Response<B>, Error = Infallible> + Clone,
        B: Body,
        B::Data: Outgoing,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // Boxed, so that nothing of it is left while the connection lives.
        let mut handshake = Box::pin(self.0.handshake(socket));
        let mut retire = false;
        let http = loop {
            match select(orders.next(), handshake.as_mut()).await {
                Either::Left((Some(Order::End(end)), _)) => return end,
                Either::Left((order, _)) => retire |= matches!(order, Some(Order::Retire)),
                Either::Right((Ok(http), _)) => break http,
                Either::Right((Err(error), _)) => return end_of(&error),
            }
        };
        drop(handshake);
        let gate = Gate::new(ORDERS | HTTP);
        let [for_orders, for_http] = [ORDERS, HTTP].map(|source| gate.waker(source));
        let mut session = Session::new(http, Arc::clone(&requests.connection), Arc::clone(&gate));
        if retire {
            session.obey(Order::Retire);
        }
        let mut exchanges = Exchanges::new(Arc::clone(&gate));
        poll_fn(|cx| {
            gate.poll(cx, |woken| {
                if woken & ORDERS != 0 {
                    let mut cx = Context::from_waker(&for_orders);
                    while let Poll::Ready(Some(order)) = orders.as_mut().poll_next(&mut cx) {
                        if let Some(end) = session.obey(order) {
                            return Poll::Ready(end);
                        }
                    }
                }
                // Before HTTP, which then writes what they have in one go.
                exchanges.poll(woken);
                if woken & HTTP != 0 {
                    return session.poll_requests(&mut Context::from_waker(&for_http), |request, respond| {
                        exchanges.begin(Exchange::new(requests.answer(request), respond));
                    });
                }
                Poll::Pending
            })
        })
        .await
    }
}

/// An HTTP/2 connection that has been greeted.
struct Session<T, D: Buf> {
    http: h2::server::Connection<Watched<T>, D>,
    pings: Option<PingPong>,
    connection: Arc<Connection>,
    gate: Arc<Gate>,
    /// The client has been told that this is the end.
    is_leaving: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin, D: Outgoing> Session<T, D> {
    fn new(mut http: h2::server::Connection<Watched<T>, D>, connection: Arc<Connection>, gate: Arc<Gate>) -> Self {
        Self { pings: http.ping_pong(), http, connection, gate, is_leaving: false }
    }

    /// Does as told. Answers how the connection ends, if it does.
    fn obey(&mut self, order: Order) -> Option<ConnectionEnd> {
        match order {
            Order::End(end) => return Some(end),
            // h2 queues GOAWAY before all that is sent from now on, and leaves open streams alone.
            Order::Retire => {
                self.http.graceful_shutdown();
                self.connection.set_retired();
                self.gate.wake(HTTP);
            }
            Order::Probe => self.probe(),
        }
        None
    }

    /// Sends a ping. That its answer has come is seen where the socket is read.
    fn probe(&mut self) {
        if let Some(pings) = &mut self.pings {
            // Takes the last answer, as there may be only one ping under way.
            let _ = pings.poll_pong(&mut Context::from_waker(Waker::noop()));
            if let Err(error) = pings.send_ping(Ping::opaque()) {
                tracing::debug!(%error, "a ping can't be sent");
            }
        }
    }

    /// Reads and writes. Gives each new request to `begin`, and answers when the connection has ended.
    fn poll_requests(
        &mut self,
        cx: &mut Context<'_>,
        mut begin: impl FnMut(Request<Inbound>, SendResponse<D>),
    ) -> Poll<ConnectionEnd> {
        for _ in 0..ACCEPTED_AT_ONCE {
            let polled = self.http.poll_accept(cx);
            if self.connection.is_abusive() {
                return self.poll_farewell(cx);
            }
            match polled {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    begin(inbound(request), respond);
                }
                Poll::Ready(Some(Err(error))) if !self.connection.is_retired() => return Poll::Ready(end_of(&error)),
                // Who was told to go may leave as it likes.
                Poll::Ready(_) => return Poll::Ready(ConnectionEnd::Closed),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.gate.wake(HTTP);
        Poll::Pending
    }

    /// Tells a client that there is too much of it. What it has open is dropped with the connection.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.http.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
        self.http.poll_closed(cx).map(|_| ConnectionEnd::Abuse)
    }
}

fn inbound(request: Request<RecvStream>) -> Request<Inbound> {
    // h2 holds the client to it.
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    request.map(|body| Inbound::http2(body, length))
}
