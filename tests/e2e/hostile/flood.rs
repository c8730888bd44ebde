//! A client that sends as much as it can of one thing.

use std::{net::SocketAddr, time::Duration};

use poke_tests::frames::{Connection, Frame, WIDEST, kind};
use tokio::time::{Instant, timeout};

/// How long the server may leave a flood unread until it counts as held back, and how long an attacker goes on at most.
const STALL: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server's answer to a flood was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It ended the connection, and said why by GOAWAY with this reason.
    Ended(u32),
    /// It ended the connection without a word.
    Dropped,
    /// It stopped to read.
    HeldBack,
    /// It took everything.
    Taken,
}

/// Sends round after round of what `put` puts, for `rounds` or until the server has had enough. Whoever `reads` takes what
/// comes meanwhile, but answers nothing.
pub(super) async fn flood(
    address: SocketAddr,
    reads: bool,
    rounds: usize,
    mut put: impl FnMut(&mut Connection, usize),
) -> Outcome {
    let mut connection = Connection::open_with_window(address, WIDEST).await;
    let mut goaway = None;
    let deadline = Instant::now() + PATIENCE;
    for round in 0..rounds {
        if Instant::now() > deadline {
            break;
        }
        put(&mut connection, round);
        match timeout(STALL, connection.flush()).await {
            Ok(Ok(())) => {}
            // What the server said before it closed may still be there.
            Ok(Err(_)) => return end(&mut connection, goaway).await,
            Err(_) if !reads => return Outcome::HeldBack,
            Err(_) => {}
        }
        if reads {
            // Whatever is there; to wait for more would spare the server.
            let is_open = timeout(Duration::ZERO, connection.fill()).await.unwrap_or(true);
            goaway = goaway.or(goaways(&mut connection).last().and_then(Frame::reason));
            if !is_open {
                return goaway.map_or(Outcome::Dropped, Outcome::Ended);
            }
        }
    }
    match goaway {
        Some(_) => end(&mut connection, goaway).await,
        None => Outcome::Taken,
    }
}

/// Reads what is left, up to the server's end of the connection.
async fn end(connection: &mut Connection, mut goaway: Option<u32>) -> Outcome {
    while timeout(STALL, connection.fill()).await.unwrap_or(false) {
        goaway = goaway.or(goaways(connection).last().and_then(Frame::reason));
    }
    goaway.map_or(Outcome::Dropped, Outcome::Ended)
}

fn goaways(connection: &mut Connection) -> Vec<Frame> {
    let frames = std::iter::from_fn(|| connection.buffered_unanswered());
    frames.filter(|frame| frame.kind == kind::GOAWAY && frame.reason() != Some(0)).collect()
}
