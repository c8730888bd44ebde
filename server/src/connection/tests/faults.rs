//! What breaks the rules of HTTP/2 (RFC 9113), and what it does to whom.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use h2::{
    Reason,
    frame::{Frame, Ping, Reset, Settings, StreamId, WindowUpdate},
};

use super::{
    raw::{Raw, cancel, credit, longest, measure, padded, serve, whole},
    *,
};

#[tokio::test(start_paused = true)]
async fn a_fault_on_one_stream_resets_it_and_no_other() {
    let (_served, socket) = measure(Limits { streams_per_connection: 3, ..Limits::default() });
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;

    raw.ask(3, true).await;
    raw.say_bytes(&padded(3, b"late", 0, false)).await;
    assert_eq!(raw.reset_of(3).await, Reason::STREAM_CLOSED);

    raw.ask(5, false).await;
    raw.say(WindowUpdate::new(5.into(), i32::MAX as u32)).await;
    assert_eq!(raw.reset_of(5).await, Reason::FLOW_CONTROL_ERROR);

    raw.ask(7, false).await;
    raw.ask(9, false).await;
    raw.ask(11, false).await;
    assert_eq!(raw.reset_of(11).await, Reason::REFUSED_STREAM);
    raw.say(Reset::new(7.into(), Reason::CANCEL)).await;
    raw.say(Reset::new(9.into(), Reason::CANCEL)).await;

    raw.ask_with(15, "content-length", "3").await;
    raw.say_bytes(&padded(15, b"four", 0, false)).await;
    assert_eq!(raw.reset_of(15).await, Reason::PROTOCOL_ERROR);

    // The first has seen nothing of it.
    raw.say_bytes(&padded(1, b"twelve bytes", 3, true)).await;
    let length = raw
        .hear_until(|frame| match frame {
            Frame::Data(data) if data.stream_id() == 1 => Some(data.into_payload()),
            _ => None,
        })
        .await;
    assert_eq!(length, "12");
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_connection_ends_it_with_a_reason() {
    let ack_again: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
    let cases: [(&str, Vec<u8>, Reason); 7] = [
        ("DATA on a stream that is idle", padded(1, b"x", 0, false), Reason::PROTOCOL_ERROR),
        ("a reset of one", vec![0, 0, 4, 3, 0, 0, 0, 0, 9, 0, 0, 0, 8], Reason::PROTOCOL_ERROR),
        ("credit for one", vec![0, 0, 4, 8, 0, 0, 0, 0, 9, 0, 0, 0, 8], Reason::PROTOCOL_ERROR),
        ("too much credit", vec![0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], Reason::FLOW_CONTROL_ERROR),
        ("a second answer to our settings", ack_again.to_vec(), Reason::PROTOCOL_ERROR),
        ("a frame that is too long", vec![0, 64, 1, 0, 0, 0, 0, 0, 1], Reason::FRAME_SIZE_ERROR),
        ("a promise", vec![0, 0, 5, 5, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0x82], Reason::PROTOCOL_ERROR),
    ];
    for (fault, frames, reason) in cases {
        let (served, socket) = measure(Limits::default());
        let mut raw = Raw::greet(socket, Settings::default()).await;
        raw.say_bytes(&frames).await;
        assert_eq!(raw.goodbye().await, reason, "{fault}");
        assert!(raw.hear().await.is_none(), "{fault}");
        assert_eq!(served.await.unwrap(), ConnectionEnd::Protocol, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_streams_reset_for_ever_has_to_go() {
    let (served, socket) = measure(Limits { streams_per_connection: 1, ..Limits::default() });
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;
    for n in 1..2000 {
        raw.ask(2 * n + 1, true).await;
        let goodbye = raw
            .hear_until(|frame| match frame {
                Frame::Reset(_) => Some(None),
                Frame::GoAway(goaway) => Some(Some(goaway.reason())),
                _ => None,
            })
            .await;
        if let Some(reason) = goodbye {
            assert_eq!((reason, n > 1000), (Reason::ENHANCE_YOUR_CALM, true));
            assert_eq!(served.await.unwrap(), ConnectionEnd::Protocol);
            return;
        }
    }
    panic!("it may go on for ever");
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_malformed_head_is_ignored() {
    let (_served, socket) = measure(Limits::default());
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;
    for (id, name, value) in [(3_u32, "te", "gzip"), (5, "connection", "close"), (7, "content-length", "many")] {
        raw.ask_with(id, name, value).await;
        raw.say_bytes(&padded(id, b"its body", 0, false)).await;
        raw.say(WindowUpdate::new(id.into(), 100)).await;
        assert_eq!(raw.reset_of(id).await, Reason::PROTOCOL_ERROR);
        raw.say_bytes(&padded(id, b"and the rest of it", 0, true)).await;
    }
    raw.say_bytes(&padded(1, b"well", 0, true)).await;
    let length = raw
        .hear_until(|frame| match frame {
            Frame::Data(data) => Some(data.into_payload()),
            Frame::GoAway(goaway) => panic!("the connection ends: {goaway:?}"),
            _ => None,
        })
        .await;
    assert_eq!(length, "4");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_and_asks_for_ever_keeps_no_processor_busy() {
    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let (ours, theirs) = duplex(64 << 10);
    let (connection, limits) = (
        Arc::new(Connection::new(1, Peer::default(), Arc::default())),
        Limits { streams_per_connection: 2, ..Limits::default() },
    );
    let http = Http::new(limits);
    let mut served = std::pin::pin!(http.serve(ours, &connection, whole(1 << 20)));
    let woken = Arc::new(Woken::default());
    let waker = Arc::clone(&woken).into();
    let mut settle = || {
        for _ in 0..100 {
            let before = woken.0.load(std::sync::atomic::Ordering::Relaxed);
            assert!(served.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            if woken.0.load(std::sync::atomic::Ordering::Relaxed) == before {
                return true;
            }
        }
        false
    };
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(i32::MAX as u32));
    let mut raw = Raw::greet(theirs, settings).await;
    raw.say(WindowUpdate::new(StreamId::ZERO, 1 << 30)).await;
    raw.ask(1, true).await;
    assert!(settle());
    for n in 1..200 {
        raw.ask(2 * n + 1, true).await;
        if n % 10 == 0 {
            assert!(settle(), "after {n}");
        }
    }
}

/// Why a stream is reset for what has been said on it, when all of its answer has come.
async fn resets(raw: &mut Raw, id: u32) -> Vec<Reason> {
    let mut heard = Vec::new();
    // A ping is answered before what is told of streams, so there are two.
    for _ in 0..2 {
        raw.say(Ping::new([1; 8])).await;
        raw.hear_until(|frame| match frame {
            Frame::Reset(reset) => {
                assert_eq!(reset.stream_id(), id);
                heard.push(reset.reason());
                None
            }
            Frame::Data(data) => panic!("there is more of an answer that was whole: {data:?}"),
            Frame::GoAway(goaway) => panic!("the connection ends: {goaway:?}"),
            frame => matches!(frame, Frame::Ping(_)).then_some(()),
        })
        .await;
    }
    heard
}

/// Waits for the end of an answer.
async fn answered(raw: &mut Raw) {
    raw.hear_until(|frame| matches!(frame, Frame::Data(data) if data.is_end_stream()).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_may_go_on_after_its_answer_and_by_the_rules() {
    // The answer doesn't wait for the request.
    let (_served, socket) = serve(Limits::default(), whole(10));
    let mut raw = Raw::greet(socket, Settings::default()).await;
    let trailers = |id: u32, field: &[u8], flags: u8| {
        [&[0, 0, field.len() as u8, 1, 4 | flags][..], &id.to_be_bytes(), field].concat()
    };
    type Say<'a> = Box<dyn Fn(u32) -> Vec<Vec<u8>> + 'a>;
    let cases: [(&str, Say<'_>, Option<Reason>); 10] = [
        ("its end", Box::new(|id| vec![padded(id, b"more", 0, false), padded(id, b"10 in all.", 0, true)]), None),
        ("trailers", Box::new(|id| vec![padded(id, b"14 bytes of it", 0, false), trailers(id, &[], 1)]), None),
        ("nothing more", Box::new(|_| vec![]), None),
        ("its reset", Box::new(|id| vec![cancel(id)]), None),
        ("credit", Box::new(|id| vec![credit(id, 1), credit(id, 2)]), None),
        (
            "too much credit",
            Box::new(|id| vec![credit(id, 1), credit(id, i32::MAX as u32)]),
            Some(Reason::FLOW_CONTROL_ERROR),
        ),
        (
            "a second head",
            Box::new(|id| vec![padded(id, b"", 0, false), trailers(id, &[], 0)]),
            Some(Reason::PROTOCOL_ERROR),
        ),
        ("a method in trailers", Box::new(|id| vec![trailers(id, &[0x82], 1)]), Some(Reason::PROTOCOL_ERROR)),
        (
            "less than was told",
            Box::new(|id| vec![padded(id, b"13 bytes long", 0, true)]),
            Some(Reason::PROTOCOL_ERROR),
        ),
        (
            "DATA after its reset",
            Box::new(|id| vec![cancel(id), padded(id, b"more", 0, true)]),
            Some(Reason::STREAM_CLOSED),
        ),
    ];
    for (n, (what, say, reason)) in cases.iter().enumerate() {
        let id = 2 * n as u32 + 1;
        raw.ask_with(id, "content-length", "14").await;
        answered(&mut raw).await;
        let mut heard = Vec::new();
        for frame in say(id) {
            raw.say_bytes(&frame).await;
            heard.extend(resets(&mut raw, id).await);
        }
        assert_eq!(heard, reason.iter().copied().collect::<Vec<_>>(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_request_is_told_that_its_answer_did_not_wait_before_it_needs_credit() {
    let (_served, socket) = serve(Limits::default(), whole(10));
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;
    answered(&mut raw).await;
    let mut told = Vec::new();
    for sent in 1..=16 {
        raw.say_bytes(&longest(1)).await;
        let heard = resets(&mut raw, 1).await;
        told.extend(heard.into_iter().map(|reason| (sent, reason)));
    }
    // At half of what it may send, once; what was on its way is ignored.
    assert_eq!(told, [(8, Reason::NO_ERROR)]);
    // One that says how long it is, and needs no more credit for that, ends by itself.
    raw.ask_with(3, "content-length", "262144").await;
    answered(&mut raw).await;
    for sent in 1..=16 {
        let mut frame = longest(3);
        frame[4] = u8::from(sent == 16);
        raw.say_bytes(&frame).await;
        assert_eq!(resets(&mut raw, 3).await, [], "{sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_were_answered_and_do_not_end_make_room_for_others() {
    let (served, socket) = serve(Limits { streams_per_connection: 3, ..Limits::default() }, whole(10));
    let mut raw = Raw::greet(socket, Settings::default()).await;
    let mut dismissed = Vec::new();
    for n in 0..100 {
        raw.ask(2 * n + 1, false).await;
        raw.hear_until(|frame| match frame {
            Frame::Reset(reset) => {
                assert_eq!(reset.reason(), Reason::NO_ERROR);
                dismissed.push(u32::from(reset.stream_id()));
                None
            }
            frame => matches!(frame, Frame::Data(data) if data.is_end_stream()).then_some(()),
        })
        .await;
    }
    // One for each that comes, the oldest first.
    assert_eq!(dismissed, (0..97).map(|n| 2 * n + 1).collect::<Vec<_>>());
    // Nor do they keep the connection when it is to end.
    raw.say(h2::frame::GoAway::new(0.into(), Reason::NO_ERROR)).await;
    assert_eq!(timeout(Duration::from_secs(5), served).await.unwrap().unwrap(), ConnectionEnd::Closed);
}
