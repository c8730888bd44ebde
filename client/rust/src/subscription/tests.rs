//! The state alone, with loaded dice: every wait is as long as it can be.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{
    call::CallId,
    message::{Message, WireReconnect},
    state::{Action, State},
};
use crate::{
    Connected, Error, Event, Interest, Limits, Live, Outcome, Position, Rejected,
    clock::Moment,
    error::{Failure, Remedy},
    event::Handled,
};

const SECOND: Duration = Duration::from_secs(1);

/// A state and the time.
struct Rig {
    state: State,
    now: Moment,
}

impl Rig {
    fn new() -> Self {
        let wants = [Interest::new("D", "a").into()];
        let mut rig = Self { state: State::new(wants.into_iter(), 64, |longest| longest), now: SECOND };
        assert_eq!(rig.opened_after(), Duration::ZERO);
        rig
    }

    /// Lets time go by until a call is opened; answers how long that took. It is taken to be the newest.
    fn opened_after(&mut self) -> Duration {
        let begun = self.now;
        loop {
            self.state.on_time(self.now);
            if self.state.take_actions().iter().any(|action| matches!(action, Action::Open { .. })) {
                return self.now - begun;
            }
            self.now = self.state.deadline().expect("a call will be opened");
        }
    }

    fn newest(&self) -> CallId {
        self.state.newest_id
    }

    fn say(&mut self, message: Message) {
        self.state.on_message(self.now, self.newest(), message);
    }

    fn go_live(&mut self) {
        self.say(welcome(100));
        let (interest, position) = (Interest::new("D", "a"), Position::new("e", 1));
        self.say(Message::Subscribed(Live { interest, position, outcome: Outcome::Recovered }));
    }

    fn lose(&mut self, failure: impl Into<Failure>) -> Duration {
        self.state.on_end(self.now, self.newest(), failure.into());
        self.opened_after()
    }
}

fn welcome(max_interests: usize) -> Message {
    let limits = Limits { max_interests, max_poke_bytes: 0, max_data_depth: 0, retention_window: Duration::ZERO };
    let connected = Connected { stream_id: String::new(), limits, heartbeat_interval: 20 * SECOND };
    Message::Welcome { connected, reconnect_spread: 5 * SECOND }
}

fn lost() -> Status {
    Status::unavailable("the network")
}

fn reconnect(min_delay: u32, max_delay: u32, closes_after: u32) -> Message {
    let [min_delay, max_delay, closes_after] = [min_delay, max_delay, closes_after].map(|seconds| seconds * SECOND);
    Message::Reconnect(WireReconnect { min_delay, max_delay, closes_after: Some(closes_after), renew_token: false })
}

/// An error of the server itself.
fn refusal(code: Code, retry: Option<Duration>) -> Status {
    let mut details = ErrorDetails::with_error_info("REASON", "poke.v1", []);
    if retry.is_some() {
        details.set_retry_info(retry);
    }
    Status::with_error_details(code, "", details)
}

pub(super) fn too_many_interests(limit: usize) -> Status {
    let limit = ("limit".to_owned(), limit.to_string());
    let details = ErrorDetails::with_error_info("TOO_MANY_INTERESTS", "poke.v1", [limit]);
    Status::with_error_details(Code::InvalidArgument, "a stream has fewer interests", details)
}

#[test]
fn the_first_retry_after_an_unannounced_loss_is_spread_and_the_next_back_off() {
    let mut rig = Rig::new();
    rig.go_live();
    assert_eq!(rig.lose(lost()), 5 * SECOND);
    assert_eq!(rig.lose(lost()), SECOND);
    assert_eq!(rig.lose(lost()), 2 * SECOND);
}

#[test]
fn before_the_first_welcome_there_is_no_spread() {
    let mut rig = Rig::new();
    assert_eq!(rig.lose(lost()), SECOND / 2);
    assert_eq!(rig.lose(lost()), SECOND);
}

#[test]
fn backoff_starts_again_only_after_thirty_seconds_live() {
    let mut rig = Rig::new();
    for wait in [5, 1, 2, 4, 8, 16, 30, 30] {
        rig.go_live();
        rig.now += 29 * SECOND;
        assert_eq!(rig.lose(lost()), wait * SECOND);
    }
    rig.go_live();
    rig.now += 30 * SECOND;
    assert_eq!(rig.lose(lost()), 5 * SECOND);
}

#[test]
fn an_announced_loss_is_spread_after_retry_info_and_forgets_earlier_failures() {
    let mut rig = Rig::new();
    for wait in [5, 1, 2] {
        rig.go_live();
        assert_eq!(rig.lose(lost()), wait * SECOND);
    }
    rig.go_live();
    rig.say(reconnect(9, 9, 60));
    assert_eq!(rig.lose(refusal(Code::Unavailable, Some(SECOND))), 6 * SECOND);
    assert_eq!(rig.lose(lost()), SECOND);
}

#[test]
fn moves_that_fail_while_the_old_stream_lives_do_not_delay_the_return_after_it() {
    let mut rig = Rig::new();
    rig.go_live();
    rig.say(reconnect(0, 0, 24));
    rig.opened_after();
    let closes_at = rig.now + 24 * SECOND;
    let mut attempts = 1;
    loop {
        rig.state.on_end(rig.now, rig.newest(), lost().into());
        if rig.state.deadline().unwrap() >= closes_at {
            break;
        }
        rig.opened_after();
        attempts += 1;
    }
    assert!((8..20).contains(&attempts), "{attempts} within the window");
    rig.now = closes_at;
    rig.state.on_end(rig.now, 1, refusal(Code::Unavailable, Some(SECOND)).into());
    assert_eq!(rig.opened_after(), 6 * SECOND, "RetryInfo and the spread");
    assert_eq!(rig.lose(lost()), SECOND);
}

#[test]
fn a_stream_that_outlives_what_it_said_is_left_at_the_ordinary_pace() {
    let mut rig = Rig::new();
    rig.go_live();
    rig.say(reconnect(0, 0, 1));
    rig.opened_after();
    rig.now += 2 * SECOND;
    let waits: Vec<_> = (0..6).map(|_| rig.lose(lost()).as_millis()).collect();
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000]);
}

#[test]
fn retry_info_comes_on_top_of_the_backoff() {
    let mut rig = Rig::new();
    rig.go_live();
    assert_eq!(rig.lose(refusal(Code::Aborted, Some(3 * SECOND))), 3 * SECOND + SECOND / 2);
    assert_eq!(rig.lose(refusal(Code::Aborted, Some(3 * SECOND))), 4 * SECOND);
}

#[test]
fn a_move_happens_within_its_window() {
    let mut rig = Rig::new();
    rig.go_live();
    rig.say(reconnect(2, 9, 60));
    assert!(matches!(rig.state.take_actions()[..], [Action::Retire(1)]));
    assert_eq!(rig.opened_after(), 9 * SECOND);
}

#[test]
fn a_failed_move_is_tried_again_while_the_old_stream_lives() {
    let mut rig = Rig::new();
    rig.go_live();
    rig.say(reconnect(1, 1, 60));
    rig.opened_after();
    while rig.state.pop(rig.now).is_some() {}
    assert_eq!(rig.lose(lost()), SECOND / 2);
    assert_eq!(rig.lose(lost()), SECOND);
    // The user never hears of it.
    assert!(rig.state.pop(rig.now).is_none());
    assert!(rig.state.call(1).is_some());
}

#[test]
fn a_window_longer_than_the_stream_is_cut_to_it() {
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let reconnect = poke_proto::v1::Reconnect {
        min_delay: seconds(50),
        max_delay: seconds(100),
        closes_after: seconds(30),
        reason: 0,
    };
    let event = Some(poke_proto::v1::subscribe_response::Event::Reconnect(reconnect));
    match Message::try_from(poke_proto::v1::SubscribeResponse { event }) {
        Ok(Message::Reconnect(reconnect)) => {
            assert_eq!((reconnect.min_delay, reconnect.max_delay), (30 * SECOND, 30 * SECOND));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn reconnecting_says_why_and_when() {
    let mut rig = Rig::new();
    rig.state.on_end(rig.now, rig.newest(), lost().into());
    match rig.state.pop(rig.now) {
        Some(Ok(Event::Reconnecting(reconnecting))) => {
            assert_eq!(reconnecting.delay, SECOND / 2);
            assert_eq!(reconnecting.cause.code(), Some(Code::Unavailable));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_code_has_its_remedy() {
    use Remedy::{GiveUp, RefreshToken, Retry, RetryAtOnce};
    // Code, what to do when the server says so, and when a status has no sign of the server.
    let table = [
        (Code::Cancelled, GiveUp, RetryAtOnce),
        (Code::Unknown, GiveUp, RetryAtOnce),
        (Code::InvalidArgument, GiveUp, GiveUp),
        (Code::DeadlineExceeded, Retry, Retry),
        (Code::NotFound, GiveUp, GiveUp),
        (Code::AlreadyExists, GiveUp, GiveUp),
        (Code::PermissionDenied, GiveUp, GiveUp),
        (Code::ResourceExhausted, GiveUp, GiveUp),
        (Code::FailedPrecondition, GiveUp, GiveUp),
        (Code::Aborted, GiveUp, GiveUp),
        (Code::OutOfRange, GiveUp, GiveUp),
        (Code::Unimplemented, GiveUp, GiveUp),
        (Code::Internal, GiveUp, RetryAtOnce),
        (Code::Unavailable, Retry, Retry),
        (Code::DataLoss, GiveUp, GiveUp),
        (Code::Unauthenticated, RefreshToken, RefreshToken),
    ];
    for (code, from_server, from_elsewhere) in table {
        assert_eq!(Failure::from(refusal(code, None)).remedy, from_server, "{code:?}");
        assert_eq!(Failure::from(Status::new(code, "")).remedy, from_elsewhere, "{code:?}");
        assert_eq!(Failure::from(refusal(code, Some(SECOND))).remedy, Retry, "{code:?} with RetryInfo");
    }
}

#[test]
fn a_retry_delay_of_ages_overflows_nothing() {
    let mut rig = Rig::new();
    let ages = Duration::from_secs(u64::from(u32::MAX) * 1000);
    rig.state.on_end(rig.now, 1, refusal(Code::Unavailable, Some(ages)).into());
    assert!(rig.state.deadline().unwrap() < 48 * 3600 * SECOND);
}

#[test]
fn each_of_many_refusals_that_come_at_once_has_to_be_handled() {
    let interests: Vec<_> = (0..500).map(|number| Interest::new("D", number.to_string())).collect();
    let mut rig =
        Rig { state: State::new(interests.iter().cloned().map(Into::into), 64, |longest| longest), now: SECOND };
    rig.opened_after();
    rig.say(welcome(500));
    interests[..100].iter().for_each(|interest| rig.say(refused(interest)));
    assert!(!rig.state.is_over(), "400 others are asked for next");
    rig.opened_after();
    interests[100..].iter().for_each(|interest| rig.say(refused(interest)));
    let Rig { mut state, now } = rig;
    assert!(state.is_over());
    let mut handled = 0;
    let end = loop {
        match state.pop(now) {
            Some(Ok(Event::Rejected(rejected))) if handled < 499 => {
                rejected.mark_handled();
                handled += 1;
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    let error = end.expect("one wasn't handled");
    assert!(error.to_string().contains("D/499: why"), "{error}");
}

fn refused(interest: &Interest) -> Message {
    let rejected = Rejected {
        interest: interest.clone(),
        code: Code::NotFound,
        reason: "REASON".into(),
        message: "why".into(),
        is_final: true,
        handled: Handled::default(),
    };
    Message::Rejected { rejected, retry_delay: None }
}

#[test]
fn nothing_is_retried_when_nothing_is_wanted_any_more() {
    let mut rig = Rig::new();
    assert!(rig.state.remove(rig.now, &Interest::new("D", "a")));
    rig.state.on_end(rig.now, 1, Failure::give_up(Error::new(crate::ErrorKind::Refused)));
    assert!(rig.state.pop(rig.now).is_none() && !rig.state.is_over());
    rig.state.on_time(rig.now + SECOND);
    assert!(rig.state.take_actions().is_empty() && rig.state.deadline().is_none());
}
