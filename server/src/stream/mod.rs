//! One client's Subscribe, from welcome to end.
//!
//! A stream is the body of its response: the connection polls it when it was woken and its last chunk is on its way, and
//! it reads its cursors then. It has no task, no queue of pokes, and a timer only if its caller has set a deadline. One
//! clock ([`Streams::run`]) looks at all streams every tick and wakes the ones for which another time has come: a
//! heartbeat, their age, the end of their token; it also finds those that nobody reads.

mod body;
mod chunk;
mod entry;
mod event;
mod life;
mod review;
mod seats;
mod streams;
mod transit;
mod translation;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use poke_proto::v1;
use tokio::time::Instant;

pub use self::{
    body::Stream,
    entry::{Link, Tally},
    event::rejected,
    streams::Streams,
    transit::Chunk,
};
use crate::{auth::Caller, backplane::Start, interest::Interest, wire::Protocol};

/// What every stream keeps to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Silence before a heartbeat. Below the 60 s after which proxies close what seems dead.
    pub heartbeat_interval: Duration,
    /// The longest that a busy stream goes without a checkpoint.
    pub checkpoint_interval: Duration,
    /// After which a stream is asked to move, so that load balancers get a chance to spread it and tokens to be renewed.
    pub max_age: Duration,
    /// How much longer or shorter that is for each stream, as a part of it, so that they don't move all at once.
    pub max_age_jitter: f64,
    /// How long a stream that was asked to move for its age goes on. Its client moves within the first third.
    pub move_timeout: Duration,
    /// How long before its token expires a stream is asked to move, so that its client gets a new one in time.
    pub token_notice: Duration,
    /// After which a client that doesn't read is cut off.
    pub stall_timeout: Duration,
    /// Over which the clients of a node that died come back.
    pub reconnect_spread: Duration,
    /// Over which clients reload after a gap that all of them see.
    pub reload_spread: Duration,
    /// Interests on one stream.
    pub max_interests: usize,
    /// Bytes of retained pokes that one Subscribe replays.
    pub replay_bytes: usize,
    /// Streams on this server. Those that were asked to move don't count: who follows must not be refused.
    pub max_streams: usize,
    /// Streams from one address, or from one network of IPv6.
    pub max_streams_per_address: Option<usize>,
    /// Streams of one customer.
    pub max_streams_per_customer: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(20),
            checkpoint_interval: Duration::from_secs(60),
            max_age: Duration::from_secs(3600),
            max_age_jitter: 0.1,
            move_timeout: Duration::from_secs(30),
            token_notice: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            reconnect_spread: Duration::from_secs(5),
            reload_spread: Duration::from_secs(5),
            max_interests: 500,
            replay_bytes: 4 << 20,
            max_streams: 100_000,
            max_streams_per_address: None,
            max_streams_per_customer: Some(100),
        }
    }
}

impl Settings {
    /// How often the clock looks at all streams: often enough that nothing is late by more than a twentieth.
    fn tick(&self) -> Duration {
        let shortest = self.heartbeat_interval.min(self.max_age).min(self.move_timeout).min(self.stall_timeout);
        (shortest / 20).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

/// One subscription of a request: what to listen to, or why not.
#[derive(Debug)]
pub enum Want {
    /// A valid interest.
    Attach(Interest, Start),
    /// An interest that is refused.
    Refuse(v1::Rejected),
}

/// A Subscribe to be opened.
pub struct Opening {
    /// What the client wants, without duplicates, in its order.
    pub wants: Vec<Want>,
    /// How the client speaks.
    pub protocol: Protocol,
    /// The connection that carries it.
    pub link: Option<Arc<dyn Link>>,
    /// When the caller stops listening.
    pub deadline: Option<Instant>,
    /// Who listens.
    pub caller: Caller,
}

/// How a drain goes.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Within which clients move.
    pub window: Duration,
    /// After which the streams that are left end.
    pub closes_after: Duration,
}
