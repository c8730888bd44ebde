//! Floods of HTTP/2 frames, each of a kind that took servers down.

use bytes::Bytes;
use poke_tests::{
    Server,
    frames::{ACK, Connection, END_HEADERS, END_STREAM, block, head, kind},
    interest, new_pokes,
    v1::SubscribeRequest,
};

use super::{
    flood::{Outcome, flood},
    honest::{self, Honest},
};

/// Puts the frames of one round.
pub(super) type Put = Box<dyn FnMut(&mut Connection, usize) + Send>;

/// Frames that one round consists of: a few packets.
const BURST: usize = 100;

/// As a reason of a reset (RFC 9113, section 7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];

fn call() -> Bytes {
    head("Publish", "application/grpc")
}

/// A burst a round.
fn bursts(mut put: impl FnMut(&mut Connection) + Send + 'static) -> Put {
    Box::new(move |connection, _| (0..BURST).for_each(|_| put(connection)))
}

/// One burst after another on a stream that `flags` and `block` open.
fn on_one_stream(flags: u8, block: Bytes, mut put: impl FnMut(&mut Connection) + Send + 'static) -> Put {
    Box::new(move |connection, round| {
        if round == 0 {
            connection.open_stream(flags, &block);
        }
        (0..BURST).for_each(|_| put(connection));
    })
}

/// Opens a stream, and then does what makes the server reset it (CVE-2025-8671).
fn made_reset(flags: u8, mut put: impl FnMut(&mut Connection, u32) + Send + 'static) -> Put {
    bursts(move |connection| {
        let stream = connection.open_stream(END_HEADERS | flags, &call());
        put(connection, stream);
    })
}

fn open(connection: &mut Connection, block: &[u8]) {
    connection.open_stream(END_HEADERS, block);
}

/// Opens a stream and gives it up in the same breath (CVE-2023-44487).
fn reset(connection: &mut Connection) {
    let stream = connection.open_stream(END_HEADERS, &call());
    connection.put(kind::RST_STREAM, 0, stream, &CANCEL);
}

fn reset_subscribe(connection: &mut Connection) {
    let subscriptions = vec![new_pokes(interest("attacked"))];
    let stream = connection.call("Subscribe", &SubscribeRequest { subscriptions });
    connection.put(kind::RST_STREAM, 0, stream, &CANCEL);
}

/// One header of 4,000 bytes, kept in the table, and then thousands of references of a byte each.
fn hpack_bomb() -> Put {
    let name_and_length = [0x40, 1, b'x', 127, 0x80 | 33, 30]; // 127 + 33 + 30 * 128
    let first = [&call()[..], &name_and_length, &[b'v'; 4000]].concat();
    let bomb = [&call()[..], &[0xbe; 4000]].concat();
    Box::new(move |connection, round| {
        connection.open_stream(END_HEADERS | END_STREAM, if round == 0 { &first } else { &bomb });
    })
}

/// Floods that nobody makes by mistake.
pub(super) fn attacks() -> Vec<(&'static str, Put)> {
    let large = "v".repeat(8000);
    let begun = || call().slice(..2);
    vec![
        ("rapid reset", bursts(reset)),
        ("rapid reset of streams that are live", bursts(reset_subscribe)),
        (
            "CONTINUATION without an end",
            on_one_stream(0, begun(), |c| c.put(kind::CONTINUATION, 0, 1, &block(&[("x", "y")]))),
        ),
        ("empty CONTINUATION", on_one_stream(0, begun(), |c| c.put(kind::CONTINUATION, 0, 1, &[]))),
        (
            "large CONTINUATION",
            on_one_stream(0, begun(), move |c| c.put(kind::CONTINUATION, 0, 1, &block(&[("x", &large)]))),
        ),
        ("empty DATA", on_one_stream(END_HEADERS, call(), |c| c.put(kind::DATA, 0, 1, &[]))),
        ("reset by a window of 0", made_reset(0, |c, stream| c.put(kind::WINDOW_UPDATE, 0, stream, &[0; 4]))),
        (
            "reset by an overflow",
            made_reset(0, |c, stream| c.put(kind::WINDOW_UPDATE, 0, stream, &[0x7f, 255, 255, 255])),
        ),
        ("reset by DATA after the end", made_reset(END_STREAM, |c, stream| c.put(kind::DATA, 0, stream, &[0; 4]))),
        ("reset by bad headers", bursts(|c| open(c, &block(&[("Upper", "case")])))),
        ("more streams than announced", bursts(|c| open(c, &call()))),
        ("an HPACK bomb", hpack_bomb()),
        ("answers to SETTINGS that weren't sent", bursts(|c| c.put(kind::SETTINGS, ACK, 0, &[]))),
        ("a window without bounds", bursts(|c| c.put(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]))),
    ]
}

/// Floods of what a client may well send, if it weren't so much.
pub(super) fn nuisances() -> Vec<(&'static str, Put)> {
    vec![
        ("PING", bursts(|connection| connection.put(kind::PING, 0, 0, &[0; 8]))),
        ("answers to PING", bursts(|connection| connection.put(kind::PING, ACK, 0, &[0; 8]))),
        ("SETTINGS", bursts(|connection| connection.put(kind::SETTINGS, 0, 0, &[]))),
        ("PRIORITY", bursts(|connection| connection.put(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1]))),
        ("unknown frames", bursts(|connection| connection.put(0x55, 0, 0, &[0; 8]))),
        ("DATA of a byte", on_one_stream(END_HEADERS, call(), |connection| connection.put(kind::DATA, 0, 1, &[0]))),
        // Each in a write of its own, so that the call has begun when it is given up.
        ("rapid reset one by one", Box::new(|connection, _| reset(connection))),
    ]
}

#[tokio::test]
async fn a_flood_ends_the_connection_that_makes_it_and_no_other() {
    let server = Server::start(honest::config()).await;
    let honest = Honest::beside(&server).await;
    let attacks = attacks();
    let count = attacks.len();
    for (name, put) in attacks {
        let outcome = flood(server.address(), true, 20_000, put).await;
        // What reset the socket may have taken the word along.
        assert!(matches!(outcome, Outcome::Ended(_) | Outcome::Dropped), "{name}: {outcome:?}");
    }
    let by_the_server = |metrics: poke_tests::Metrics| {
        let ends = |reason| metrics.sum_where("poke_connections_closed_total", reason);
        ends("protocol") + ends("abuse")
    };
    poke_tests::eventually("each end to be counted", async || {
        (by_the_server(server.metrics().await) >= count as f64).then_some(())
    })
    .await;
    honest.unharmed(&server).await;
}

#[tokio::test]
async fn who_does_not_read_the_answers_is_not_read_either() {
    let server = Server::start(honest::config()).await;
    let honest = Honest::beside(&server).await;
    let floods: [(&str, Put); 2] = [
        ("PING", bursts(|connection| connection.put(kind::PING, 0, 0, &[0; 8]))),
        ("SETTINGS", bursts(|connection| connection.put(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]))),
    ];
    for (name, put) in floods {
        let outcome = flood(server.address(), false, 200_000, put).await;
        assert!(matches!(outcome, Outcome::HeldBack | Outcome::Ended(_) | Outcome::Dropped), "{name}: {outcome:?}");
    }
    honest.unharmed(&server).await;
}

/// They hold no memory and nobody up, and what moves nothing at all ends when there is too much of it.
#[tokio::test]
async fn frames_that_ask_for_little_take_little() {
    // So few that a slow machine sends more, too.
    let server = Server::start(honest::config().set("limits.idle_frames", 100)).await;
    let honest = Honest::beside(&server).await;
    let mut ended = 0;
    for (name, put) in nuisances() {
        let outcome = flood(server.address(), true, 20_000, put).await;
        assert_ne!(outcome, Outcome::HeldBack, "{name}");
        if name != "DATA of a byte" {
            assert!(matches!(outcome, Outcome::Ended(_) | Outcome::Dropped), "{name}: {outcome:?}");
            ended += 1;
        }
    }
    server.metric_becomes("poke_request_bytes", |bytes| bytes == 0.0).await;
    let abuse = server.metrics().await.sum_where("poke_connections_closed_total", "abuse");
    assert_eq!(abuse, f64::from(ended), "each by the same rule");
    honest.unharmed(&server).await;
}
