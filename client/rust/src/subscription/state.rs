//! What a subscription does about everything that can happen to it, without doing it.
//!
//! Calls come and go; the interests and their positions stay. There are at most two calls: the current one, and the next
//! one while it takes over (make before break). Whatever the cause, a new set, a drain, a token or a lost network, it is
//! the same step: open a call with the full set and the saved positions. `replace` decides when; `events` what of both
//! calls the user sees. Nothing here knows a clock, a network or a task: the driver says what has happened and when, and
//! does the [`Action`]s that come out.

use std::collections::VecDeque;

use poke_proto::v1;

use super::{
    call::{Call, CallId, Patience},
    interests::Interests,
    positions::Positions,
};
use crate::{
    Error, ErrorKind, Event, Interest, Position, Rejected, Want,
    backoff::{Backoff, Dice},
    clock::Moment,
};

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Start a call. A token that was fetched at or before `stale_token` must not be used.
    Open { id: CallId, request: v1::SubscribeRequest, stale_token: Option<Moment> },
    /// Cancel a call.
    Close(CallId),
    /// Let no new call use the connection of this one.
    Retire(CallId),
}

/// What waits for the user.
#[derive(Debug)]
pub(super) enum Item {
    Event(Event),
    /// Interests that are complete up to there, without an event.
    Checkpoint(Vec<(Interest, Position)>),
    Failed(Error),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) interests: Interests,
    pub(super) current: Option<Call>,
    pub(super) next: Option<Call>,
    pub(super) newest_id: CallId,

    /// Since when the set is another than the newest call's.
    pub(super) changed_at: Option<Moment>,
    /// When the newest call was opened.
    pub(super) opened_at: Option<Moment>,
    /// After a failure: no call is opened before.
    pub(super) not_before: Moment,
    /// The server has said that tokens up to this time are not, or not for long, valid.
    pub(super) stale_token: Option<Moment>,
    /// A call was retried at once, and none has been welcomed since.
    pub(super) retried_at_once: bool,
    pub(super) backoff: Backoff,
    pub(super) patience: Patience,
    pub(super) dice: Dice,

    pub(super) outbox: VecDeque<Item>,
    /// Beyond this no message is read. One message can still add an event for each interest.
    outbox_limit: usize,
    pub(super) actions: Vec<Action>,
    is_over: bool,
    /// Final rejections that nobody may have handled: the subscription ends with the first of these.
    refusals: Vec<Rejected>,
}

/// Maximum number of final rejections that are kept until the end. The first that isn't handled is what the user is told
/// then. As many can come at once, since no server accepts more interests on a stream.
const MAX_REFUSALS: usize = 1000;

impl State {
    pub(super) fn new(wants: impl Iterator<Item = Want>, outbox_limit: usize, dice: Dice) -> Self {
        let mut interests = Interests::default();
        for want in wants {
            interests.add(want);
        }
        interests.admit();
        Self {
            interests,
            current: None,
            next: None,
            newest_id: 0,
            changed_at: None,
            opened_at: None,
            not_before: Moment::ZERO,
            stale_token: None,
            retried_at_once: false,
            backoff: Backoff::default(),
            patience: Patience::default(),
            dice,
            outbox: VecDeque::new(),
            outbox_limit,
            actions: Vec::new(),
            is_over: false,
            refusals: Vec::new(),
        }
    }

    /// What has to be done since the last time.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Whether messages may be read: not while the user is behind.
    pub(super) fn is_reading(&self) -> bool {
        self.outbox.len() < self.outbox_limit
    }

    /// No call will be opened again. The user may still have events to take.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Keeps a final rejection for the end of the subscription.
    pub(super) fn keep_refusal(&mut self, rejected: Rejected) {
        self.refusals.retain(|rejected| !rejected.is_handled());
        if self.refusals.len() < MAX_REFUSALS {
            self.refusals.push(rejected);
        }
    }

    /// The subscription ends with another error.
    pub(super) fn forget_refusals(&mut self) {
        self.refusals.clear();
    }

    /// Ends the subscription. Dropping the driver cancels its calls.
    pub(super) fn stop(&mut self) {
        self.is_over = true;
        self.current = None;
        self.next = None;
    }

    /// When [`State::on_time`] has something to do.
    pub(super) fn deadline(&self) -> Option<Moment> {
        // Silence means nothing while nobody listens.
        let watched = self.calls().filter(|_| self.is_reading());
        watched.map(|call| call.lost_at(self.patience)).chain(self.next_open()).min()
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self, now: Moment) {
        while let Some(id) = self.silent_call(now) {
            self.on_silence(now, id);
        }
        if self.next_open().is_some_and(|due| due <= now) {
            self.open(now);
        }
    }

    fn silent_call(&self, now: Moment) -> Option<CallId> {
        let is_silent = |call: &&Call| self.is_reading() && call.lost_at(self.patience) <= now;
        self.calls().find(is_silent).map(|call| call.id)
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.current.iter().chain(&self.next)
    }

    pub(super) fn calls_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.current.iter_mut().chain(&mut self.next)
    }

    /// `None`: it has been given up, and what it still says doesn't count.
    pub(super) fn call(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls_mut().find(|call| call.id == id)
    }
}

/// The user's side.
impl State {
    pub(super) fn add(&mut self, now: Moment, want: Want) -> Result<(), Error> {
        if self.is_over {
            return Err(Error::new(ErrorKind::Closed));
        }
        self.refusals.retain(|rejected| rejected.interest != want.interest);
        if self.interests.add(want) {
            self.admit(now);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, now: Moment, interest: &Interest) -> bool {
        let Some(is_gone) = self.interests.remove(interest) else { return false };
        if is_gone {
            self.outbox.retain_mut(|item| match item {
                Item::Event(event) => event.interest() != Some(interest),
                Item::Checkpoint(raised) => {
                    raised.retain(|(raised, _)| raised != interest);
                    !raised.is_empty()
                }
                Item::Failed(_) => true,
            });
            for call in self.calls_mut() {
                call.pending.remove(interest);
            }
            self.switch_over();
            self.admit(now);
        }
        true
    }

    /// What the user has been handed.
    pub(super) fn positions(&self) -> Positions {
        self.interests.positions()
    }

    /// The next event for the user.
    pub(super) fn pop(&mut self, now: Moment) -> Option<Result<Event, Error>> {
        let was_reading = self.is_reading();
        let item = self.pop_visible();
        if !was_reading && self.is_reading() {
            for call in self.calls_mut() {
                call.lives(now);
            }
        }
        item
    }

    /// A subscription with nothing left ends with an error if an interest was refused and the user hasn't handled that.
    fn pop_refusal(&mut self) -> Option<Error> {
        if !self.is_over {
            return None;
        }
        let refusals = std::mem::take(&mut self.refusals);
        refusals.iter().find(|rejected| !rejected.is_handled()).map(Error::refused)
    }

    fn pop_visible(&mut self) -> Option<Result<Event, Error>> {
        loop {
            let Some(item) = self.outbox.pop_front() else { return self.pop_refusal().map(Err) };
            match item {
                Item::Failed(error) => return Some(Err(error)),
                Item::Checkpoint(raised) => {
                    for (interest, position) in &raised {
                        self.interests.handed_out(interest, position);
                    }
                }
                Item::Event(event) => {
                    if let Some((interest, position)) = event.saves() {
                        self.interests.handed_out(interest, position);
                    }
                    return Some(Ok(event));
                }
            }
        }
    }
}
