//! Small writes of many connections, sent one right after the other.
//!
//! A poke to a thousand subscribers is a thousand writes. Between two of them the kernel's code and data push those of this
//! process out of the processor's caches, and the other way round; many in a row cost less. So a thread of the runtime
//! puts what its connections write into its outbox, and sends that when there is enough of it, or when it is about to rest.

use std::{
    cell::Cell,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use pin_project_lite::pin_project;
use tokio::runtime::Builder;

use super::plain::Socket;

/// The most that is copied: to copy more costs as much as it saves.
const SMALL: usize = 2 << 10;

/// Letters in an outbox before they are sent: what they need still fits into a processor's own cache.
const LETTERS: usize = 64;

/// Turns of connections, whether they write or not, that the first letter waits at most: a thread that always has something
/// to do never rests.
const TURNS: usize = 64;

/// A turn may be a long one. So after every few of them the first letter goes if it has waited for this time.
const PATIENCE: Duration = Duration::from_millis(1);
const FEW_TURNS: usize = 8;

/// More than a usual machine has processors. Threads beyond that share one, and wait for each other.
const OUTBOXES: u8 = 64;

static ALL: [Outbox; OUTBOXES as usize] = [const { Outbox(Mutex::new(Batch::NONE)) }; OUTBOXES as usize];

/// By itself in lines of the processor's cache, which are fetched in pairs. Seldom locked by another thread: for a
/// connection that has moved to it before its letter was sent, or as it ends.
#[repr(align(128))]
struct Outbox(Mutex<Batch>);

/// What a thread is about to send.
struct Batch {
    letters: Vec<Letter>,
    /// What the letters say, in their order.
    bytes: Vec<u8>,
}

struct Letter {
    to: Arc<Socket>,
    /// Where it ends.
    end: usize,
}

thread_local! {
    /// This thread's place in [`ALL`]. `None` if nobody would empty it.
    static MINE: Cell<Option<u8>> = const { Cell::new(None) };
    /// Since when the first letter waits, and how many turns. It may stand here still when another thread has sent it.
    static FIRST: Cell<Option<(Instant, usize)>> = const { Cell::new(None) };
}

/// Gives each thread of a runtime an outbox. Without that, everything is written at once.
pub fn send_together(runtime: &mut Builder) -> &mut Builder {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    runtime
        .on_thread_start(|| MINE.set(Some(NEXT.fetch_add(1, Ordering::Relaxed) % OUTBOXES)))
        .on_thread_park(send)
        .on_thread_stop(send)
}

/// Takes what is to be written to a socket for which nothing else is on its way. Says whether it was taken: then it is sent
/// soon. Only what is in [`Turns`] may post, and never while it blocks its thread.
pub(super) fn post(to: &Arc<Socket>, bytes: &[u8], waker: &Waker) -> bool {
    let Some(place) = MINE.get().filter(|_| bytes.len() <= SMALL) else { return false };
    let mut batch = ALL[usize::from(place)].0.lock();
    if batch.letters.is_empty() {
        FIRST.set(Some((Instant::now(), 0)));
    }
    to.posted(place, waker);
    batch.bytes.extend_from_slice(bytes);
    let end = batch.bytes.len();
    batch.letters.push(Letter { to: Arc::clone(to), end });
    if batch.letters.len() == LETTERS {
        FIRST.set(None);
        batch.send();
    }
    true
}

pin_project! {
    /// Counts the turns of a connection, by which no letter waits for ever on a thread that always has something to do.
    pub(super) struct Turns<F> {
        #[pin]
        pub(super) connection: F,
    }
}

impl<F: Future> Future for Turns<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.project().connection.poll(cx);
        end_turn();
        polled
    }
}

/// Counts a turn. Also for whoever can keep a thread from resting without being a connection.
pub(super) fn end_turn() {
    let Some((since, turns)) = FIRST.get() else { return };
    let turns = turns + 1;
    FIRST.set(Some((since, turns)));
    if turns == TURNS || turns.is_multiple_of(FEW_TURNS) && since.elapsed() >= PATIENCE {
        send();
    }
}

/// Has what was posted in this outbox sent, if `is_there` still: what comes next is written after it.
pub(super) fn settle(place: u8, is_there: impl FnOnce() -> bool) {
    let mut batch = ALL[usize::from(place)].0.lock();
    if is_there() {
        batch.send();
    }
}

/// Sends what this thread has.
fn send() {
    if let Some(place) = MINE.get() {
        FIRST.set(None);
        ALL[usize::from(place)].0.lock().send();
    }
}

impl Batch {
    const NONE: Self = Self { letters: Vec::new(), bytes: Vec::new() };

    fn send(&mut self) {
        let mut start = 0;
        for Letter { to, end } in self.letters.drain(..) {
            to.send(&self.bytes[start..end]);
            start = end;
        }
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests;
