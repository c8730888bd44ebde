//! What a stream may still have after the rules have changed.

use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use parking_lot::Mutex;
use poke_proto::v1::subscribe_response::Event;

use super::{Stream, Streams, event};
use crate::{auth::Auth, backplane::Backplane, frame};

/// The rules that hold now, and how often they have changed.
#[derive(Default)]
pub(super) struct Review {
    changes: AtomicU64,
    auth: Mutex<Option<Arc<Auth>>>,
}

impl<B: Backplane> Streams<B> {
    /// Has every stream look whether its caller may still listen to what it listens to. The rules of `auth` must already
    /// be the new ones.
    pub fn review(&self, auth: &Arc<Auth>) {
        *self.review.auth.lock() = Some(Arc::clone(auth));
        self.review.changes.fetch_add(1, Release);
        self.wake_all();
    }

    /// Returns how many open streams a review will end because the tokens that opened them are revoked.
    pub fn revoked(&self, auth: &Auth) -> usize {
        self.count_callers(|caller| auth.is_revoked(caller))
    }
}

impl<B: Backplane> Stream<B> {
    /// Ends the stream, or withdraws single interests, if the rules have changed since they were last looked at. One that
    /// was opened after a change looks once as well: its request may have been allowed just before.
    pub(super) fn review(&mut self) {
        let changes = self.streams.review.changes.load(Acquire);
        if self.reviewed == changes || self.attaching.is_some() {
            return;
        }
        self.reviewed = changes;
        let Some(auth) = self.streams.review.auth.lock().clone() else { return };
        if let Err(error) = auth.still_knows(&self.entry.caller) {
            self.queue.clear();
            self.end_with(error);
            return;
        }
        for place in &mut self.cursors {
            let Some(interest) = place.as_ref().map(|cursor| cursor.interest()) else { continue };
            if let Err(error) = auth.may_listen(&self.entry.caller, interest) {
                let rejected = event::rejected(frame::interest(interest), &error);
                self.queue.push(frame::event(Event::Rejected(rejected)));
                self.open_interests -= 1;
                *place = None;
            }
        }
    }
}
