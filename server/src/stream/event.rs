//! The events of a stream, other than pokes and ends, which come framed from their topic.

use std::time::Duration;

use bytes::Bytes;
use poke_proto::{
    MAX_DATA_DEPTH,
    v1::{self, GapReason, Outcome, ReconnectReason, subscribe_response::Event},
};

use super::Settings;
use crate::{
    backplane::Position,
    error::Error,
    frame::{self, MAX_POKE_BYTES},
    interest::Interest,
    metrics,
    registry::{Loss, Place},
};

pub(super) fn welcome(stream_id: String, settings: &Settings, window: Duration) -> Bytes {
    frame::event(Event::Welcome(v1::Welcome {
        stream_id,
        heartbeat_interval: Some(frame::duration(settings.heartbeat_interval)),
        limits: Some(v1::Limits {
            max_interests: bound(settings.max_interests),
            max_poke_bytes: bound(MAX_POKE_BYTES),
            max_data_depth: bound(MAX_DATA_DEPTH),
            retention_window: Some(frame::duration(window)),
        }),
        reconnect_spread: Some(frame::duration(settings.reconnect_spread)),
    }))
}

fn bound(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

pub(super) fn subscribed(interest: &Interest, place: &Place, position: Position) -> Bytes {
    let outcome = match place {
        Place { loss: Some(_), .. } => Outcome::Gap,
        Place { recovered: true, .. } => Outcome::Recovered,
        Place { .. } => Outcome::Fresh,
    };
    frame::event(Event::Subscribed(v1::Subscribed {
        interest: Some(frame::interest(interest)),
        position: Some(position.into()),
        outcome: outcome.into(),
    }))
}

/// A gap. `missed` counts only what a slow reader lost.
pub(super) fn gap(interest: &Interest, loss: Loss, position: Position, missed: Option<u64>, spread: Duration) -> Bytes {
    frame::event(Event::Gap(v1::Gap {
        interest: Some(frame::interest(interest)),
        reason: reason(loss).into(),
        position: Some(position.into()),
        missed_count: missed.map(|missed| i64::try_from(missed).unwrap_or(i64::MAX)),
        // Only a change of epoch meets all clients at once.
        reload_spread: (loss == Loss::EpochChanged).then(|| frame::duration(spread)),
    }))
}

fn reason(loss: Loss) -> GapReason {
    match loss {
        Loss::EpochChanged => GapReason::EpochChanged,
        Loss::Evicted => GapReason::Evicted,
        Loss::Lagged => GapReason::Lagged,
    }
}

pub(super) fn label(loss: Loss) -> metrics::GapReason {
    match loss {
        Loss::EpochChanged => metrics::GapReason::EpochChanged,
        Loss::Evicted => metrics::GapReason::Evicted,
        Loss::Lagged => metrics::GapReason::Lagged,
    }
}

/// An interest that is refused.
#[must_use]
pub fn rejected(interest: v1::Interest, error: &Error) -> v1::Rejected {
    v1::Rejected {
        interest: Some(interest),
        code: error.code().into(),
        reason: error.reason().to_owned(),
        message: error.message().into_owned(),
        retry_delay: error.retry().map(frame::duration),
    }
}

pub(super) fn heartbeat(checkpoint: Option<Position>) -> Bytes {
    let checkpoints = checkpoint.into_iter().map(Into::into).collect();
    frame::event(Event::Heartbeat(v1::Heartbeat { checkpoints }))
}

pub(super) fn reconnect(window: Duration, closes_after: Duration, reason: ReconnectReason) -> Bytes {
    frame::event(Event::Reconnect(v1::Reconnect {
        min_delay: Some(frame::duration(Duration::ZERO)),
        max_delay: Some(frame::duration(window)),
        closes_after: Some(frame::duration(closes_after)),
        reason: reason.into(),
    }))
}
