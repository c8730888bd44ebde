//! Events as JSON objects for programs.

use std::time::SystemTime;

use jiff::Timestamp;
use poke_client::{Audience, Data, Event, GapReason, Interest, Outcome, Position};
use serde::Serialize;
use serde_json::Value;

use crate::server::{cause, code_name};

/// One event, and when it came.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Received<'a> {
    #[serde(flatten)]
    record: Record<'a>,
    received_time: Option<String>,
}

impl<'a> Received<'a> {
    /// Nothing for an event that this version doesn't know.
    pub(crate) fn of(event: &'a Event, now: SystemTime) -> Option<Self> {
        Some(Self { record: Record::of(event)?, received_time: time(now) })
    }
}

/// One event. Names and values are those of protobuf's JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Record<'a> {
    Poke {
        #[serde(flatten)]
        interest: Key<'a>,
        #[serde(flatten)]
        data: Content,
        position: &'a Position,
        publish_time: Option<String>,
    },
    Gap {
        #[serde(flatten)]
        interest: Key<'a>,
        reason: &'static str,
        position: &'a Position,
        #[serde(skip_serializing_if = "Option::is_none")]
        missed_count: Option<i64>,
        reload_after_ms: u128,
    },
    Ended {
        #[serde(flatten)]
        interest: Key<'a>,
        #[serde(flatten)]
        data: Content,
        position: &'a Position,
    },
    Rejected {
        #[serde(flatten)]
        interest: Key<'a>,
        code: String,
        reason: &'a str,
        message: &'a str,
        #[serde(rename = "final")]
        is_final: bool,
    },
    Live {
        #[serde(flatten)]
        interest: Key<'a>,
        position: &'a Position,
        outcome: &'static str,
    },
    Connected {
        stream_id: &'a str,
    },
    Reconnecting {
        cause: String,
        delay_ms: u128,
    },
}

/// An interest.
#[derive(Debug, Serialize)]
struct Key<'a> {
    domain: &'a str,
    filter: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'static str>,
}

/// Data: absent when undefined.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_error: Option<String>,
}

impl<'a> Record<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        Some(match event {
            Event::Poke(poke) => Self::Poke {
                interest: Key::of(&poke.interest),
                data: Content::of(poke.data.as_ref()),
                position: &poke.position,
                publish_time: time(poke.publish_time),
            },
            Event::Gap(gap) => Self::Gap {
                interest: Key::of(&gap.interest),
                reason: gap_reason(gap.reason),
                position: &gap.position,
                missed_count: gap.missed_count,
                reload_after_ms: gap.reload_after.as_millis(),
            },
            Event::Ended(ended) => Self::Ended {
                interest: Key::of(&ended.interest),
                data: Content::of(ended.data.as_ref()),
                position: &ended.position,
            },
            Event::Rejected(rejected) => Self::Rejected {
                interest: Key::of(&rejected.interest),
                code: code_name(rejected.code),
                reason: &rejected.reason,
                message: &rejected.message,
                is_final: rejected.is_final,
            },
            Event::Live(live) => Self::Live {
                interest: Key::of(&live.interest),
                position: &live.position,
                outcome: outcome(live.outcome),
            },
            Event::Connected(connected) => Self::Connected { stream_id: &connected.stream_id },
            Event::Reconnecting(reconnecting) => {
                Self::Reconnecting { cause: cause(&reconnecting.cause), delay_ms: reconnecting.delay.as_millis() }
            }
            _ => return None,
        })
    }
}

impl<'a> Key<'a> {
    fn of(interest: &'a Interest) -> Self {
        let audience = (interest.audience == Audience::Customer).then_some("AUDIENCE_CUSTOMER");
        Self { domain: &interest.domain, filter: &interest.filter, audience }
    }
}

impl Content {
    fn of(data: Option<&Data>) -> Self {
        match data.map(Data::to_value).transpose() {
            Ok(data) => Self { data, data_error: None },
            Err(error) => Self { data: None, data_error: Some(error.to_string()) },
        }
    }
}

fn time(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| format!("{time:.6}"))
}

fn gap_reason(reason: GapReason) -> &'static str {
    match reason {
        GapReason::EpochChanged => "EPOCH_CHANGED",
        GapReason::Evicted => "EVICTED",
        GapReason::Lagged => "LAGGED",
        GapReason::Backplane => "BACKPLANE",
        GapReason::Undecodable => "UNDECODABLE",
        _ => "UNSPECIFIED",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recovered => "RECOVERED",
        Outcome::Gap => "GAP",
        _ => "FRESH",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn key() -> Key<'static> {
        Key { domain: "PLAYLIST", filter: "p1", audience: None }
    }

    #[test]
    fn a_poke_is_one_flat_object() {
        let data = Content::of(Some(&Data::from_json(r#"{"n":1}"#).unwrap()));
        let position = Position::new("e", 42);
        let record =
            Record::Poke { interest: key(), data, position: &position, publish_time: time(SystemTime::UNIX_EPOCH) };
        let received_time = time(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1));
        assert_eq!(
            json!(Received { record, received_time }),
            json!({
                "event": "poke", "domain": "PLAYLIST", "filter": "p1", "data": {"n": 1},
                "position": {"epoch": "e", "sequence": "42"},
                "publishTime": "1970-01-01T00:00:00.000000Z", "receivedTime": "1970-01-01T00:00:00.001000Z"
            })
        );
    }

    #[test]
    fn undefined_null_and_the_empty_string_are_three_things() {
        assert_eq!(json!(Content::of(None)), json!({}));
        assert_eq!(json!(Content::of(Some(&Data::null()))), json!({"data": null}));
        assert_eq!(json!(Content::of(Some(&Data::string("")))), json!({"data": ""}));
        assert!(json!(Content::of(Some(&Data::default())))["dataError"].is_string());
    }

    #[test]
    fn gaps_and_refusals_use_the_contracts_words() {
        let interest = Interest::new("PLAYLIST", "p1").customer();
        let gap = Record::Gap {
            interest: Key::of(&interest),
            reason: gap_reason(GapReason::Lagged),
            position: &Position::new("e", 42),
            missed_count: Some(3),
            reload_after_ms: 0,
        };
        assert_eq!(
            json!(gap),
            json!({
                "event": "gap", "domain": "PLAYLIST", "filter": "p1", "audience": "AUDIENCE_CUSTOMER",
                "reason": "LAGGED", "position": {"epoch": "e", "sequence": "42"}, "missedCount": 3, "reloadAfterMs": 0
            })
        );
        let rejected = Record::Rejected {
            interest: key(),
            code: "NOT_FOUND".to_owned(),
            reason: "UNKNOWN_DOMAIN",
            message: "no",
            is_final: true,
        };
        assert_eq!(json!(rejected)["final"], json!(true));
    }
}
