//! The exchanges of one HTTP/2 connection, each a request and its answer, run in the connection's own task.
//!
//! By itself hyper spawns a task for each. Then a poke for a hundred streams of one connection schedules a hundred tasks
//! and the connection's in between, which writes each chunk on its own. Here all of them hand over what they have, and
//! then the connection writes it in one go.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hyper::rt::Executor;
use parking_lot::Mutex;

type Exchange = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What hyper hands the exchanges to.
#[derive(Clone, Default)]
pub(super) struct Spawner(Arc<Mutex<Vec<Exchange>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, exchange: F) {
        self.0.lock().push(Box::pin(exchange));
    }
}

/// All exchanges of a connection.
#[derive(Default)]
pub(super) struct Exchanges {
    spawner: Spawner,
    running: FuturesUnordered<Exchange>,
}

impl Exchanges {
    pub(super) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Takes those in that were spawned since. Says whether there were any.
    pub(super) fn adopt(&mut self) -> bool {
        let new = std::mem::take(&mut *self.spawner.0.lock());
        let any = !new.is_empty();
        self.running.extend(new);
        any
    }

    /// Lets those go on that were woken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
    }
}
