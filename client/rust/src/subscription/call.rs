//! One Subscribe call, as the state sees it: what it has promised so far, and until when its silence is patience.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::interests::Generation;
use crate::{
    Interest, Live, Outcome,
    backoff::{Backoff, Dice},
    clock::Moment,
};

/// Names a call. A later call has a larger one.
pub(super) type CallId = u64;

/// How long the first event may take; it comes at once, without any traffic.
const WELCOME_WITHIN: Duration = Duration::from_secs(10);

/// After that long the network and the server have proved themselves, and earlier failures are forgotten.
const PROVED_AFTER: Duration = Duration::from_secs(30);

/// How often patience doubles at most: a factor of 8.
const MAX_DOUBLINGS: u32 = 3;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    /// The number of interests that it was asked for.
    pub(super) asked: usize,
    /// What it was asked for, less what is over.
    pub(super) carried: BTreeMap<Interest, Generation>,
    /// What it has not answered yet, the gap included if it has said that one comes, and somebody waits for.
    pub(super) pending: BTreeSet<Interest>,
    /// Since its welcome: how far the first retry is spread.
    pub(super) reconnect_spread: Option<Duration>,
    /// The server has asked to move, at this time.
    pub(super) move_at: Option<Moment>,
    /// The server has said that it closes the call then.
    closes_at: Option<Moment>,
    /// The calls that were to replace it and failed.
    failed_moves: Backoff,
    live_since: Option<Moment>,
    last_life: Moment,
    silence_allowed: Duration,
}

/// Patience with silent servers. It doubles when one is given up, since a network that holds back heartbeats would
/// otherwise break every call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    doublings: u32,
}

impl Patience {
    pub(super) fn double(&mut self) {
        self.doublings = MAX_DOUBLINGS.min(self.doublings + 1);
    }
}

impl Call {
    pub(super) fn new(id: CallId, carried: BTreeMap<Interest, Generation>, now: Moment) -> Self {
        Self {
            id,
            asked: carried.len(),
            pending: carried.keys().cloned().collect(),
            carried,
            reconnect_spread: None,
            move_at: None,
            closes_at: None,
            failed_moves: Backoff::default(),
            live_since: None,
            last_life: now,
            silence_allowed: WELCOME_WITHIN,
        }
    }

    pub(super) fn welcome(&mut self, heartbeat_interval: Duration, reconnect_spread: Duration) {
        self.silence_allowed = heartbeat_interval.mul_f64(2.5);
        self.reconnect_spread = Some(reconnect_spread);
    }

    /// An interest is live. If it has lost something, its gap comes next.
    pub(super) fn live(&mut self, live: &Live, now: Moment) {
        if live.outcome != Outcome::Gap {
            self.pending.remove(&live.interest);
        }
        self.live_since.get_or_insert(now);
    }

    /// The server has no more of this interest on this call.
    pub(super) fn forgo(&mut self, interest: &Interest) {
        self.pending.remove(interest);
        self.carried.remove(interest);
    }

    /// The interest that the server means. It cuts a malformed one to its limits before it sends it back.
    pub(super) fn meant(&self, named: &Interest) -> Option<Interest> {
        let is_meant =
            |held: &&Interest| held.domain.starts_with(&named.domain) && held.filter.starts_with(&named.filter);
        match self.carried.get_key_value(named) {
            Some((held, _)) => Some(held.clone()),
            None => self.pending.iter().find(is_meant).cloned(),
        }
    }

    /// Each of its interests is answered, and the position from which on it is delivered is known.
    pub(super) fn is_settled(&self) -> bool {
        self.reconnect_spread.is_some() && self.pending.is_empty()
    }

    /// The server asks to move, and closes the call later on. The earliest of several such requests holds.
    pub(super) fn must_move(&mut self, move_at: Moment, closes_at: Option<Moment>) {
        self.move_at = Some(self.move_at.map_or(move_at, |earlier| earlier.min(move_at)));
        self.closes_at = self.closes_at.into_iter().chain(closes_at).min();
    }

    /// The server has said that the call will end: that it does so is no fault.
    pub(super) fn is_announced(&self) -> bool {
        self.move_at.is_some()
    }

    /// How long to wait with the next attempt to replace this call, after one has failed.
    pub(super) fn move_again_after(&mut self, now: Moment, dice: Dice) -> Duration {
        match self.closes_at.and_then(|at| at.checked_sub(now)) {
            Some(left) => self.failed_moves.next_before(left, dice),
            None => self.failed_moves.next(dice),
        }
    }

    /// The call has been live for long enough.
    pub(super) fn is_proved(&self, now: Moment) -> bool {
        self.live_since.is_some_and(|since| now >= since + PROVED_AFTER)
    }

    /// A message came, or the reader is back after a pause. Answers whether that was in time.
    pub(super) fn lives(&mut self, now: Moment) -> bool {
        let silence = now.saturating_sub(self.last_life);
        self.last_life = now;
        silence <= self.silence_allowed
    }

    /// From when on the call counts as lost.
    pub(super) fn lost_at(&self, patience: Patience) -> Moment {
        self.last_life + self.silence_allowed * (1 << patience.doublings)
    }
}
