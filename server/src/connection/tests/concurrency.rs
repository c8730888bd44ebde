//! The limit on a client's streams while some of them were asked to move.

use h2::{
    Reason,
    frame::{Frame, Reset, Settings},
};

use super::{
    raw::{Raw, measure_on},
    *,
};
use crate::{metrics::RequestRefused, stream::Link as _};

/// The next announcement of how many streams there may be.
async fn announced(raw: &mut Raw) -> u32 {
    raw.hear_until(|frame| match frame {
        Frame::Settings(settings) if !settings.is_ack() => settings.max_concurrent_streams(),
        _ => None,
    })
    .await
}

struct Rig {
    connection: Arc<Connection>,
    raw: Raw,
    next: u32,
}

impl Rig {
    /// A connection that may have two streams at once, and has them.
    async fn full() -> Self {
        let connection = Arc::new(Connection::new(1, Peer::default(), Arc::default()));
        let limits = Limits { streams_per_connection: 2, ..Limits::default() };
        let (_, socket) = measure_on(&connection, limits);
        let mut raw = Raw::greet(socket, Settings::default()).await;
        assert_eq!(announced(&mut raw).await, 2);
        raw.say(Settings::ack()).await;
        let mut rig = Self { connection, raw, next: 1 };
        rig.open(2).await;
        rig
    }

    async fn open(&mut self, count: usize) {
        for _ in 0..count {
            self.raw.ask(self.next, false).await;
            self.next += 2;
        }
    }

    /// That one more is refused, and not before.
    async fn is_full(&mut self) {
        self.open(1).await;
        let refused = self.next - 2;
        assert_eq!(self.raw.reset_of(refused).await, Reason::REFUSED_STREAM);
    }

    fn set_moving(&self, count: usize) {
        self.connection.tally().set_moving(count);
        self.connection.moving_changed();
    }
}

#[tokio::test(start_paused = true)]
async fn each_stream_that_was_asked_to_move_makes_room_for_its_successor() {
    let mut rig = Rig::full().await;
    rig.is_full().await;
    assert_eq!(rig.connection.metrics().requests_refused.get(RequestRefused::Streams), 1);
    rig.set_moving(2);
    assert_eq!(announced(&mut rig.raw).await, 4);
    // Before the client has acknowledged it: it may have read it already.
    rig.open(2).await;
    rig.is_full().await;
    rig.raw.say(Settings::ack()).await;
    rig.is_full().await;
    // The old ones leave.
    for id in [1, 3] {
        rig.raw.say(Reset::new(id.into(), Reason::CANCEL)).await;
    }
    rig.set_moving(0);
    assert_eq!(announced(&mut rig.raw).await, 2);
    // What the client sends before it has read that is by the old limit, and isn't refused.
    rig.open(2).await;
    rig.is_full().await;
    rig.raw.say(Settings::ack()).await;
    rig.raw.say(Reset::new(9.into(), Reason::CANCEL)).await;
    rig.is_full().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_told_to_go_is_given_no_more_streams() {
    let mut rig = Rig::full().await;
    rig.connection.retire();
    rig.raw.hear_until(|frame| matches!(frame, Frame::GoAway(_)).then_some(())).await;
    rig.set_moving(2);
    rig.raw.say(h2::frame::Ping::new([7; 8])).await;
    rig.raw
        .hear_until(|frame| match frame {
            Frame::Settings(settings) if !settings.is_ack() => panic!("more is announced: {settings:?}"),
            Frame::Ping(ping) => (*ping.payload() == [7; 8]).then_some(()),
            _ => None,
        })
        .await;
}
