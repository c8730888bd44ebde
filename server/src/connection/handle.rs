//! A connection as others see it: what its streams and a drain can ask of it.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{Peer, abuse::Abuse};
use crate::{
    auth::PeerIdentity,
    limits::Source,
    metrics::Metrics,
    stream::{Link, Tally},
};

/// An open connection, shared by its task, its requests and the table of connections.
pub struct Connection {
    id: u64,
    peer: Peer,
    identity: OnceLock<Arc<PeerIdentity>>,
    accepted: Instant,
    /// Wakes the connection's task, the only one that waits: a permit is stored if it isn't waiting just now.
    wake: Notify,
    asked_to_retire: AtomicBool,
    asked_to_close: AtomicBool,
    /// The number of moving streams has changed since the connection's task looked.
    moving_changed: AtomicBool,
    retired: AtomicBool,
    /// An HTTP/2 preface or a whole request has come.
    greeted: AtomicBool,
    /// The first cause for which it is closed as abusive.
    abuse: OnceLock<Abuse>,
    /// Arrival of the first frame of header fields that are still incomplete, in milliseconds after `accepted`; 0 if none
    /// are.
    header_since: AtomicU64,
    /// Something has come from an HTTP/1.1 client since its last request was read to the end.
    owes: AtomicBool,
    /// When something last came from an HTTP/2 client, in milliseconds after `accepted`; 0 for one of HTTP/1.1.
    heard: AtomicU64,
    /// Requests that aren't answered to their end.
    requests: AtomicUsize,
    /// When the last of them ended, in milliseconds after `accepted`.
    idle_since: AtomicU64,
    streams: Tally,
    metrics: Arc<Metrics>,
}

impl Connection {
    pub(super) fn new(id: u64, peer: Peer, metrics: Arc<Metrics>) -> Self {
        Self {
            id,
            peer,
            identity: OnceLock::new(),
            accepted: Instant::now(),
            wake: Notify::new(),
            asked_to_retire: AtomicBool::new(false),
            asked_to_close: AtomicBool::new(false),
            moving_changed: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            greeted: AtomicBool::new(false),
            abuse: OnceLock::new(),
            header_since: AtomicU64::new(0),
            owes: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            streams: Tally::default(),
            metrics,
        }
    }

    /// Names the connection in the log. Never used twice by one process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Who connected.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Who the client is by its certificate. `None` if it presented none: then nothing is known of it, and over plain TCP
    /// or a UNIX socket nothing ever is. What is there has been verified, and stays the same for the connection's life.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<PeerIdentity>> {
        self.identity.get()
    }

    /// The client has proved who it is. Only the first time counts.
    pub(super) fn identify(&self, identity: PeerIdentity) {
        let _ = self.identity.set(Arc::new(identity));
    }

    /// When it was accepted: the deadline of its greeting counts from here.
    pub(super) fn accepted(&self) -> Instant {
        self.accepted
    }

    /// Asks for GOAWAY (NO_ERROR) on HTTP/2, or for the last answer on HTTP/1.1; what is open goes on to its end. Returns
    /// at once; to ask twice changes nothing.
    pub fn retire(&self) {
        self.asked_to_retire.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether GOAWAY has been handed to the connection: whatever is sent from now on comes after it.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Drops the connection at once, with all that is open on it.
    pub fn close(&self) {
        self.asked_to_close.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Waits until somebody asks for something. Only the connection's task may wait.
    pub(super) async fn asked(&self) -> Ask {
        loop {
            if self.asked_to_close.load(Ordering::Acquire) {
                return Ask::Close;
            }
            if self.asked_to_retire.load(Ordering::Acquire) && !self.is_retired() {
                return Ask::Retire;
            }
            if self.moving_changed.swap(false, Ordering::AcqRel) {
                return Ask::CountMoving;
            }
            self.wake.notified().await;
        }
    }

    /// Returns the number of open streams whose clients were asked to move.
    pub(super) fn moving(&self) -> usize {
        self.streams.moving()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn set_retired(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(super) fn greet(&self) {
        self.greeted.store(true, Ordering::Relaxed);
    }

    /// Something came from an HTTP/2 client. Answers when, in milliseconds from the connection's beginning.
    pub(super) fn hear(&self) -> u64 {
        let at = self.age().max(1);
        self.heard.store(at, Ordering::Relaxed);
        at
    }

    /// Notes that the client has sent too much. The first cause stays.
    pub(super) fn accuse(&self, abuse: Abuse) {
        let _ = self.abuse.set(abuse);
    }

    /// Returns what the client has sent too much of.
    pub(super) fn abuse(&self) -> Option<Abuse> {
        self.abuse.get().copied()
    }

    /// Notes when the header fields began that have come in part, in milliseconds from the connection's beginning. `None` if
    /// none have any more.
    pub(super) fn set_header_since(&self, at: Option<u64>) {
        self.header_since.store(at.unwrap_or(0), Ordering::Relaxed);
    }

    /// Returns when the header fields began that have come in part.
    pub(super) fn header_since(&self) -> Option<Instant> {
        let since = self.header_since.load(Ordering::Relaxed);
        (since > 0).then(|| self.accepted + Duration::from_millis(since))
    }

    /// Something came from an HTTP/1.1 client.
    pub(super) fn owe(&self) {
        self.owes.store(true, Ordering::Relaxed);
    }

    /// All of the request that is answered has been read.
    pub(super) fn settle(&self) {
        self.owes.store(false, Ordering::Relaxed);
    }

    /// Whether the client may be in the middle of a request that nobody will read.
    pub(super) fn owes(&self) -> bool {
        self.owes.load(Ordering::Relaxed)
    }

    /// When something last came, if the client is one that answers pings.
    pub(super) fn heard(&self) -> Option<Instant> {
        let heard = self.heard.load(Ordering::Relaxed);
        (heard > 0).then(|| self.accepted + Duration::from_millis(heard))
    }

    pub(super) fn has_greeted(&self) -> bool {
        self.greeted.load(Ordering::Relaxed)
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.greet();
        self.requests.fetch_add(1, Ordering::AcqRel);
    }

    /// A request has been answered to its end, or given up.
    pub(super) fn finish(&self) {
        self.idle_since.store(self.age(), Ordering::Release);
        self.requests.fetch_sub(1, Ordering::AcqRel);
    }

    /// Since when no request is open; `None` if one is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.requests.load(Ordering::Acquire) == 0;
        is_idle.then(|| self.accepted + Duration::from_millis(self.idle_since.load(Ordering::Acquire)))
    }

    /// In milliseconds.
    fn age(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Link for Connection {
    fn retire(&self) {
        self.retire();
    }

    fn is_retired(&self) -> bool {
        self.is_retired()
    }

    fn close(&self) {
        self.close();
    }

    fn source(&self) -> Option<Source> {
        self.peer.source()
    }

    fn tally(&self) -> &Tally {
        &self.streams
    }

    fn moving_changed(&self) {
        self.moving_changed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn identity(&self) -> Option<&Arc<PeerIdentity>> {
        self.identity()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// What a connection's task is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Retire,
    Close,
    /// Look at how many streams were asked to move.
    CountMoving,
}
