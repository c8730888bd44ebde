//! A live set of interests: one stream of events, whatever happens to the connections under it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::{Client, Error, Event, Interest, Position, Want};

/// The events of a set of interests, as a [`Stream`] of `Result<Event, Error>`.
///
/// It doesn't end for reasons that pass. It ends with `None` once every interest has ended or was finally rejected, or
/// after one error that no retry can heal. Dropping it cancels the call at once.
#[derive(Debug)]
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    control: Control,
}

impl Subscription {
    pub(crate) fn start(_client: Client, _wants: impl Iterator<Item = Want>) -> Self {
        Self { control: Control {} }
    }

    /// The next event; `None` when it is over. Safe to cancel: nothing is lost when the future is dropped.
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

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

/// Changes the interests of a live [`Subscription`]. Clones control the same one.
#[derive(Clone, Debug)]
pub struct Control {}

impl Control {
    /// Adds an interest. Interests are counted: one that is added twice, by two parts of a program, is delivered once
    /// and stays until it has been removed twice; its start is that of the first.
    ///
    /// Changes within 50 ms are sent together, and at most once a second. Nothing that is live is interrupted.
    ///
    /// # Errors
    /// [`ErrorKind::TooManyInterests`](crate::ErrorKind::TooManyInterests) when the server accepts no more, and
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the subscription is over.
    pub fn add(&self, want: impl Into<Want>) -> Result<(), Error> {
        let _ = want.into();
        Ok(())
    }

    /// Takes back one `add`. With the last of them the interest is gone, and no further event of it is delivered. False:
    /// it isn't held.
    pub fn remove(&self, interest: &Interest) -> bool {
        let _ = interest;
        false
    }

    /// The position of each interest, through the last event that [`Subscription::next`] has returned. Save them when
    /// those events are handled, and pass them to [`Client::subscribe`] to go on there, also in another process.
    #[must_use]
    pub fn positions(&self) -> Positions {
        Positions::default()
    }
}

mod positions;
pub use positions::Positions;

const _: fn(Position) = drop;
