//! When a call is opened, when it takes over from another, and what happens when one is lost.

use std::time::Duration;

use super::{
    call::{Call, CallId},
    state::{Action, Item, State},
};
use crate::{
    Error, ErrorKind, Event, Reconnecting, Rejected,
    clock::Moment,
    error::{Failure, Remedy},
};

/// Changes of the set within this time go into one call.
const COALESCE: Duration = Duration::from_millis(50);

/// The least time between two calls of which the second only changes the set.
const CHANGE_INTERVAL: Duration = Duration::from_secs(1);

impl State {
    /// When the next call is due, if none is on its way.
    pub(super) fn next_open(&self) -> Option<Moment> {
        if self.is_over() {
            return None;
        }
        let after_change = |at: Moment| (at + COALESCE).max(self.opened_at.map_or(at, |at| at + CHANGE_INTERVAL));
        let changed = self.changed_at.map(after_change);
        let due = match (&self.current, &self.next) {
            // Nothing is wanted any more: the call only has to be closed.
            _ if self.interests.is_empty() => return changed,
            (None, _) => self.interests.due()?.max(changed.unwrap_or_default()),
            (Some(_), Some(_)) => return None,
            // A call can only be replaced without a loss once the position of each interest is known.
            (Some(call), None) if !call.is_settled() => return None,
            (Some(call), None) => [changed, call.move_at, self.interests.next_retry()].into_iter().flatten().min()?,
        };
        Some(due.max(self.not_before))
    }

    /// Opens a call with everything that is wanted, beside the current one if there is one.
    pub(super) fn open(&mut self, now: Moment) {
        self.changed_at = None;
        let (request, carried) = self.interests.request(now);
        if carried.is_empty() {
            for call in [self.current.take(), self.next.take()].into_iter().flatten() {
                self.interests.release(call.id);
                self.actions.push(Action::Close(call.id));
            }
            return;
        }
        self.newest_id += 1;
        self.opened_at = Some(now);
        let id = self.newest_id;
        let call = Call::new(id, carried, now);
        match self.current {
            None => self.current = Some(call),
            Some(_) => self.next = Some(call),
        }
        self.actions.push(Action::Open { id, request, stale_token: self.stale_token });
    }

    /// The next call takes over once each of its interests is live, or refused.
    pub(super) fn switch_over(&mut self) {
        if let Some(next) = self.next.take_if(|next| next.is_settled())
            && let Some(old) = self.current.replace(next)
        {
            self.interests.release(old.id);
            self.actions.push(Action::Close(old.id));
        }
    }

    /// Compares the set with that of the newest call.
    pub(super) fn note_change(&mut self, now: Moment) {
        let is_sent =
            self.next.as_ref().or(self.current.as_ref()).is_some_and(|call| self.interests.equal(&call.carried));
        self.changed_at = if is_sent { None } else { self.changed_at.or(Some(now)) };
    }

    /// Decides anew which interests are within the limit, tells the user of those that aren't, and notes whether the set
    /// of a call has to change.
    pub(super) fn admit(&mut self, now: Moment) {
        let limit = self.interests.limit();
        for interest in self.interests.admit() {
            self.tell(Event::Rejected(Rejected::over_limit(interest, limit)));
        }
        self.note_change(now);
    }

    /// The watchdog.
    pub(super) fn on_silence(&mut self, now: Moment, id: CallId) {
        self.patience.double();
        self.actions.extend([Action::Retire(id), Action::Close(id)]);
        let silence = Error::with(ErrorKind::Unavailable, "the server has been silent for too long");
        self.on_end(now, id, Failure::retry(silence));
    }

    /// A call has sent something that can't be read. What it was is unknown, so nothing that the call carries can be
    /// resumed: all of it starts afresh, and the user hears of a gap. Unless another call is about to take over: that
    /// one has asked for everything which this one owes.
    pub(super) fn on_undecodable(&mut self, now: Moment, id: CallId, error: Error) {
        let is_relieved = self.next.as_ref().is_some_and(|next| next.id != id);
        let Some(call) = self.call(id) else { return };
        let carried = std::mem::take(&mut call.carried);
        if !is_relieved {
            self.interests.forget(id, &carried);
        }
        self.actions.push(Action::Close(id));
        self.on_end(now, id, Failure::retry(error));
    }

    /// The server has closed a call with OK. That is right if each interest of the call has ended or was rejected for
    /// good: what was added since, or had no room on it, is asked for as any change of the set. Otherwise the call is lost.
    pub(super) fn on_close(&mut self, now: Moment, id: CallId) {
        if self.call(id).is_some_and(|call| call.carried.is_empty()) {
            self.take_call(now, id);
            if self.current.is_none() {
                self.current = self.next.take();
            }
            return self.note_change(now);
        }
        let closed = Error::with(ErrorKind::Unavailable, "the server has closed the stream");
        self.on_end(now, id, Failure::retry(closed));
    }

    /// A call is over.
    pub(super) fn on_end(&mut self, now: Moment, id: CallId, failure: Failure) {
        let Some(call) = self.take_call(now, id) else { return };
        if self.current.is_none() && self.next.is_some() {
            // The call that was to take over is on its way already, and decides what comes next.
            self.current = self.next.take();
            return;
        }
        if self.interests.is_empty() {
            return;
        }
        let Some(delay) = self.delay_after(now, &call, &failure) else {
            return self.fail(failure.error);
        };
        tracing::debug!(error = %failure.error, ?delay, "a stream is lost");
        self.not_before = now + delay;
        match self.current {
            Some(_) => self.note_change(now),
            None => {
                self.changed_at = None;
                self.tell(Event::Reconnecting(Reconnecting { cause: failure.error, delay }));
            }
        }
    }

    /// No retry can heal this.
    fn fail(&mut self, error: Error) {
        self.outbox.push_back(Item::Failed(error));
        self.forget_refusals();
        self.stop();
    }

    fn take_call(&mut self, now: Moment, id: CallId) -> Option<Call> {
        let is_it = |call: &mut Call| call.id == id;
        let call = self.current.take_if(is_it).or_else(|| self.next.take_if(is_it))?;
        self.interests.release(id);
        if call.is_proved(now) || call.is_announced() {
            self.backoff.reset();
        }
        Some(call)
    }

    /// How long to wait after a failure; `None`: for ever.
    fn delay_after(&mut self, now: Moment, call: &Call, failure: &Failure) -> Option<Duration> {
        match failure.remedy {
            Remedy::GiveUp => {
                // Another server accepts fewer interests than the one before.
                let limit = failure.error.interest_limit().filter(|limit| (1..call.asked).contains(limit))?;
                self.interests.set_limit(limit);
                self.admit(now);
                return Some(Duration::ZERO);
            }
            Remedy::RetryAtOnce if call.reconnect_spread.is_none() && !self.retried_at_once => {
                self.retried_at_once = true;
                self.actions.push(Action::Retire(call.id));
                return Some(Duration::ZERO);
            }
            Remedy::RefreshToken => self.stale_token = Some(now),
            Remedy::Retry | Remedy::RetryAtOnce => {}
        }
        let retry_after = failure.error.retry_after();
        let wait = match (&mut self.current, call.reconnect_spread) {
            // What fails beside a call that lives says nothing about the time after it.
            (Some(current), _) => current.move_again_after(now, self.dice),
            (None, Some(spread)) if call.is_announced() || retry_after.is_none() => {
                self.backoff.next_spread(spread, self.dice)
            }
            (None, _) => self.backoff.next(self.dice),
        };
        Some(retry_after.unwrap_or_default() + wait)
    }
}
