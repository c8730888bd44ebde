//! HTTP/2 as the server speaks it: the connection and all exchanges on it in one task.
//!
//! Frames and the compression of heads are the h2 crate's; streams, credit and the connection's life are here. h2's own
//! looks at every state of a connection for each chunk, and takes a frame through a slab and two buffers: a delivery
//! meets a cold connection, and each of these is a miss of the processor's cache. Here all exchanges hand over what they
//! have, it is put into frames in memory that is warm, and goes out by one write.

mod concurrency;
mod head;
mod payload;
mod session;
mod sides;
mod stream;
mod streams;
mod wire;

use std::{
    convert::Infallible,
    error::Error,
    hint::black_box,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::Stream;
use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{Service, util::Oneshot};

use self::session::{Session, Wakers};
pub(super) use self::sides::{Closed, Receiver, Sender};
use super::{
    exchange::{Exchange, Outgoing},
    exchanges::Exchanges,
    gate::Gate,
    greeting::Watched,
    orders::Order,
    request::{Answering, Counted, Inbound, Requests},
};
use crate::{limits::Limits, metrics::ConnectionEnd};

/// What a connection's task consists of besides exchanges, as bits of its gate: what it is told, what has come, and what
/// can be written.
const ORDERS: u64 = 1;
const INCOMING: u64 = 2;
const OUTGOING: u64 = 4;

/// A connection, served to its end.
///
/// In this order: what every delivery touches comes first, in as few lines of the processor's cache as it takes. An async
/// function would lay it out as it likes, and keep what it was called with besides.
#[repr(C)]
pub(super) struct Serving<'a, T, O, S, F, B>
where
    B: Body,
    B::Data: Outgoing,
{
    exchanges: Exchanges<Exchange<F, Counted<B>>>,
    gate: Arc<Gate>,
    session: Session<T, B::Data>,
    wakers: Wakers,
    orders: Pin<&'a mut O>,
    for_orders: Waker,
    requests: Requests<S>,
}

impl<'a, T, O, S, F, B> Serving<'a, T, O, S, F, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<Response<Counted<B>>, Infallible>>,
    B: Body,
    B::Data: Outgoing,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(super) fn new(socket: Watched<T>, limits: &Limits, orders: Pin<&'a mut O>, requests: Requests<S>) -> Self {
        let gate = Gate::new(ORDERS | INCOMING);
        let [for_orders, incoming, outgoing] = [ORDERS, INCOMING, OUTGOING].map(|source| gate.waker(source));
        Self {
            exchanges: Exchanges::new(Arc::clone(&gate)),
            session: Session::new(socket, limits, Arc::clone(&requests.connection), Arc::clone(&gate)),
            gate,
            wakers: Wakers { incoming, outgoing },
            orders,
            for_orders,
            requests,
        }
    }
}

/// Nothing in it is pinned by where it lies.
impl<T, O, S, F, B> Unpin for Serving<'_, T, O, S, F, B>
where
    B: Body,
    B::Data: Outgoing,
{
}

impl<T, O, S, B> Future for Serving<'_, T, O, S, Answering<Oneshot<S, Request<Inbound>>>, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    O: Stream<Item = Order>,
    S: Service<Request<Inbound>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body,
    B::Data: Outgoing,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = ConnectionEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let Self { exchanges, gate, session, wakers, orders, for_orders, requests } = &mut *self;
        // See `Exchange::warm`.
        black_box(gate.is_running());
        session.warm();
        exchanges.first().into_iter().for_each(Exchange::warm);
        gate.poll(cx, |woken| {
            if woken & ORDERS != 0 {
                let mut cx = Context::from_waker(for_orders);
                while let Poll::Ready(Some(order)) = orders.as_mut().poll_next(&mut cx) {
                    if let Some(end) = session.obey(order) {
                        return Poll::Ready(end);
                    }
                }
            }
            // Before the session, which then writes what they have in one go.
            exchanges.poll(woken);
            session.poll(woken & INCOMING != 0, wakers, |request, sender| {
                exchanges.begin(Exchange::new(requests.answer(request), sender));
            })
        })
    }
}
