//! What a connection is told to do, by others or by the time.

use futures_util::{Stream, stream};
use tokio::time::{Instant, sleep_until};

use super::{Connection, handle::Ask};
use crate::{limits::Limits, metrics::ConnectionEnd};

/// What a connection's task is told to do, by others or by the time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Tell the client that no new request is taken.
    Retire,
    /// Announce how many streams the client may open: it depends on how many were asked to move.
    LimitStreams,
    /// Ask the client whether it is there.
    Probe,
    /// End, in this way.
    End(ConnectionEnd),
}

pub(super) fn orders<'a>(connection: &'a Connection, limits: &'a Limits) -> impl Stream<Item = Order> + 'a {
    stream::unfold(Deadlines::new(connection, limits), move |mut deadlines| async move {
        let order = tokio::select! {
            biased;
            ask = connection.asked() => match ask {
                Ask::Close => Order::End(ConnectionEnd::Cut),
                Ask::Retire => Order::Retire,
                Ask::CountMoving => Order::LimitStreams,
            },
            overdue = deadlines.next() => match overdue {
                Overdue::Greeting => Order::End(ConnectionEnd::Handshake),
                Overdue::Word => Order::Probe,
                Overdue::Silence => Order::End(ConnectionEnd::Lost),
                Overdue::Header => Order::End(ConnectionEnd::Abuse),
                Overdue::Request => Order::Retire,
                Overdue::Goodbye => Order::End(ConnectionEnd::Idle),
            },
        };
        Some((order, deadlines))
    })
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overdue {
    /// Nothing sensible came at first: no whole preface, no request.
    Greeting,
    /// Nothing came from an HTTP/2 client for so long that it is asked.
    Word,
    /// Nothing came from it at all, not even the answer.
    Silence,
    /// Header fields have come in part, and the rest didn't follow in time.
    Header,
    /// No request was open for too long.
    Request,
    /// The client didn't leave when it was told that its idle connection ends.
    Goodbye,
}

/// The times at which a connection has to be looked at. One timer serves all of them, and is set anew only when it has
/// run out: a busy connection costs nothing.
///
/// Whether a client answers is told by the time at which something last came from it, whatever it was. So one that reads
/// nothing, to whom not even GOAWAY can be sent, is given up too.
struct Deadlines<'a> {
    connection: &'a Connection,
    limits: &'a Limits,
    /// The next look.
    at: Instant,
    /// When something had last come from the client as it was asked whether it is there.
    probed: Option<Instant>,
    /// When a client that was told to go has to be gone.
    goodbye: Option<Instant>,
}

impl<'a> Deadlines<'a> {
    fn new(connection: &'a Connection, limits: &'a Limits) -> Self {
        Self { connection, limits, at: connection.accepted() + limits.handshake_timeout, probed: None, goodbye: None }
    }

    /// Waits for the next deadline that passes. Nothing is lost when it is dropped.
    async fn next(&mut self) -> Overdue {
        loop {
            sleep_until(self.at).await;
            if let Some(overdue) = self.look(Instant::now()) {
                return overdue;
            }
        }
    }

    fn look(&mut self, now: Instant) -> Option<Overdue> {
        if !self.connection.has_greeted() {
            return Some(Overdue::Greeting);
        }
        let heard = self.connection.heard();
        let silence = heard.map(|heard| heard + self.limits.patience());
        if silence.is_some_and(|at| at <= now) {
            return Some(Overdue::Silence);
        }
        let header = self.connection.header_since().map(|since| since + self.limits.request_timeout);
        if header.is_some_and(|at| at <= now) {
            return Some(Overdue::Header);
        }
        // An answer would have been heard: once asked, there is nothing to do but to wait for it.
        let word = heard.filter(|_| heard != self.probed).map(|heard| heard + self.limits.keepalive_interval);
        if word.is_some_and(|at| at <= now) {
            self.probed = heard;
            return Some(Overdue::Word);
        }
        let idle = self.connection.idle_since().unwrap_or(now) + self.limits.idle_timeout;
        let (overdue, next) = match self.goodbye {
            _ if idle > now => {
                self.goodbye = None;
                (None, idle)
            }
            None => {
                // A request that crosses the GOAWAY on its way has this time to arrive.
                let goodbye = now + self.limits.handshake_timeout;
                self.goodbye = Some(goodbye);
                (Some(Overdue::Request), goodbye)
            }
            Some(goodbye) if goodbye > now => (None, goodbye),
            Some(_) => return Some(Overdue::Goodbye),
        };
        self.at = [word, silence, header].into_iter().flatten().fold(next, Instant::min);
        overdue
    }
}
