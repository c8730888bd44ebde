//! Limits on the number of streams: of the server, of an address, of a customer. That of a connection is HTTP/2's own, see
//! `connection::http2`.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;

use super::{Link, Settings};
use crate::{
    auth::CustomerId,
    error::{Error, Kind},
    limits::{Source, Tallies},
    metrics::StreamLimit,
};

/// The streams that stay. Those that were asked to move have left their seats: who follows must not be refused.
#[derive(Debug)]
pub(super) struct Seats {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    count: usize,
    by_source: Tallies<Source>,
    by_customer: Tallies<CustomerId>,
}

impl Seats {
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        let by_source = Tallies::new(settings.max_streams_per_address);
        let by_customer = Tallies::new(settings.max_streams_per_customer);
        Arc::new(Self { max: settings.max_streams, taken: Mutex::new(Taken { count: 0, by_source, by_customer }) })
    }

    /// Takes a seat for a stream on this connection, and of this customer.
    ///
    /// # Errors
    /// [`Kind::TooManyStreams`], with the bound that the stream ran into.
    pub(super) fn take(
        self: &Arc<Self>,
        link: Option<&Arc<dyn Link>>,
        customer: Option<&CustomerId>,
    ) -> Result<Seat, Error> {
        let source = link.and_then(|link| link.source());
        let mut taken = self.taken.lock();
        let refused = if taken.count >= self.max {
            Some(StreamLimit::Server)
        } else if source.is_some_and(|source| !taken.by_source.has_room(&source)) {
            Some(StreamLimit::Address)
        } else if customer.is_some_and(|customer| !taken.by_customer.has_room(customer)) {
            Some(StreamLimit::Customer)
        } else {
            None
        };
        if let Some(of) = refused {
            return Err(Kind::TooManyStreams { of }.into());
        }
        taken.count += 1;
        source.into_iter().for_each(|source| taken.by_source.add(source));
        customer.into_iter().for_each(|customer| taken.by_customer.add(customer.clone()));
        Ok(Seat { seats: Arc::clone(self), source, customer: customer.cloned() })
    }
}

/// One stream's seat, until it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    source: Option<Source>,
    customer: Option<CustomerId>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        taken.count -= 1;
        self.source.iter().for_each(|source| taken.by_source.remove(source));
        self.customer.iter().for_each(|customer| taken.by_customer.remove(customer));
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}
