//! One connection's life, from its first byte to its end.

use std::{
    convert::Infallible,
    error::Error,
    future::poll_fn,
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, stream};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tower::Service;

use super::{
    Connection,
    exchange::{Exchanges, Spawner},
    gate::Gate,
    greeting::Watched,
    handle::Ask,
    request::Requests,
};
use crate::{limits::Limits, metrics::ConnectionEnd};

/// Bytes that one HTTP/2 stream holds back for a client that is slow to read: two frames of the usual size, so that one
/// is ready while the other is on its way. Everything else of a slow stream waits in the ring, where it costs nothing.
const SEND_BUFFER: usize = 32 << 10;

/// What a client may send on one stream, and on all of them, before the server has read it. A request has at most 1 MiB.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What a connection's task consists of, as bits of its gate.
const ORDERS: u64 = 1;
const EXCHANGES: u64 = 2;
const HTTP: u64 = 4;

/// How connections speak HTTP: 1.1, or 2 with prior knowledge.
#[derive(Clone)]
pub(super) struct Http {
    limits: Limits,
}

impl Http {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits }
    }

    fn builder(&self, spawner: Spawner) -> auto::Builder<Spawner> {
        let limits = &self.limits;
        let mut builder = auto::Builder::new(spawner);
        // `Deadlines` bounds the time for a request's head: it can tell a first head from an idle connection.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.header_bytes as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.requests_per_connection)
            .max_header_list_size(limits.header_bytes)
            .max_send_buf_size(SEND_BUFFER)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(limits.keepalive_interval)
            .keep_alive_timeout(limits.keepalive_timeout);
        builder
    }

    /// Serves a connection to its end. Dropping the future closes it.
    pub(super) async fn serve<S, B>(
        &self,
        socket: impl AsyncRead + AsyncWrite + Unpin + 'static,
        connection: &Arc<Connection>,
        service: S,
    ) -> ConnectionEnd
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + 'static,
        S::Future: Send + 'static,
        S: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut exchanges = Exchanges::default();
        let socket = TokioIo::new(Watched::new(socket, Arc::clone(connection)));
        let requests = Requests { service, connection: Arc::clone(connection) };
        let mut http = pin!(self.builder(exchanges.spawner()).serve_connection(socket, requests).into_owned());
        let mut orders = pin!(orders(connection, &self.limits));
        let gate = Gate::new(ORDERS | EXCHANGES | HTTP);
        let [for_orders, for_exchanges, for_http] = [ORDERS, EXCHANGES, HTTP].map(|source| gate.waker(source));
        poll_fn(|cx| {
            gate.poll(cx, |woken| {
                if woken & ORDERS != 0 {
                    let mut cx = Context::from_waker(&for_orders);
                    while let Poll::Ready(Some(order)) = orders.as_mut().poll_next(&mut cx) {
                        match order {
                            Order::End(end) => return Poll::Ready(end),
                            // h2 queues GOAWAY before all that is sent from now on, and leaves open streams alone.
                            Order::Retire => {
                                http.as_mut().graceful_shutdown();
                                connection.set_retired();
                                gate.wake(HTTP);
                            }
                        }
                    }
                }
                // Before HTTP, which then writes what they have in one go.
                if woken & EXCHANGES != 0 {
                    exchanges.poll(&mut Context::from_waker(&for_exchanges));
                }
                if woken & HTTP != 0 {
                    if let Poll::Ready(result) = http.as_mut().poll(&mut Context::from_waker(&for_http)) {
                        return Poll::Ready(match result {
                            Err(error) if !connection.is_retired() => end_of(&*error),
                            // Who was told to go may leave as it likes.
                            _ => ConnectionEnd::Closed,
                        });
                    }
                    if exchanges.adopt() {
                        gate.wake(EXCHANGES);
                    }
                }
                Poll::Pending
            })
        })
        .await
    }
}

/// What a connection's task is told to do, by others or by the time.
enum Order {
    /// Tell the client that no new request is taken.
    Retire,
    /// End, in this way.
    End(ConnectionEnd),
}

fn orders<'a>(connection: &'a Connection, limits: &'a Limits) -> impl Stream<Item = Order> + 'a {
    stream::unfold(Deadlines::new(connection, limits), move |mut deadlines| async move {
        let order = tokio::select! {
            biased;
            ask = connection.asked() => match ask {
                Ask::Close => Order::End(ConnectionEnd::Cut),
                Ask::Retire => Order::Retire,
            },
            overdue = deadlines.next() => match overdue {
                Overdue::Greeting => Order::End(ConnectionEnd::Handshake),
                Overdue::Silence => Order::End(ConnectionEnd::Lost),
                Overdue::Request => Order::Retire,
                Overdue::Goodbye => Order::End(ConnectionEnd::Idle),
            },
        };
        Some((order, deadlines))
    })
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overdue {
    /// Nothing sensible came at first: no whole preface, no request.
    Greeting,
    /// Nothing came from an HTTP/2 client, not even the answer to a ping.
    Silence,
    /// No request was open for too long.
    Request,
    /// The client didn't leave when it was told that its idle connection ends.
    Goodbye,
}

/// The times at which a connection has to be looked at. One timer serves all of them, and is set anew only when it has
/// run out: a busy connection costs nothing.
///
/// hyper closes a connection whose pings aren't answered, but only after it has sent GOAWAY; where nothing can be sent
/// since the client reads nothing, it would wait for ever. So silence is watched here as well.
struct Deadlines<'a> {
    connection: &'a Connection,
    limits: &'a Limits,
    /// The next look.
    at: Instant,
    /// When a client that was told to go has to be gone.
    goodbye: Option<Instant>,
}

impl<'a> Deadlines<'a> {
    fn new(connection: &'a Connection, limits: &'a Limits) -> Self {
        Self { connection, limits, at: connection.accepted() + limits.handshake_timeout, goodbye: None }
    }

    /// Waits for the next deadline that passes. Nothing is lost when it is dropped.
    async fn next(&mut self) -> Overdue {
        loop {
            sleep_until(self.at).await;
            if let Some(overdue) = self.look(Instant::now()) {
                return overdue;
            }
        }
    }

    fn look(&mut self, now: Instant) -> Option<Overdue> {
        if !self.connection.has_greeted() {
            return Some(Overdue::Greeting);
        }
        let silence = self.connection.heard().map(|heard| heard + self.limits.patience());
        if silence.is_some_and(|at| at <= now) {
            return Some(Overdue::Silence);
        }
        let idle = self.connection.idle_since().unwrap_or(now) + self.limits.idle_timeout;
        let (overdue, next) = match self.goodbye {
            _ if idle > now => {
                self.goodbye = None;
                (None, idle)
            }
            None => {
                // A request that crosses the GOAWAY on its way has this time to arrive.
                let goodbye = now + self.limits.handshake_timeout;
                self.goodbye = Some(goodbye);
                (Some(Overdue::Request), goodbye)
            }
            Some(goodbye) if goodbye > now => (None, goodbye),
            Some(_) => return Some(Overdue::Goodbye),
        };
        self.at = silence.map_or(next, |silence| silence.min(next));
        overdue
    }
}

/// What an error of the connection says of its end. None of them is the server's fault.
fn end_of(error: &(dyn Error + 'static)) -> ConnectionEnd {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    for cause in causes {
        if let Some(error) = cause.downcast_ref::<hyper::Error>()
            && (error.is_timeout() || error.is_incomplete_message() || error.is_closed())
        {
            return ConnectionEnd::Lost;
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) | None => {}
            Some(_) => return ConnectionEnd::Lost,
        }
    }
    ConnectionEnd::Protocol
}
