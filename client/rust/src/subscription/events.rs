//! What the events of a call mean, and which of them the user sees.

use std::time::Duration;

use super::{
    call::{CallId, Patience},
    message::{Message, WireGap, WireReconnect},
    state::{Action, Item, State},
};
use crate::{Connected, Ended, Event, Gap, GapReason, Interest, Live, Poke, Position, Rejected, clock::Moment};

impl State {
    /// A call has said something.
    pub(super) fn on_message(&mut self, now: Moment, id: CallId, message: Message) {
        let Some(call) = self.call(id) else { return };
        let was_in_time = call.lives(now);
        if call.is_proved(now) {
            self.backoff.reset();
        }
        match message {
            Message::Welcome { connected, reconnect_spread } => self.on_welcome(now, id, connected, reconnect_spread),
            Message::Subscribed(live) => self.on_subscribed(now, id, live),
            Message::Rejected { rejected, retry_delay } => self.on_rejected(now, id, rejected, retry_delay),
            Message::Poke(poke) => self.on_poke(id, poke),
            Message::Gap(gap) => self.on_gap(id, &gap),
            Message::Ended(ended) => self.on_ended(now, id, ended),
            Message::Heartbeat { checkpoints } => {
                if was_in_time {
                    self.patience = Patience::default();
                }
                self.on_checkpoints(id, &checkpoints);
            }
            Message::Reconnect(reconnect) => self.on_reconnect(now, id, reconnect),
            Message::Unknown => {}
        }
        self.switch_over();
    }

    fn on_welcome(&mut self, now: Moment, id: CallId, connected: Connected, reconnect_spread: Duration) {
        self.retried_at_once = false;
        let limit = connected.limits.max_interests;
        if let Some(call) = self.call(id) {
            call.welcome(connected.heartbeat_interval, reconnect_spread);
        }
        self.tell(Event::Connected(connected));
        if limit > 0 {
            self.interests.set_limit(limit);
            self.admit(now);
        }
    }

    fn on_subscribed(&mut self, now: Moment, id: CallId, live: Live) {
        let Some(call) = self.call(id) else { return };
        let Some(generation) = call.carried.get(&live.interest).copied() else { return };
        call.live(&live, now);
        let Some(beginning) = self.interests.subscribed(id, generation, &live) else { return };
        let owed = beginning.owes_gap.then(|| Gap {
            interest: live.interest.clone(),
            reason: GapReason::Undecodable,
            position: live.position.clone(),
            missed_count: None,
            reload_after: Duration::ZERO,
        });
        if beginning.is_news {
            self.tell(Event::Live(live));
        }
        if let Some(gap) = owed {
            self.tell(Event::Gap(gap));
        }
    }

    fn on_rejected(&mut self, now: Moment, id: CallId, rejected: Rejected, retry_delay: Option<Duration>) {
        let Some(interest) = self.call(id).and_then(|call| call.meant(&rejected.interest)) else { return };
        if let Some(call) = self.call(id) {
            call.forgo(&interest);
        }
        if !self.interests.heeds(id, &interest) {
            return;
        }
        let rejected = Rejected { interest: interest.clone(), ..rejected };
        self.tell(Event::Rejected(rejected.clone()));
        match retry_delay {
            // Half as much again at random, so that the refused don't come back in one instant.
            Some(delay) => self.interests.postpone(&interest, now + delay + (self.dice)(delay / 2)),
            None => {
                self.keep_refusal(rejected);
                self.finish(now, &interest);
            }
        }
    }

    fn on_poke(&mut self, id: CallId, poke: Poke) {
        if self.interests.advance(id, &poke.interest, &poke.position) {
            self.tell(Event::Poke(poke));
        }
    }

    fn on_gap(&mut self, id: CallId, gap: &WireGap) {
        let is_new_epoch = gap.reason == GapReason::EpochChanged;
        let concerned = match &gap.interest {
            Some(interest) => vec![interest.clone()],
            None => self.interests.owned_by(id),
        };
        for interest in concerned {
            if let Some(call) = self.call(id) {
                call.pending.remove(&interest);
            }
            if self.interests.lost(id, &interest, &gap.position, is_new_epoch) {
                self.tell(Event::Gap(Gap {
                    interest,
                    reason: gap.reason,
                    position: gap.position.clone(),
                    missed_count: gap.missed_count,
                    reload_after: (self.dice)(gap.reload_spread),
                }));
            }
        }
    }

    /// An end always counts: its position can lie before one that a checkpoint has raised.
    fn on_ended(&mut self, now: Moment, id: CallId, ended: Ended) {
        if let Some(call) = self.call(id) {
            call.forgo(&ended.interest);
        }
        if self.interests.heeds(id, &ended.interest) {
            let interest = ended.interest.clone();
            self.tell(Event::Ended(ended));
            self.finish(now, &interest);
        }
    }

    fn on_checkpoints(&mut self, id: CallId, checkpoints: &[Position]) {
        let raised: Vec<_> = checkpoints.iter().flat_map(|checkpoint| self.interests.raise(id, checkpoint)).collect();
        if !raised.is_empty() {
            self.outbox.push_back(Item::Checkpoint(raised));
        }
    }

    fn on_reconnect(&mut self, now: Moment, id: CallId, reconnect: WireReconnect) {
        let WireReconnect { min_delay, max_delay, closes_after, renew_token } = reconnect;
        let move_at = now + min_delay + (self.dice)(max_delay.saturating_sub(min_delay));
        if renew_token {
            self.stale_token = Some(now);
        } else {
            // It has had a GOAWAY: the next call needs a connection of its own.
            self.actions.push(Action::Retire(id));
        }
        if let Some(call) = self.call(id) {
            call.must_move(move_at, closes_after.map(|after| now + after));
        }
    }

    /// There is no more of this interest, and room for another one. With the last one the subscription is over.
    fn finish(&mut self, now: Moment, interest: &Interest) {
        self.interests.finish(interest);
        for call in self.calls_mut() {
            call.forgo(interest);
        }
        if self.interests.is_empty() {
            self.stop();
        } else {
            self.admit(now);
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outbox.push_back(Item::Event(event));
    }
}
