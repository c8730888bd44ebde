//! Never a silent loss: the state against a model of the server, with faults in any order.
//!
//! The model is the contract in its simplest form: one list of pokes, and calls that are queues of messages. Whatever
//! happens, in the end the user has been handed each poke of a live interest once and in order, or a gap that covers it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime},
};

use poke_proto::v1::{self, subscription::Start};
use proptest::prelude::*;
use tonic::Status;

use super::{
    call::CallId,
    message::{Message, WireGap, WireReconnect},
    state::{Action, Item, State},
    tests::too_many_interests,
};
use crate::{
    Connected, Error, ErrorKind, Event, GapReason, Interest, Limits, Live, Outcome, Poke, Position, clock::Moment,
};

const SPREAD: Duration = Duration::from_secs(5);

/// Something that happens. Numbers pick an interest or a call.
#[derive(Clone, Copy, Debug)]
enum Op {
    Publish(usize),
    /// The next message of a call arrives.
    Deliver(usize),
    /// The user takes an event.
    Take,
    /// Time goes on to what the state waits for.
    Wait,
    Heartbeat(usize),
    /// The server asks to move.
    Move(usize),
    /// A call breaks, with all that was on its way.
    Break(usize),
    /// A call is too slow: what it has not got of an interest is a gap.
    Lag(usize, usize),
    /// A message arrives broken.
    Garble(usize),
    /// What was published so far is forgotten.
    Evict,
    /// Another server takes over with an empty log. Calls on the old one go on for a while.
    Restart,
    /// From now on new calls fail, or no longer. Calls that are open go on.
    Refuse(bool),
    /// From now on a new call may carry so many interests. Calls that are open go on.
    Limit(usize),
    Add(usize),
    Remove(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..3usize).prop_map(Op::Publish),
        12 => (0..2usize).prop_map(Op::Deliver),
        4 => Just(Op::Take),
        4 => Just(Op::Wait),
        2 => (0..2usize).prop_map(Op::Heartbeat),
        2 => (0..2usize).prop_map(Op::Move),
        2 => (0..2usize).prop_map(Op::Break),
        1 => (0..2usize, 0..3usize).prop_map(|(call, interest)| Op::Lag(call, interest)),
        1 => (0..2usize).prop_map(Op::Garble),
        1 => Just(Op::Evict),
        1 => Just(Op::Restart),
        1 => any::<bool>().prop_map(Op::Refuse),
        1 => (1..4usize).prop_map(Op::Limit),
        1 => (0..3usize).prop_map(Op::Add),
        1 => (0..3usize).prop_map(Op::Remove),
    ]
}

/// One call on the server's side.
struct Serving {
    epoch: usize,
    interests: Vec<Interest>,
    queue: VecDeque<Message>,
    /// The client has been asked to move.
    is_announced: bool,
}

struct Server {
    epoch: usize,
    head: i64,
    /// The highest sequence that is no longer retained.
    floor: i64,
    retained: Vec<(Interest, i64)>,
    refuses: bool,
    /// How many interests a call may carry.
    limit: usize,
    calls: BTreeMap<CallId, Serving>,
}

/// More interests than there are.
const NO_LIMIT: usize = 9;

impl Default for Server {
    fn default() -> Self {
        Self {
            epoch: 0,
            head: 0,
            floor: 0,
            retained: Vec::new(),
            refuses: false,
            limit: NO_LIMIT,
            calls: BTreeMap::new(),
        }
    }
}

impl Server {
    fn position(&self, sequence: i64) -> Position {
        Position::new(self.epoch.to_string(), sequence)
    }

    fn publish(&mut self, interest: &Interest) {
        self.head += 1;
        let message = poke(interest, self.position(self.head));
        self.retained.push((interest.clone(), self.head));
        let epoch = self.epoch;
        let holders = self.calls.values_mut().filter(|call| call.epoch == epoch && call.interests.contains(interest));
        holders.for_each(|call| call.queue.push_back(message.clone()));
    }

    fn open(&mut self, id: CallId, request: v1::SubscribeRequest) {
        let queue = VecDeque::from([welcome(self.limit)]);
        let mut call = Serving { epoch: self.epoch, interests: Vec::new(), queue, is_announced: false };
        for subscription in request.subscriptions {
            let interest = Interest::from(subscription.interest.unwrap());
            let (start, reason) = match subscription.start {
                Some(Start::After(after)) if after.epoch != self.epoch.to_string() || after.sequence > self.head => {
                    (self.floor, Some(GapReason::EpochChanged))
                }
                Some(Start::After(after)) if after.sequence < self.floor => (self.floor, Some(GapReason::Evicted)),
                Some(Start::After(after)) => (after.sequence, None),
                _ => (self.head, None),
            };
            let position = self.position(start);
            let outcome = if reason.is_some() { Outcome::Gap } else { Outcome::Recovered };
            let live = Live { interest: interest.clone(), position: position.clone(), outcome };
            call.queue.push_back(Message::Subscribed(live));
            call.queue.extend(reason.map(|reason| gap(&interest, reason, position)));
            let history = self.retained.iter().filter(|(held, sequence)| *held == interest && *sequence > start);
            call.queue.extend(history.map(|(_, sequence)| poke(&interest, self.position(*sequence))));
            call.interests.push(interest);
        }
        self.calls.insert(id, call);
    }

    fn evict(&mut self) {
        self.floor = self.head;
        self.retained.clear();
    }

    fn restart(&mut self) {
        let calls = std::mem::take(&mut self.calls);
        *self = Self { epoch: self.epoch + 1, refuses: self.refuses, limit: self.limit, calls, ..Self::default() };
    }

    /// What `call` has not got of `interest` is dropped, and a gap says so.
    fn lag(&mut self, id: CallId, interest: &Interest) {
        let position = self.position(self.head);
        let epoch = self.epoch;
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.epoch == epoch) else { return };
        let is_live = |message: &Message| matches!(message, Message::Subscribed(live) if live.interest == *interest);
        if !call.interests.contains(interest) || call.queue.iter().any(is_live) {
            return;
        }
        // No checkpoint passes a hole.
        call.queue.retain(|message| match message {
            Message::Poke(poke) => poke.interest != *interest,
            Message::Heartbeat { .. } => false,
            _ => true,
        });
        call.queue.push_back(gap(interest, GapReason::Lagged, position));
    }
}

fn welcome(max_interests: usize) -> Message {
    let limits = Limits { max_interests, max_poke_bytes: 0, max_data_depth: 0, retention_window: Duration::ZERO };
    let connected = Connected { stream_id: String::new(), limits, heartbeat_interval: Duration::from_secs(1_000_000) };
    Message::Welcome { connected, reconnect_spread: SPREAD }
}

fn poke(interest: &Interest, position: Position) -> Message {
    let (interest, publish_time) = (interest.clone(), SystemTime::UNIX_EPOCH);
    Message::Poke(Poke { interest, data: None, position, publish_time })
}

fn gap(interest: &Interest, reason: GapReason, position: Position) -> Message {
    let interest = Some(interest.clone());
    Message::Gap(WireGap { interest, reason, position, missed_count: None, reload_spread: Duration::ZERO })
}

/// What the user has been promised for an interest, and has been handed.
#[derive(Default)]
struct Promise {
    /// Everything published after it was first live: epoch and sequence.
    due: Vec<(usize, i64)>,
    is_live: bool,
}

struct World {
    state: State,
    now: Moment,
    server: Server,
    promises: BTreeMap<Interest, Promise>,
}

fn interest(number: usize) -> Interest {
    Interest::new("D", number.to_string())
}

impl World {
    fn new() -> Self {
        let wants = (0..2).map(|number| interest(number).into());
        let promises = (0..2).map(|number| (interest(number), Promise::default())).collect();
        let state = State::new(wants, 1000, |bound| bound / 2);
        Self { state, now: Duration::from_secs(1), server: Server::default(), promises }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Publish(number) => self.publish(&interest(number)),
            Op::Deliver(number) => self.with_call(number, |world, id| world.deliver(id)),
            Op::Take => self.take(),
            Op::Wait => self.now = self.now.max(self.state.deadline().unwrap_or_default()),
            Op::Heartbeat(number) => self.with_call(number, |world, id| {
                let checkpoint = world.server.position(world.server.head);
                let call = world.server.calls.get_mut(&id).unwrap();
                if call.epoch == world.server.epoch {
                    call.queue.push_back(Message::Heartbeat { checkpoints: vec![checkpoint] });
                }
            }),
            Op::Move(number) => self.with_call(number, |world, id| {
                let delay = Duration::from_secs(1);
                let reconnect = WireReconnect {
                    min_delay: delay,
                    max_delay: delay,
                    closes_after: Some(20 * delay),
                    renew_token: false,
                };
                world.server.calls.get_mut(&id).unwrap().queue.push_back(Message::Reconnect(reconnect));
            }),
            Op::Break(number) => self.with_call(number, Self::break_call),
            Op::Lag(number, of) => self.with_call(number, |world, id| world.server.lag(id, &interest(of))),
            Op::Garble(number) => self.with_call(number, |world, id| {
                if world.server.calls.get_mut(&id).unwrap().queue.pop_front().is_some() {
                    world.state.on_undecodable(world.now, id, Error::new(ErrorKind::Protocol));
                }
            }),
            Op::Evict => self.server.evict(),
            Op::Restart => self.server.restart(),
            Op::Refuse(refuses) => self.server.refuses = refuses,
            Op::Limit(limit) => self.server.limit = limit,
            Op::Add(number) => {
                if !self.promises.contains_key(&interest(number)) {
                    self.state.add(self.now, interest(number).into()).unwrap();
                    self.promises.insert(interest(number), Promise::default());
                }
            }
            Op::Remove(number) => {
                let was_held = self.promises.remove(&interest(number)).is_some();
                assert_eq!(self.state.remove(self.now, &interest(number)), was_held);
            }
        }
        self.act();
    }

    /// Does what a driver does.
    fn act(&mut self) {
        self.state.on_time(self.now);
        for action in self.state.take_actions() {
            match action {
                Action::Open { id, .. } if self.server.refuses => {
                    self.state.on_end(self.now, id, Status::unavailable("refused").into());
                }
                Action::Open { id, request, .. } if request.subscriptions.len() > self.server.limit => {
                    self.state.on_end(self.now, id, too_many_interests(self.server.limit).into());
                    return self.act();
                }
                Action::Open { id, request, .. } => self.server.open(id, request),
                Action::Close(id) => drop(self.server.calls.remove(&id)),
                Action::Retire(_) => {}
            }
        }
        assert!(self.server.calls.len() <= 2);
    }

    fn with_call(&mut self, number: usize, then: impl FnOnce(&mut Self, CallId)) {
        if let Some(id) = self.server.calls.keys().nth(number).copied() {
            then(self, id);
        }
    }

    fn deliver(&mut self, id: CallId) {
        let call = self.server.calls.get_mut(&id).unwrap();
        if let Some(message) = call.queue.pop_front() {
            call.is_announced |= matches!(message, Message::Reconnect(_));
            self.state.on_message(self.now, id, message);
        }
    }

    fn break_call(&mut self, id: CallId) {
        let Some(call) = self.server.calls.remove(&id) else { return };
        self.state.on_end(self.now, id, Status::unavailable("broken").into());
        // However often something failed while the call lived: who was asked to leave is back as after a first loss.
        if let Some(Item::Event(Event::Reconnecting(lost))) = self.state.outbox.back()
            && call.is_announced
        {
            assert_eq!(lost.delay, SPREAD / 2);
        }
    }

    fn publish(&mut self, interest: &Interest) {
        self.server.publish(interest);
        if let Some(promise) = self.promises.get_mut(interest) {
            promise.due.push((self.server.epoch, self.server.head));
        }
    }

    fn take(&mut self) {
        let Some(event) = self.state.pop(self.now) else { return };
        let event = event.expect("no fault of this world is final");
        let Some(promise) = event.interest().and_then(|interest| self.promises.get_mut(interest)) else {
            assert!(event.interest().is_none(), "an event of an interest that nobody holds");
            return;
        };
        let place = |position: &Position| (position.epoch.parse::<usize>().unwrap(), position.sequence);
        match event {
            Event::Live(live) => {
                if !promise.is_live {
                    // What came before the first start was never promised.
                    promise.due.retain(|due| *due > place(&live.position));
                }
                promise.is_live = true;
            }
            Event::Poke(poke) => {
                assert!(promise.is_live, "a poke before its interest is live");
                // A poke that isn't due has been handed out before, or comes after a later one.
                assert_eq!(promise.due.first(), Some(&place(&poke.position)), "{}", poke.interest);
                promise.due.remove(0);
            }
            Event::Gap(gap) => promise.due.retain(|due| *due > place(&gap.position)),
            _ => {}
        }
    }

    /// From now on nothing goes wrong.
    fn settle(&mut self) {
        self.server.refuses = false;
        if self.server.limit != NO_LIMIT {
            self.server.limit = NO_LIMIT;
            // A client hears of a limit that has risen by its next welcome.
            while !self.server.calls.is_empty() {
                self.step(Op::Break(0));
            }
        }
        loop {
            self.step(Op::Deliver(0));
            self.step(Op::Deliver(1));
            self.step(Op::Take);
            if self.server.calls.values().all(|call| call.queue.is_empty()) {
                let is_settled = self.state.deadline().is_none_or(|due| due > self.now + Duration::from_secs(100));
                let calls_old = self.server.calls.values().any(|call| call.epoch != self.server.epoch);
                match (is_settled, calls_old) {
                    (true, false) => break,
                    (true, true) => self.step(Op::Break(0)),
                    (false, _) => self.step(Op::Wait),
                }
            }
        }
        while !self.state.outbox.is_empty() {
            self.step(Op::Take);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_user_gets_each_poke_once_and_in_order_or_a_gap(ops in prop::collection::vec(op(), 0..120)) {
        let mut world = World::new();
        for op in ops {
            world.step(op);
        }
        world.settle();
        for number in 0..3 {
            world.publish(&interest(number));
        }
        world.settle();
        for (interest, promise) in &world.promises {
            prop_assert!(promise.is_live, "{interest} never became live");
            prop_assert!(promise.due.is_empty(), "{interest} has silently lost {:?}", promise.due);
        }
    }
}
