//! What happens, as all adapters tell it.

use std::time::SystemTime;

use jiff::Timestamp;
use poke_client::{Audience, Code, Data, Error, Event, GapReason, Interest, Outcome};
use serde_json::{Value, json};

/// One event; none for one that this version doesn't know.
pub(crate) fn event(event: &Event) -> Option<Value> {
    let mut told = match event {
        Event::Poke(poke) => {
            let told = json!({ "event": "poke", "position": poke.position, "publishTime": time(poke.publish_time) });
            with_data(told, poke.data.as_ref())
        }
        Event::Gap(gap) => json!({
            "event": "gap", "reason": upper_snake(&gap_reason(gap.reason)), "position": gap.position,
            "missedCount": gap.missed_count, "reloadAfterMs": gap.reload_after.as_millis(),
        }),
        Event::Ended(ended) => with_data(json!({ "event": "ended", "position": ended.position }), ended.data.as_ref()),
        Event::Rejected(rejected) => json!({
            "event": "rejected", "code": code(rejected.code), "reason": rejected.reason, "message": rejected.message,
            "final": rejected.is_final,
        }),
        Event::Live(live) => {
            json!({ "event": "live", "position": live.position, "outcome": outcome(live.outcome) })
        }
        Event::Connected(connected) => json!({ "event": "connected", "streamId": connected.stream_id }),
        Event::Reconnecting(again) => json!({
            "event": "reconnecting", "cause": again.cause.to_string(), "delayMs": again.delay.as_millis(),
        }),
        _ => return None,
    };
    if told["missedCount"].is_null() {
        told.as_object_mut().map(|told| told.remove("missedCount"));
    }
    if let Some(interest) = event.interest() {
        add_interest(&mut told, interest);
    }
    Some(told)
}

/// An error.
pub(crate) fn error(error: &Error) -> Value {
    let mut told = json!({ "message": error.to_string() });
    if let Some(known) = error.code() {
        told["code"] = json!(code(known));
    }
    if let Some(reason) = error.reason() {
        told["reason"] = json!(reason);
    }
    if let Some(status) = error.http_status() {
        told["httpStatus"] = json!(status);
    }
    told
}

fn add_interest(told: &mut Value, interest: &Interest) {
    told["domain"] = json!(interest.domain);
    told["filter"] = json!(interest.filter);
    if interest.audience == Audience::Customer {
        told["audience"] = json!("AUDIENCE_CUSTOMER");
    }
}

fn with_data(mut told: Value, data: Option<&Data>) -> Value {
    if let Some(data) = data {
        told["data"] = data.to_value().unwrap_or_else(|error| json!(format!("no data: {error}")));
    }
    told
}

fn time(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| format!("{time:.6}"))
}

fn code(code: Code) -> String {
    upper_snake(&format!("{code:?}"))
}

fn gap_reason(reason: GapReason) -> String {
    match reason {
        GapReason::Unknown => "Unspecified".into(),
        known => format!("{known:?}"),
    }
}

fn outcome(outcome: Outcome) -> String {
    upper_snake(&format!("{outcome:?}"))
}

/// `NotFound` as `NOT_FOUND`.
fn upper_snake(name: &str) -> String {
    let mut upper = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !upper.is_empty() {
            upper.push('_');
        }
        upper.extend(letter.to_uppercase());
    }
    upper
}
