//! The interests of a subscription: who holds them, how far they have been read, and which call delivers them.

use std::collections::BTreeMap;

use poke_proto::v1::{self, Latest, subscription::Start as WireStart};

use super::{call::CallId, positions::Positions};
use crate::{Interest, Live, Outcome, Position, Start, Want, clock::Moment};

/// The number of interests that one call may carry, until a server has said its own: few accept
/// less, and those say so in their error.
const ASSUMED_LIMIT: usize = 100;

/// All interests that somebody holds.
#[derive(Debug)]
pub(super) struct Interests {
    entries: BTreeMap<Interest, Entry>,
    newest: Generation,
    /// How many of them a call may carry: the first of those that are held, in the order in which they were added.
    limit: usize,
    /// A server has said the limit.
    limit_is_known: bool,
    /// The number of interests over the limit.
    surplus: usize,
}

impl Default for Interests {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), newest: 0, limit: ASSUMED_LIMIT, limit_is_known: false, surplus: 0 }
    }
}

/// Tells an interest that was removed and added again from what it was before.
pub(super) type Generation = u64;

#[derive(Debug)]
struct Entry {
    generation: Generation,
    /// How many times it was added and not yet removed.
    holders: usize,
    /// Where the next call starts. `After` is the saved position.
    start: Start,
    /// The newest position that the user has been handed.
    handed_out: Option<Position>,
    /// The newest call on which it is live. What older calls still deliver is dropped.
    owner: Option<CallId>,
    /// Its call has said that a gap comes next. Until then no checkpoint may raise the saved position past the loss.
    awaits_gap: bool,
    /// Its position was given up because of a message that could not be read: the user must hear of a gap.
    owes_gap: bool,
    /// Refused until then.
    retry_at: Option<Moment>,
    /// It is within the limit, so that calls carry it.
    is_admitted: bool,
    /// The user has been told that it is over the limit.
    is_turned_away: bool,
}

/// How an interest became live on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    /// No other call was delivering it.
    pub(super) is_news: bool,
    /// See `Entry::owes_gap`.
    pub(super) owes_gap: bool,
}

impl Entry {
    fn new(generation: Generation, start: Start) -> Self {
        let handed_out = match &start {
            Start::After(position) => Some(position.clone()),
            _ => None,
        };
        Self {
            generation,
            holders: 1,
            start,
            handed_out,
            owner: None,
            awaits_gap: false,
            owes_gap: false,
            retry_at: None,
            is_admitted: true,
            is_turned_away: false,
        }
    }

    /// Whether `call` may say something about it: no newer call delivers it.
    fn heeds(&self, call: CallId) -> bool {
        self.owner.is_none_or(|owner| owner <= call)
    }

    fn has_seen(&self, position: &Position) -> bool {
        matches!(&self.start, Start::After(saved) if position <= saved)
    }

    fn save(&mut self, position: &Position) {
        self.start = Start::After(position.clone());
    }
}

impl Interests {
    /// True: it is new. False: somebody else holds it already.
    pub(super) fn add(&mut self, want: Want) -> bool {
        if let Some(held) = self.entries.get_mut(&want.interest) {
            held.holders += 1;
            return false;
        }
        self.newest += 1;
        self.entries.insert(want.interest, Entry::new(self.newest, want.start));
        true
    }

    /// `None`: nobody held it. `Some(true)`: that was the last one.
    pub(super) fn remove(&mut self, interest: &Interest) -> Option<bool> {
        let entry = self.entries.get_mut(interest)?;
        entry.holders -= 1;
        let is_gone = entry.holders == 0;
        if is_gone {
            self.entries.remove(interest);
        }
        Some(is_gone)
    }

    /// It has ended or was finally rejected: whoever held it.
    pub(super) fn finish(&mut self, interest: &Interest) {
        self.entries.remove(interest);
    }

    /// The number of interests that one call may carry.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// A server has said how many interests a call may carry.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.limit_is_known = true;
    }

    /// Admits the interests that were added first, as many as the limit allows. The others have no owner until there is
    /// room, but keep what is known of them. Returns those whose user has to be told so.
    pub(super) fn admit(&mut self) -> Vec<Interest> {
        let surplus = self.entries.len().saturating_sub(self.limit);
        if surplus == 0 && self.surplus == 0 {
            return Vec::new();
        }
        self.surplus = surplus;
        let mut in_order: Vec<_> = self.entries.iter_mut().collect();
        in_order.sort_unstable_by_key(|(_, entry)| entry.generation);
        let mut turned_away = Vec::new();
        for (place, (interest, entry)) in in_order.into_iter().enumerate() {
            entry.is_admitted = place < self.limit;
            if entry.is_admitted {
                entry.is_turned_away = false;
                continue;
            }
            entry.owner = None;
            entry.awaits_gap = false;
            if self.limit_is_known && !std::mem::replace(&mut entry.is_turned_away, true) {
                turned_away.push(interest.clone());
            }
        }
        turned_away
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When there is something to ask for.
    pub(super) fn due(&self) -> Option<Moment> {
        self.admitted().map(|(_, entry)| entry.retry_at.unwrap_or_default()).min()
    }

    /// When a refused interest may be asked for again.
    pub(super) fn next_retry(&self) -> Option<Moment> {
        self.admitted().filter_map(|(_, entry)| entry.retry_at).min()
    }

    /// Whether a call that carries these carries what should be live. What is refused for a while isn't missed.
    pub(super) fn equal(&self, carried: &BTreeMap<Interest, Generation>) -> bool {
        let wanted = self.admitted().filter(|(_, entry)| entry.retry_at.is_none());
        wanted.map(|(interest, entry)| (interest, &entry.generation)).eq(carried)
    }

    /// What to ask for now.
    pub(super) fn request(&mut self, now: Moment) -> (v1::SubscribeRequest, BTreeMap<Interest, Generation>) {
        let mut request = v1::SubscribeRequest::default();
        let mut carried = BTreeMap::new();
        let is_due = |entry: &Entry| entry.is_admitted && entry.retry_at.is_none_or(|at| at <= now);
        let due = self.entries.iter_mut().filter(|(_, entry)| is_due(entry));
        for (interest, entry) in due {
            entry.retry_at = None;
            let start = match &entry.start {
                Start::New => None,
                Start::After(position) => Some(WireStart::After(position.clone().into())),
                Start::Latest => Some(WireStart::Latest(Latest {})),
            };
            carried.insert(interest.clone(), entry.generation);
            request.subscriptions.push(v1::Subscription { interest: Some(interest.clone().into()), start });
        }
        (request, carried)
    }

    /// `call`, which was asked for this `generation`, delivers the interest from now on. `None`: nobody holds it any
    /// more, or a newer call delivers it.
    pub(super) fn subscribed(&mut self, call: CallId, generation: Generation, live: &Live) -> Option<Beginning> {
        let entry = self.entries.get_mut(&live.interest)?;
        if entry.generation != generation || !entry.is_admitted || !entry.heeds(call) {
            return None;
        }
        let is_news = entry.owner.replace(call).is_none();
        entry.retry_at = None;
        entry.awaits_gap = live.outcome == Outcome::Gap;
        // The start of a call that has lost something isn't saved: if the call broke before its gap, nobody would ever
        // hear of the loss.
        if !entry.awaits_gap && !entry.has_seen(&live.position) {
            entry.save(&live.position);
        }
        Some(Beginning { is_news, owes_gap: std::mem::take(&mut entry.owes_gap) })
    }

    /// Whether something at `position` is news from the call that delivers the interest. It is saved.
    pub(super) fn advance(&mut self, call: CallId, interest: &Interest, position: &Position) -> bool {
        self.owned(call, interest).is_some_and(|entry| {
            let is_news = !entry.has_seen(position);
            if is_news {
                entry.save(position);
            }
            is_news
        })
    }

    /// As [`Interests::advance`], for a gap: the loss is accounted for. `always` is for a new epoch, whose position
    /// replaces the saved one whatever that is.
    pub(super) fn lost(&mut self, call: CallId, interest: &Interest, position: &Position, always: bool) -> bool {
        self.owned(call, interest).is_some_and(|entry| {
            entry.awaits_gap = false;
            let counts = always || !entry.has_seen(position);
            if counts {
                entry.save(position);
            }
            counts
        })
    }

    /// Everything that `call` delivers in this epoch is complete through `checkpoint`. Answers what has risen.
    pub(super) fn raise(&mut self, call: CallId, checkpoint: &Position) -> Vec<(Interest, Position)> {
        let complete = self.entries.iter_mut().filter(|(_, entry)| entry.owner == Some(call) && !entry.awaits_gap);
        let behind = complete.filter(|(_, entry)| matches!(&entry.start, Start::After(saved) if saved < checkpoint));
        behind
            .map(|(interest, entry)| {
                entry.save(checkpoint);
                (interest.clone(), checkpoint.clone())
            })
            .collect()
    }

    /// Whether the answer of `call` about the interest counts: no newer call delivers it.
    pub(super) fn heeds(&self, call: CallId, interest: &Interest) -> bool {
        self.entries.get(interest).is_some_and(|entry| entry.heeds(call))
    }

    /// It is refused for now.
    pub(super) fn postpone(&mut self, interest: &Interest, retry_at: Moment) {
        if let Some(entry) = self.entries.get_mut(interest) {
            entry.owner = None;
            entry.retry_at = Some(retry_at);
        }
    }

    /// What `call` delivers.
    pub(super) fn owned_by(&self, call: CallId) -> Vec<Interest> {
        let owned = self.entries.iter().filter(|(_, entry)| entry.owner == Some(call));
        owned.map(|(interest, _)| interest.clone()).collect()
    }

    /// `call` is over.
    pub(super) fn release(&mut self, call: CallId) {
        for entry in self.entries.values_mut().filter(|entry| entry.owner == Some(call)) {
            entry.owner = None;
            entry.awaits_gap = false;
        }
    }

    /// Nobody knows how far these have come on `call`: they start afresh, and what was known is a gap. What another call
    /// delivers isn't concerned.
    pub(super) fn forget(&mut self, call: CallId, carried: &BTreeMap<Interest, Generation>) {
        for interest in carried.keys() {
            let entry = self.entries.get_mut(interest);
            if let Some(entry) = entry.filter(|entry| entry.owner.is_none_or(|owner| owner == call)) {
                entry.owes_gap |= entry.start != Start::New;
                entry.start = Start::New;
            }
        }
    }

    /// The user has been handed everything of the interest through `position`.
    pub(super) fn handed_out(&mut self, interest: &Interest, position: &Position) {
        if let Some(entry) = self.entries.get_mut(interest) {
            entry.handed_out = Some(position.clone());
        }
    }

    /// What the user has been handed.
    pub(super) fn positions(&self) -> Positions {
        let known =
            self.entries.iter().filter_map(|(interest, entry)| Some((interest.clone(), entry.handed_out.clone()?)));
        known.collect()
    }

    fn admitted(&self) -> impl Iterator<Item = (&Interest, &Entry)> {
        self.entries.iter().filter(|(_, entry)| entry.is_admitted)
    }

    fn owned(&mut self, call: CallId, interest: &Interest) -> Option<&mut Entry> {
        self.entries.get_mut(interest).filter(|entry| entry.owner == Some(call))
    }
}
