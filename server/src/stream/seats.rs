//! How many streams there may be: in all, on a connection, of an address, of a customer.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

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
    max_per_connection: usize,
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
        Arc::new(Self {
            max: settings.max_streams,
            max_per_connection: settings.max_streams_per_connection,
            taken: Mutex::new(Taken { count: 0, by_source, by_customer }),
        })
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
        } else if link.is_some_and(|link| link.tally().seats.load(Relaxed) >= self.max_per_connection) {
            Some(StreamLimit::Connection)
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
        drop(taken);
        if let Some(link) = link {
            link.tally().seats.fetch_add(1, Relaxed);
        }
        Ok(Seat { seats: Arc::clone(self), link: link.cloned(), customer: customer.cloned() })
    }
}

/// One stream's seat, until it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    link: Option<Arc<dyn Link>>,
    customer: Option<CustomerId>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        taken.count -= 1;
        if let Some(link) = &self.link {
            link.tally().seats.fetch_sub(1, Relaxed);
            link.source().iter().for_each(|source| taken.by_source.remove(source));
        }
        self.customer.iter().for_each(|customer| taken.by_customer.remove(customer));
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}
