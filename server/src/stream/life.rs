//! The times of a stream: when to speak, when to move, when to end.

use poke_proto::v1::ReconnectReason;
use std::time::Duration;
use tokio::time::Instant;

use super::{Drain, Settings};
use crate::error::Kind;

/// What a time that has come asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// End with this.
    End(Kind),
    /// Ask the connection to retire, so that the client may be asked to move.
    Retire,
    /// Ask the client to move.
    Move { window: Duration, closes_after: Duration, reason: ReconnectReason },
    /// Say that the stream lives.
    Heartbeat,
}

/// A stream that has to go.
#[derive(Debug)]
struct Leave {
    since: Instant,
    window: Duration,
    closes_after: Duration,
    reason: ReconnectReason,
    announced: bool,
}

impl Leave {
    fn new(since: Instant, window: Duration, closes_after: Duration, reason: ReconnectReason) -> Box<Self> {
        Box::new(Self { since, window, closes_after, reason, announced: false })
    }
}

/// How long a connection may take to send GOAWAY before the client is asked to move all the same.
const RETIRE_PATIENCE: Duration = Duration::from_secs(1);

/// The times of one stream. The first is noted with each poke.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Life {
    last_sent: Instant,
    last_heartbeat: Instant,
    age: Instant,
    deadline: Option<Instant>,
    token: Option<Token>,
    /// Boxed, as most streams are rarely asked to go.
    leave: Option<Box<Leave>>,
}

/// The end of the caller's token.
#[derive(Debug)]
struct Token {
    expires: Instant,
    /// When the client is asked to move with a new one. `None` once it was.
    notice: Option<Instant>,
}

impl Life {
    pub(super) fn new(settings: &Settings, now: Instant, deadline: Option<Instant>, expires: Option<Instant>) -> Self {
        let jitter = settings.max_age_jitter * rand::random_range(-1.0..=1.0);
        Self {
            last_sent: now,
            last_heartbeat: now,
            age: now + settings.max_age.mul_f64(1.0 + jitter),
            deadline,
            token: expires.map(|expires| Token {
                expires,
                // Half of a short life is for the move.
                notice: Some(expires - settings.token_notice.min(expires.duration_since(now) / 2)),
            }),
            leave: None,
        }
    }

    /// Notes that something was sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// Notes that the server drains.
    pub(super) fn drain(&mut self, drain: Drain, now: Instant) {
        if self.leave.as_ref().is_none_or(|leave| leave.reason != ReconnectReason::Drain) {
            let Drain { window, closes_after } = drain;
            self.leave = Some(Leave::new(now, window, closes_after, ReconnectReason::Drain));
        }
    }

    /// What to do now, the most pressing first. `retired` says whether the connection has sent GOAWAY.
    pub(super) fn duty(&mut self, settings: &Settings, now: Instant, retired: impl Fn() -> bool) -> Option<Duty> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(Duty::End(Kind::Deadline));
        }
        if let Some(Token { expires, notice }) = &mut self.token {
            if *expires <= now {
                return Some(Duty::End(Kind::TokenExpired));
            }
            if notice.take_if(|notice| *notice <= now).is_some() {
                let closes_after = *expires - now;
                let reason = ReconnectReason::TokenExpiring;
                return Some(Duty::Move { window: closes_after / 2, closes_after, reason });
            }
        }
        if self.leave.is_none() && self.age <= now {
            let closes_after = settings.move_timeout;
            self.leave = Some(Leave::new(now, closes_after / 3, closes_after, ReconnectReason::MaxAge));
        }
        if let Some(leave) = &mut self.leave {
            if leave.since + leave.closes_after <= now {
                let drained = leave.reason == ReconnectReason::Drain;
                return Some(Duty::End(if drained { Kind::ShuttingDown } else { Kind::MaxAge }));
            }
            if !leave.announced {
                if !retired() && now < leave.since + RETIRE_PATIENCE.min(leave.closes_after / 2) {
                    return Some(Duty::Retire);
                }
                leave.announced = true;
                let closes_after = leave.closes_after.saturating_sub(now - leave.since);
                let window = leave.window.min(closes_after);
                return Some(Duty::Move { window, closes_after, reason: leave.reason });
            }
        }
        if self.heartbeat_due(settings) <= now {
            return Some(Duty::Heartbeat);
        }
        None
    }

    /// Notes that a heartbeat was written.
    pub(super) fn beat(&mut self, now: Instant) {
        self.last_heartbeat = now;
        self.last_sent = now;
    }

    fn heartbeat_due(&self, settings: &Settings) -> Instant {
        let Settings { heartbeat_interval, checkpoint_interval, .. } = *settings;
        (self.last_sent + heartbeat_interval).min(self.last_heartbeat + checkpoint_interval.max(heartbeat_interval))
    }

    /// When the next time comes.
    pub(super) fn due(&self, settings: &Settings, now: Instant) -> Instant {
        let leave = match self.leave.as_deref() {
            Some(Leave { announced: false, .. }) => now,
            Some(leave) => leave.since + leave.closes_after,
            None => self.age,
        };
        let due = leave.min(self.heartbeat_due(settings));
        let token = self.token.as_ref().map(|token| token.notice.unwrap_or(token.expires));
        [self.deadline, token].into_iter().flatten().fold(due, Instant::min)
    }
}
