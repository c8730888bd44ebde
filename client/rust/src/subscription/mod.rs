//! A live set of interests: one stream of events, whatever happens to the connections under it.

mod call;
mod driver;
mod events;
mod incoming;
mod interests;
mod message;
mod positions;
mod replace;
mod state;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinHandle};

pub use self::positions::Positions;
use self::state::State;
use crate::{Client, Error, Event, Interest, Want, backoff::uniform, clock::Clock};

/// The events of a set of interests, as a [`Stream`] of `Result<Event, Error>`.
///
/// It doesn't end for reasons that pass. It ends with `None` once every interest has ended, or after one error: one that
/// no retry can heal, or, once no interest is left, the first final rejection that the program hasn't [marked as
/// handled](crate::Rejected::mark_handled). While nobody reads it, the server is made to wait. Dropping it cancels the
/// call at once.
#[derive(Debug)]
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    control: Control,
    task: JoinHandle<()>,
}

/// Changes the interests of a live [`Subscription`]. Clones control the same one.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

/// What the subscription, its controls and its task have in common.
struct Shared {
    state: Mutex<State>,
    clock: Clock,
    /// Wakes the task: the set has changed, or there is room for events again.
    changed: Notify,
    /// Wakes the reader: there may be an event.
    reader: AtomicWaker,
}

impl Subscription {
    pub(crate) fn start(client: &Client, wants: impl Iterator<Item = Want>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(wants, client.event_buffer(), uniform)),
            clock: client.clock().clone(),
            changed: Notify::new(),
            reader: AtomicWaker::new(),
        });
        let task = tokio::spawn(driver::drive(client.clone(), shared.clone()));
        Self { control: Control { shared }, task }
    }

    /// The next event; `None` when the subscription is over. Safe to cancel: no event is lost with the future.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// A handle to change the set of interests while this is read.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl Stream for Subscription {
    type Item = Result<Event, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let shared = &self.control.shared;
        shared.reader.register(cx.waker());
        let mut state = shared.state.lock();
        let was_reading = state.is_reading();
        let item = state.pop(shared.clock.now());
        if !was_reading && state.is_reading() {
            shared.changed.notify_one();
        }
        match item {
            None if !state.is_over() => Poll::Pending,
            item => Poll::Ready(item),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Control {
    /// Adds an interest. Interests are counted: one that two parts of a program add is delivered once, and stays until
    /// it has been removed twice. It starts as the first of them said.
    ///
    /// Changes within 50 ms are sent together, and at most once a second. Nothing that is live is interrupted. An
    /// interest over the server's limit is [rejected](crate::Rejected) for now, and asked for as soon as there is room.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the subscription is over.
    pub fn add(&self, want: impl Into<Want>) -> Result<(), Error> {
        let result = self.shared.state.lock().add(self.shared.clock.now(), want.into());
        self.shared.changed.notify_one();
        result
    }

    /// Takes one `add` back. After the last, no further event of the interest is delivered. False: it wasn't held.
    ///
    /// With nothing left the call is closed, and the subscription waits for the next `add`.
    pub fn remove(&self, interest: &Interest) -> bool {
        let was_held = self.shared.state.lock().remove(self.shared.clock.now(), interest);
        self.shared.changed.notify_one();
        was_held
    }

    /// The position of each interest, through the last event that [`Subscription::next`] has returned. Save them when
    /// those events are handled, and pass them to [`Client::subscribe`] to go on there, also in another process.
    #[must_use]
    pub fn positions(&self) -> Positions {
        self.shared.state.lock().positions()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("positions", &self.positions()).finish_non_exhaustive()
    }
}
