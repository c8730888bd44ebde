//! The events of the wire, checked and in the client's own terms.

use std::time::{Duration, SystemTime};

use poke_proto::v1::{self, subscribe_response::Event as Wire};

use crate::{
    Connected, Ended, GapReason, Interest, Limits, Live, Outcome, Poke, Position, Rejected, error::bounded,
    event::Handled,
};

/// What a server without a heartbeat interval is taken to have.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(20);

/// One event of a stream.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Welcome {
        connected: Connected,
        reconnect_spread: Duration,
    },
    Subscribed(Live),
    Rejected {
        rejected: Rejected,
        retry_delay: Option<Duration>,
    },
    Poke(Poke),
    Gap(WireGap),
    Ended(Ended),
    Heartbeat {
        checkpoints: Vec<Position>,
    },
    Reconnect(WireReconnect),
    /// An event of a later version of the contract: a sign of life.
    Unknown,
}

/// A gap as the server sends it: of one interest or of all.
#[derive(Clone, Debug)]
pub(super) struct WireGap {
    pub(super) interest: Option<Interest>,
    pub(super) reason: GapReason,
    pub(super) position: Position,
    pub(super) missed_count: Option<i64>,
    pub(super) reload_spread: Duration,
}

/// The server asks to move within a window, and closes the call later on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireReconnect {
    pub(super) min_delay: Duration,
    pub(super) max_delay: Duration,
    pub(super) closes_after: Option<Duration>,
    pub(super) renew_token: bool,
}

/// A message without a field that the contract promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message has no {0}")]
pub(super) struct Incomplete(&'static str);

impl TryFrom<v1::SubscribeResponse> for Message {
    type Error = Incomplete;

    fn try_from(response: v1::SubscribeResponse) -> Result<Self, Incomplete> {
        Ok(match response.event {
            None => Self::Unknown,
            Some(Wire::Welcome(welcome)) => from_welcome(welcome),
            Some(Wire::Subscribed(subscribed)) => {
                let outcome = match subscribed.outcome() {
                    v1::Outcome::Unspecified | v1::Outcome::Fresh => Outcome::Fresh,
                    v1::Outcome::Recovered => Outcome::Recovered,
                    v1::Outcome::Gap => Outcome::Gap,
                };
                let position = required(subscribed.position)?;
                Self::Subscribed(Live { interest: interest(subscribed.interest)?, position, outcome })
            }
            Some(Wire::Rejected(rejected)) => from_rejected(rejected)?,
            Some(Wire::Poke(poke)) => Self::Poke(from_poke(poke)?),
            Some(Wire::Gap(gap)) => Self::Gap(WireGap {
                reason: gap_reason(gap.reason()),
                interest: gap.interest.map(Into::into),
                position: required(gap.position)?,
                missed_count: gap.missed_count,
                reload_spread: duration(gap.reload_spread).unwrap_or_default(),
            }),
            Some(Wire::Ended(ended)) => Self::Ended(Ended {
                interest: interest(ended.interest)?,
                position: required(ended.position)?,
                data: ended.data,
            }),
            Some(Wire::Heartbeat(heartbeat)) => {
                Self::Heartbeat { checkpoints: heartbeat.checkpoints.into_iter().map(Into::into).collect() }
            }
            Some(Wire::Reconnect(reconnect)) => from_reconnect(&reconnect),
        })
    }
}

fn from_welcome(welcome: v1::Welcome) -> Message {
    let limits = welcome.limits.unwrap_or_default();
    let limits = Limits {
        max_interests: limits.max_interests.try_into().unwrap_or_default(),
        max_poke_bytes: limits.max_poke_bytes.try_into().unwrap_or_default(),
        max_data_depth: limits.max_data_depth.try_into().unwrap_or_default(),
        retention_window: duration(limits.retention_window).unwrap_or_default(),
    };
    let heartbeat_interval =
        duration(welcome.heartbeat_interval).filter(|interval| !interval.is_zero()).unwrap_or(DEFAULT_HEARTBEAT);
    Message::Welcome {
        connected: Connected { stream_id: welcome.stream_id, limits, heartbeat_interval },
        reconnect_spread: duration(welcome.reconnect_spread).unwrap_or_default(),
    }
}

fn from_rejected(rejected: v1::Rejected) -> Result<Message, Incomplete> {
    let retry_delay = duration(rejected.retry_delay);
    let rejected = Rejected {
        interest: interest(rejected.interest)?,
        code: rejected.code.into(),
        reason: rejected.reason,
        message: rejected.message,
        is_final: retry_delay.is_none(),
        handled: Handled::default(),
    };
    Ok(Message::Rejected { rejected, retry_delay })
}

fn from_poke(poke: v1::Poke) -> Result<Poke, Incomplete> {
    let audience = poke.audience().into();
    Ok(Poke {
        interest: Interest { domain: poke.domain, filter: poke.filter, audience },
        data: poke.data,
        position: required(poke.position)?,
        publish_time: poke
            .publish_time
            .and_then(|time| SystemTime::try_from(time).ok())
            .unwrap_or(SystemTime::UNIX_EPOCH),
    })
}

fn from_reconnect(reconnect: &v1::Reconnect) -> Message {
    let renew_token = reconnect.reason() == v1::ReconnectReason::TokenExpiring;
    let closes_after = duration(reconnect.closes_after);
    let max_delay = duration(reconnect.max_delay).unwrap_or_default().min(closes_after.unwrap_or(Duration::MAX));
    let min_delay = duration(reconnect.min_delay).unwrap_or_default().min(max_delay);
    Message::Reconnect(WireReconnect { min_delay, max_delay, closes_after, renew_token })
}

fn gap_reason(reason: v1::GapReason) -> GapReason {
    match reason {
        v1::GapReason::Unspecified => GapReason::Unknown,
        v1::GapReason::EpochChanged => GapReason::EpochChanged,
        v1::GapReason::Evicted => GapReason::Evicted,
        v1::GapReason::Lagged => GapReason::Lagged,
        v1::GapReason::Backplane => GapReason::Backplane,
    }
}

fn interest(interest: Option<v1::Interest>) -> Result<Interest, Incomplete> {
    interest.map(Into::into).ok_or(Incomplete("interest"))
}

fn required(position: Option<v1::Position>) -> Result<Position, Incomplete> {
    position.map(Into::into).ok_or(Incomplete("position"))
}

/// A negative duration is none: the server's clocks are its own affair.
fn duration(duration: Option<prost_types::Duration>) -> Option<Duration> {
    duration.map(|duration| bounded(duration.try_into().unwrap_or_default()))
}
