//! The exchanges that are under way on one HTTP/2 connection.

use std::{
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use smallvec::SmallVec;

use super::gate::{FIRST, Gate};

/// The bits of the connection's gate at which single exchanges are woken: all but those of the connection itself.
const PLACES: Range<u32> = FIRST.trailing_zeros()..62;
const ALL_PLACES: u64 = (1 << PLACES.end) - (1 << PLACES.start);

/// The bit of all other exchanges.
const CROWD: u64 = 1 << PLACES.end;

/// The exchanges of a connection. The first few have a bit of the connection's gate each, so that a poke finds its way to
/// a stream by as few steps as can be; a proxy that joins more than those pays a queue between.
pub(super) struct Exchanges<E> {
    /// The first lies here itself, as most connections have one: it is found without a pointer more.
    places: SmallVec<[Place<E>; 1]>,
    gate: Arc<Gate>,
    /// Made when it is needed.
    crowd: Option<Box<Crowd<E>>>,
}

struct Crowd<E> {
    waker: Waker,
    exchanges: FuturesUnordered<E>,
}

/// Where one exchange after the other may be.
struct Place<E> {
    waker: Waker,
    exchange: Option<E>,
}

impl<E: Future<Output = ()> + Unpin> Exchanges<E> {
    /// None yet. They are woken at `gate`.
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { places: SmallVec::new(), gate, crowd: None }
    }

    /// The one that a connection with a single stream has.
    pub(super) fn first(&self) -> Option<&E> {
        self.places.first()?.exchange.as_ref()
    }

    /// Adds one. It gets its first turn when the gate has been polled again.
    pub(super) fn begin(&mut self, exchange: E) {
        let vacant = self.places.iter().position(|place| place.exchange.is_none());
        let place = vacant.unwrap_or(self.places.len());
        if place >= PLACES.len() {
            let new = || Crowd { waker: self.gate.waker(CROWD), exchanges: FuturesUnordered::new() };
            self.crowd.get_or_insert_with(|| new().into()).exchanges.push(exchange);
            return self.gate.ring(CROWD);
        }
        if place == self.places.len() {
            self.places.push(Place { waker: self.gate.waker(bit(place)), exchange: None });
        }
        self.places[place].exchange = Some(exchange);
        self.gate.ring(bit(place));
    }

    /// Lets those go on that were woken.
    pub(super) fn poll(&mut self, woken: u64) {
        let mut places = woken & ALL_PLACES;
        while places != 0 {
            let place = (places.trailing_zeros() - PLACES.start) as usize;
            places &= places - 1;
            let Some(Place { waker, exchange }) = self.places.get_mut(place) else { continue };
            if let Some(running) = exchange
                && Pin::new(running).poll(&mut Context::from_waker(waker)).is_ready()
            {
                *exchange = None;
            }
        }
        if woken & CROWD != 0
            && let Some(crowd) = &mut self.crowd
        {
            let Crowd { waker, exchanges } = &mut **crowd;
            while let Poll::Ready(Some(())) = exchanges.poll_next_unpin(&mut Context::from_waker(waker)) {}
        }
    }
}

fn bit(place: usize) -> u64 {
    1 << (PLACES.start as usize + place)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::{cell::Cell, future::poll_fn, rc::Rc};

    use super::*;

    #[test]
    fn who_is_woken_gets_a_turn_and_nobody_else() {
        let gate = Gate::new(0);
        let mut exchanges = Exchanges::new(Arc::clone(&gate));
        let count = PLACES.len() + 20;
        let turns: Vec<_> = (0..count).map(|_| Rc::new(Cell::new(0))).collect();
        let wakers: Vec<_> = (0..count).map(|_| Rc::new(Cell::new(None::<Waker>))).collect();
        let ended: Vec<_> = (0..count).map(|_| Rc::new(Cell::new(false))).collect();
        for n in 0..count {
            let (turns, waker, ended) = (Rc::clone(&turns[n]), Rc::clone(&wakers[n]), Rc::clone(&ended[n]));
            exchanges.begin(poll_fn(move |cx| {
                turns.set(turns.get() + 1);
                waker.set(Some(cx.waker().clone()));
                if ended.get() { Poll::Ready(()) } else { Poll::Pending }
            }));
        }
        let run = |exchanges: &mut Exchanges<_>| {
            let _ = gate.poll(&Context::from_waker(Waker::noop()), |woken| {
                exchanges.poll(woken);
                Poll::<()>::Pending
            });
            turns.iter().map(|turns| turns.take()).collect::<Vec<_>>()
        };
        assert_eq!(run(&mut exchanges), vec![1; count]);
        for n in [0, 1, PLACES.len() - 1, PLACES.len(), count - 1] {
            wakers[n].take().unwrap().wake();
            let expected: Vec<_> = (0..count).map(|other| i32::from(other == n)).collect();
            assert_eq!(run(&mut exchanges), expected, "{n}");
        }
        // A place is used again, by an exchange that a late waker of the old one does not harm.
        ended[0].set(true);
        let late = wakers[0].take().unwrap();
        late.wake_by_ref();
        run(&mut exchanges);
        late.wake();
        assert_eq!(run(&mut exchanges), vec![0; count]);
    }
}
