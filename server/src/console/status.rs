//! How the server is at this moment, in numbers.

use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use super::{Viewers, snapshot::Subject};
use crate::{
    backplane::Backplane,
    limits::Memory,
    metrics::{By, Label, Shed},
    stream::Streams,
};

/// What its numbers come from.
pub(super) struct Status<B> {
    mode: &'static str,
    started: Instant,
    streams: Arc<Streams<B>>,
    memory: Arc<Memory>,
}

impl<B> Status<B> {
    pub(super) fn new(viewers: Viewers, streams: Arc<Streams<B>>, memory: Arc<Memory>) -> Self {
        let mode = match viewers {
            Viewers::Anyone => "development",
            Viewers::Admins => "configured",
        };
        Self { mode, started: Instant::now(), streams, memory }
    }
}

/// Counts since the start are told as they are: who asks twice has the rate.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Picture<'a> {
    version: &'static str,
    mode: &'static str,
    health: &'static str,
    is_ready: bool,
    uptime_seconds: f64,
    /// The history that positions belong to: another one after each start.
    epoch: &'a str,
    config_reloads: u64,
    memory: MemoryPicture,
    now: Now,
    total: Total,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemoryPicture {
    resident_bytes: i64,
    /// Nothing if there is no bound.
    bound_bytes: Option<i64>,
    /// What is refused since memory is short.
    refuses: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Now {
    connections: i64,
    streams: i64,
    streams_stalled: i64,
    interests: i64,
    retained_pokes: i64,
    retained_bytes: i64,
    ends_bytes: i64,
    idempotency_keys: i64,
    request_bytes: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Total {
    published: u64,
    duplicates: u64,
    delivered: u64,
    delivered_bytes: u64,
    ended: u64,
    gaps: u64,
    publish_refused: u64,
    rate_limited: u64,
    streams_opened: u64,
    streams_refused: u64,
    connections_opened: u64,
    connections_refused: u64,
    shed: u64,
}

/// Number of refusals since the start for one reason.
#[derive(Serialize)]
struct Refused {
    /// "call" for Publish and EndInterest, "stream" or "connection".
    what: &'static str,
    /// The label of the metric that counts it.
    reason: &'static str,
    count: u64,
}

/// Returns the reasons that have occurred.
fn refused<L: Label>(what: &'static str, counters: &By<L>) -> impl Iterator<Item = Refused> {
    let all = L::ALL.iter().map(move |label| Refused { what, reason: label.name(), count: counters.get(*label) });
    all.filter(|refused| refused.count > 0)
}

impl<B: Backplane> Subject for Status<B> {
    type Picture<'a>
        = Picture<'a>
    where
        B: 'a;

    fn picture(&self) -> Picture<'_> {
        let m = self.streams.metrics();
        let is_draining = self.streams.is_draining();
        let bound = m.memory_bound_bytes.get();
        Picture {
            version: env!("CARGO_PKG_VERSION"),
            mode: self.mode,
            health: if is_draining { "draining" } else { "serving" },
            is_ready: !is_draining && self.streams.backplane().is_healthy(),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            epoch: self.streams.backplane().epoch(),
            config_reloads: m.config_reloads.get(),
            memory: MemoryPicture {
                resident_bytes: m.memory_resident_bytes.get(),
                bound_bytes: (bound > 0).then_some(bound),
                refuses: Shed::ALL.iter().filter(|what| self.memory.refuses(**what)).map(|what| what.name()).collect(),
            },
            now: Now {
                connections: m.connections_open.get(),
                streams: m.streams_open.get(),
                streams_stalled: m.streams_stalled.get(),
                interests: m.topics.get(),
                retained_pokes: m.retained_pokes.get(),
                retained_bytes: m.retained_bytes.get(),
                ends_bytes: m.ends_bytes.get(),
                idempotency_keys: m.idempotency_keys.get(),
                request_bytes: m.request_bytes.get(),
            },
            total: Total {
                published: m.pokes_published.get(),
                duplicates: m.pokes_duplicate.get(),
                delivered: m.pokes_delivered.get(),
                delivered_bytes: m.bytes_delivered.get(),
                ended: m.ends.get(),
                gaps: m.gaps.total(),
                publish_refused: m.publish_refused.total(),
                rate_limited: m.rate_limited.total(),
                streams_opened: m.streams_opened.get(),
                streams_refused: m.subscribe_refused.total(),
                connections_opened: m.connections_opened.get(),
                connections_refused: m.connections_refused.total(),
                shed: m.shed.total(),
            },
            refused: refused("call", &m.publish_refused)
                .chain(refused("stream", &m.subscribe_refused))
                .chain(refused("connection", &m.connections_refused))
                .collect(),
        }
    }
}
