//! The exchanges of one HTTP/2 connection, each a request and its answer, run in the connection's own task.
//!
//! By itself hyper spawns a task for each. Then a poke for a hundred streams of one connection schedules a hundred tasks
//! and the connection's in between, which writes each chunk on its own. Here all of them hand over what they have, and
//! then the connection writes it in one go.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;
use futures_util::{StreamExt, stream::FuturesUnordered};
use hyper::rt::Executor;
use parking_lot::Mutex;

use super::Connection;
use crate::stream::{Link, Tally};

/// An exchange as its stream sees it.
pub(super) struct Exchange {
    connection: Arc<Connection>,
    /// HTTP/1.1 has one exchange at a time: it and its connection are the same.
    is_only_one: bool,
    given_up: AtomicBool,
    waker: AtomicWaker,
}

impl Exchange {
    pub(super) fn new(connection: Arc<Connection>, is_only_one: bool) -> Arc<Self> {
        Arc::new(Self { connection, is_only_one, given_up: AtomicBool::new(false), waker: AtomicWaker::new() })
    }
}

impl Link for Exchange {
    fn retire(&self) {
        self.connection.retire();
    }

    fn is_retired(&self) -> bool {
        self.connection.is_retired()
    }

    fn reset(&self) {
        if self.is_only_one {
            self.connection.close();
        }
        self.given_up.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn close(&self) {
        self.connection.close();
    }

    fn tally(&self) -> &Tally {
        self.connection.tally()
    }
}

/// What hyper hands the exchanges to.
#[derive(Clone, Default)]
pub(super) struct Spawner(Arc<Mutex<Spawned>>);

#[derive(Default)]
struct Spawned {
    /// The exchange that hyper is about to hand over: it calls the service first, and then the spawner.
    next: Option<Arc<Exchange>>,
    new: Vec<Running>,
}

impl Spawner {
    /// Notes which exchange is the next.
    pub(super) fn expect(&self, exchange: Arc<Exchange>) {
        self.0.lock().next = Some(exchange);
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        let mut spawned = self.0.lock();
        let exchange = spawned.next.take();
        spawned.new.push(Running { exchange, is_watched: false, future: Box::pin(future) });
    }
}

/// All exchanges of a connection.
#[derive(Default)]
pub(super) struct Exchanges {
    spawner: Spawner,
    running: FuturesUnordered<Running>,
}

impl Exchanges {
    pub(super) fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Takes those in that were spawned since. Says whether there were any.
    pub(super) fn adopt(&mut self) -> bool {
        let new = std::mem::take(&mut self.spawner.0.lock().new);
        let any = !new.is_empty();
        self.running.extend(new);
        any
    }

    /// Lets those go on that were woken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
    }
}

/// An exchange under way.
struct Running {
    exchange: Option<Arc<Exchange>>,
    is_watched: bool,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Some(exchange) = &this.exchange {
            if !std::mem::replace(&mut this.is_watched, true) {
                exchange.waker.register(cx.waker());
            }
            // Dropping it makes h2 reset the stream (CANCEL).
            if exchange.given_up.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
        }
        this.future.as_mut().poll(cx)
    }
}
