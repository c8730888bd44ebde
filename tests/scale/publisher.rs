//! The connections that publish.

use std::time::Duration;

use poke_tests::{
    Server,
    frames::{Connection, END_STREAM, kind},
    request, text,
    v1::PublishRequest,
};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    Args,
    subscriber::{common, own},
};

/// Calls under way on one connection; the server takes 200.
const OUTSTANDING: usize = 150;
/// How often what is due is handed out.
const TICK: Duration = Duration::from_millis(20);

/// What was published.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Published {
    /// Pokes of the common interest.
    pub(crate) common: u64,
    /// Pokes of the streams' own interests.
    pub(crate) own: u64,
    /// Publishes that the server refused.
    pub(crate) refused: u64,
}

impl Published {
    /// How many pokes the streams should have got.
    pub(crate) fn deliveries(&self, args: &Args) -> u64 {
        self.common * args.streams as u64 + self.own
    }
}

/// Publishes for as long as the arguments say, and waits for all answers.
pub(crate) async fn publish(server: &Server, args: &Args) -> Published {
    let mut publishers = Vec::new();
    for publisher in 0..args.publishers {
        let connection = Connection::open(server.address()).await;
        // Each takes every nth interest; the first has the common one too.
        let mut requests: Vec<_> = (publisher..args.streams).step_by(args.publishers).map(own).collect();
        let common = (publisher == 0).then(common);
        requests.extend(common.clone());
        let data = text(&"x".repeat(args.size));
        let requests = requests.iter().map(|interest| request(interest, Some(data.clone()))).collect();
        publishers.push(tokio::task::spawn_local(run(connection, requests, common.is_some(), args.clone())));
    }
    let mut all = Published::default();
    for publisher in publishers {
        let one = publisher.await.expect("it doesn't panic");
        all.common += one.common;
        all.own += one.own;
        all.refused += one.refused;
    }
    all
}

/// Sends every request again and again at the rate, or as fast as answers come.
async fn run(mut connection: Connection, requests: Vec<PublishRequest>, has_common: bool, args: Args) -> Published {
    let mut published = Published::default();
    let (mut outstanding, mut answered, mut sent) = (0, std::collections::HashSet::new(), 0_usize);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = Instant::now();
    let whole = Duration::from_secs(args.seconds.into());
    loop {
        let elapsed = start.elapsed();
        if elapsed >= whole && outstanding == 0 {
            return published;
        }
        let due = elapsed.min(whole).as_micros() * u128::from(args.rate) * requests.len() as u128 / 1_000_000;
        while elapsed < whole && (sent as u128) < due && outstanding < OUTSTANDING {
            let at = sent % requests.len();
            connection.call("Publish", &requests[at]);
            // The common interest is the last of its publisher's.
            if has_common && at == requests.len() - 1 {
                published.common += 1;
            } else {
                published.own += 1;
            }
            sent += 1;
            outstanding += 1;
        }
        connection.flush().await.expect("the server keeps the connection");
        tokio::select! {
            _ = ticks.tick() => {}
            open = connection.fill() => assert!(open, "the server closed a publisher's connection"),
        }
        while let Some(frame) = connection.buffered() {
            match frame.kind {
                // An accepted poke is answered by a message and then the trailers.
                kind::DATA => drop(answered.insert(frame.stream)),
                kind::HEADERS if frame.flags & END_STREAM != 0 => {
                    published.refused += u64::from(!answered.remove(&frame.stream));
                    outstanding -= 1;
                }
                kind::RST_STREAM | kind::GOAWAY => panic!("the server broke a publisher's call off: {frame:?}"),
                _ => {}
            }
        }
    }
}
