//! What HTTP/2 asks of both sides, frame by frame (RFC 9113).

#![allow(clippy::cast_possible_truncation, reason = "tests")]

use std::collections::BTreeMap;

use h2::{
    Codec, Reason,
    frame::{Frame, Headers, Pseudo, Reset, Settings, StreamId, WindowUpdate},
};
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt as _, Full};

use super::*;

/// A client that says what it is told to say, and hears all.
struct Raw(Codec<DuplexStream, Bytes>);

impl Raw {
    async fn greet(mut socket: DuplexStream, settings: Settings) -> Self {
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut raw = Self(Codec::new(socket));
        raw.say(settings).await;
        raw
    }

    async fn say(&mut self, frame: impl Into<Frame>) {
        std::future::poll_fn(|cx| self.0.poll_ready(cx)).await.unwrap();
        self.0.buffer(frame.into()).unwrap();
        std::future::poll_fn(|cx| self.0.flush(cx)).await.unwrap();
    }

    async fn say_bytes(&mut self, frames: &[u8]) {
        self.0.get_mut().write_all(frames).await.unwrap();
    }

    /// Opens a stream. It is all of the request if it `ends`.
    async fn ask(&mut self, id: u32, ends: bool) {
        let pseudo = Pseudo::request(Method::POST, Uri::from_static("http://test/"), None);
        let mut head = Headers::new(id.into(), pseudo, HeaderMap::new());
        if ends {
            head.set_end_stream();
        }
        self.say(head).await;
    }

    /// The next frame, unless the connection has ended.
    async fn hear(&mut self) -> Option<Frame> {
        let next = std::future::poll_fn(|cx| futures_util::Stream::poll_next(Pin::new(&mut self.0), cx));
        timeout(Duration::from_secs(5), next).await.expect("there is a next frame").transpose().ok().flatten()
    }

    /// The next frame that is of interest.
    async fn hear_until<T>(&mut self, mut find: impl FnMut(Frame) -> Option<T>) -> T {
        loop {
            let frame = self.hear().await.expect("the connection is open");
            if let Some(found) = find(frame) {
                return found;
            }
        }
    }

    /// Why a stream was reset.
    async fn reset_of(&mut self, id: u32) -> Reason {
        self.hear_until(|frame| match frame {
            Frame::Reset(reset) if reset.stream_id() == id => Some(reset.reason()),
            Frame::GoAway(goaway) => panic!("the connection ends: {goaway:?}"),
            _ => None,
        })
        .await
    }

    /// Why the connection ends.
    async fn goodbye(&mut self) -> Reason {
        self.hear_until(|frame| match frame {
            Frame::GoAway(goaway) => Some(goaway.reason()),
            _ => None,
        })
        .await
    }
}

/// A connection whose answers say how long the request's body was.
fn measure(limits: Limits) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    let service = BoxCloneSyncService::new(tower::service_fn(async |request: Request<Inbound>| {
        let body =
            request.into_body().collect().await.map_or_else(|error| error.to_string().into(), |all| all.to_bytes());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body.len().to_string()))))
    }));
    serve(limits, service)
}

/// A connection whose answers are as long as this.
fn answer(length: usize) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    let body = Bytes::from((0..length).map(|n| n as u8).collect::<Vec<_>>());
    let service = BoxCloneSyncService::new(tower::service_fn(move |_: Request<Inbound>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(body.clone()))))
    }));
    serve(Limits::default(), service)
}

fn serve(
    limits: Limits,
    service: BoxCloneSyncService<Request<Inbound>, Response<Full<Bytes>>, Infallible>,
) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    let (ours, theirs) = duplex(32 << 10);
    let connection = Arc::new(Connection::new(1, Peer::default()));
    (tokio::spawn(async move { Http::new(limits).serve(ours, &connection, service).await }), theirs)
}

/// A DATA frame, padded.
fn padded(id: u32, data: &[u8], padding: u8, ends: bool) -> Vec<u8> {
    let length = 1 + data.len() + usize::from(padding);
    let [.., a, b, c] = length.to_be_bytes();
    let head = [&[a, b, c, 0, 8 | u8::from(ends)][..], &id.to_be_bytes(), &[padding]].concat();
    [&head[..], data, &vec![0; padding.into()]].concat()
}

#[tokio::test(start_paused = true)]
async fn padding_is_given_back_like_what_was_read() {
    const FRAMES: usize = 8000;
    let (_served, socket) = measure(Limits { idle_frames: u32::MAX, ..Limits::default() });
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;
    let mut windows = BTreeMap::from([(0, 65_535_usize), (1, 256 << 10)]);
    let frame = padded(1, b"x", 255, false);
    for _ in 0..FRAMES {
        while windows.values().any(|&window| window < 257) {
            let frame = raw.hear().await.unwrap();
            if let Frame::WindowUpdate(update) = frame {
                *windows.get_mut(&update.stream_id().into()).unwrap() += update.size_increment() as usize;
            }
        }
        windows.values_mut().for_each(|window| *window -= 257);
        raw.say_bytes(&frame).await;
    }
    raw.say_bytes(&padded(1, b"", 0, true)).await;
    let length = raw
        .hear_until(|frame| match frame {
            Frame::Data(data) => Some(data.into_payload()),
            _ => None,
        })
        .await;
    assert_eq!(length, FRAMES.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_fault_on_one_stream_resets_it_and_no_other() {
    let (_served, socket) = measure(Limits { requests_per_connection: 3, ..Limits::default() });
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

    raw.ask(13, false).await;
    for _ in 0..17 {
        raw.say_bytes(&[&[0, 64, 0, 0, 0, 0, 0, 0, 13][..], &[0; 16384]].concat()).await;
    }
    let mut fields = HeaderMap::new();
    fields.insert(http::header::CONTENT_LENGTH, 3.into());
    let pseudo = Pseudo::request(Method::POST, Uri::from_static("http://test/"), None);
    let head = Headers::new(15.into(), pseudo, fields);
    raw.say(head).await;
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
    let (served, socket) = measure(Limits { requests_per_connection: 1, ..Limits::default() });
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
async fn a_client_gets_as_much_as_it_grants_and_no_more() {
    const LENGTH: usize = 200_000;
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(10));
    let (_served, socket) = answer(LENGTH);
    let mut raw = Raw::greet(socket, settings).await;
    raw.say(WindowUpdate::new(StreamId::ZERO, 1_000_000)).await;
    raw.ask(1, true).await;
    raw.ask(3, true).await;
    let mut got = BTreeMap::from([(1, Vec::new()), (3, Vec::new())]);
    let mut granted = 10;
    // What it takes back may leave it with less than nothing.
    for grant in [0, 1, 20_000, 9, 40_000, 100_000, LENGTH] {
        for id in [1_u32, 3] {
            if grant > 0 {
                raw.say(WindowUpdate::new(id.into(), grant as u32)).await;
            }
        }
        granted = (granted + grant).min(LENGTH);
        while got.values().any(|got| got.len() < granted) {
            let (id, data) = raw
                .hear_until(|frame| match frame {
                    Frame::Data(data) => Some((u32::from(data.stream_id()), data.into_payload())),
                    _ => None,
                })
                .await;
            assert!(data.len() <= 16_384);
            got.get_mut(&id).unwrap().extend_from_slice(&data);
            assert!(got[&id].len() <= granted);
        }
    }
    for got in got.values() {
        assert!(got.iter().enumerate().all(|(n, &byte)| byte == n as u8));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_that_was_reset_has_not_used_goes_to_others() {
    const LENGTH: usize = 150_000;
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(i32::MAX as u32));
    let (_served, socket) = answer(LENGTH);
    let mut raw = Raw::greet(socket, settings).await;
    // Enough for two answers, and a part of each is what is on its way when it is reset.
    raw.say(WindowUpdate::new(StreamId::ZERO, (2 * LENGTH) as u32)).await;
    let mut window = 65_535 + 2 * LENGTH;
    for id in [1_u32, 3, 5] {
        raw.ask(id, true).await;
        raw.hear_until(|frame| match frame {
            Frame::Data(data) => {
                window -= data.payload().len();
                (data.stream_id() == id).then_some(())
            }
            _ => None,
        })
        .await;
        raw.say(Reset::new(id.into(), Reason::CANCEL)).await;
    }
    raw.ask(7, true).await;
    let mut got = 0;
    loop {
        let (id, length, ends) = raw
            .hear_until(|frame| match frame {
                Frame::Data(data) => Some((u32::from(data.stream_id()), data.payload().len(), data.is_end_stream())),
                _ => None,
            })
            .await;
        window = window.checked_sub(length).expect("no more than was granted");
        got += if id == 7 { length } else { 0 };
        if id == 7 && ends {
            break;
        }
    }
    assert_eq!(got, LENGTH);
    // Exactly what is left is there for the next one.
    raw.ask(9, true).await;
    raw.ask(11, true).await;
    let mut left = window;
    while left > 0 {
        let length = raw
            .hear_until(|frame| match frame {
                Frame::Data(data) => Some(data.payload().len()),
                _ => None,
            })
            .await;
        left = left.checked_sub(length).expect("no more than was granted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_takes_nothing_of_the_window() {
    let (_served, socket) = measure(Limits { idle_frames: 10_000, ..Limits::default() });
    let mut raw = Raw::greet(socket, Settings::default()).await;
    let data = |id: u32| [&[0, 0x40, 0, 0, 0][..], &id.to_be_bytes(), &[0; 16384]].concat();
    let mut window = 65_535;
    for n in 0..200 {
        let id = 2 * n + 1;
        let mut frames = Vec::new();
        while window < 2 * 16_384 {
            if let Frame::WindowUpdate(update) = raw.hear().await.unwrap()
                && update.stream_id().is_zero()
            {
                window += update.size_increment() as usize;
            }
        }
        window -= 2 * 16_384;
        raw.ask(id, false).await;
        frames.extend([data(id), data(id)].concat());
        // Three ways to leave a body unread: by the client, at once; by a fault; by a head that is not even looked at.
        match n % 3 {
            0 => frames.extend([&[0, 0, 4, 3, 0][..], &id.to_be_bytes(), &[0, 0, 0, 8]].concat()),
            1 => frames.extend([&[0, 0, 4, 8, 0][..], &id.to_be_bytes(), &[0x7f, 0xff, 0xff, 0xff]].concat()),
            _ => frames.extend(padded(id, b"", 0, true)),
        }
        raw.say_bytes(&frames).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_malformed_head_is_ignored() {
    let (_served, socket) = measure(Limits::default());
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;
    for (id, field) in [(3_u32, ("te", "gzip")), (5, ("connection", "close")), (7, ("content-length", "many"))] {
        let mut fields = HeaderMap::new();
        fields.insert(field.0, field.1.parse().unwrap());
        raw.say(Headers::new(id.into(), Pseudo::request(Method::POST, Uri::from_static("http://test/"), None), fields))
            .await;
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
    let body = Bytes::from(vec![0; 1 << 20]);
    let service = BoxCloneSyncService::new(tower::service_fn(move |_: Request<Inbound>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(body.clone()))))
    }));
    let (ours, theirs) = duplex(64 << 10);
    let (connection, limits) =
        (Arc::new(Connection::new(1, Peer::default())), Limits { requests_per_connection: 2, ..Limits::default() });
    let http = Http::new(limits);
    let mut served = std::pin::pin!(http.serve(ours, &connection, service));
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

#[tokio::test(start_paused = true)]
async fn what_was_granted_by_old_settings_does_not_follow_the_answer_to_new_ones() {
    let (_served, socket) = answer(100_000);
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(60_000));
    settings.set_max_frame_size(Some(30_000));
    let mut raw = Raw::greet(socket, settings).await;
    raw.ask(1, true).await;
    raw.ask(3, true).await;
    let mut smaller = Settings::default();
    smaller.set_initial_window_size(Some(20_000));
    smaller.set_max_frame_size(Some(16_384));
    raw.say(smaller).await;
    let (mut got, mut acks) = (BTreeMap::from([(1, 0_usize), (3, 0)]), 0);
    raw.say(h2::frame::Ping::new([1; 8])).await;
    raw.hear_until(|frame| match frame {
        Frame::Settings(settings) => {
            acks += usize::from(settings.is_ack());
            None
        }
        Frame::Data(data) => {
            let got = got.get_mut(&u32::from(data.stream_id())).unwrap();
            // One that has begun may be finished.
            assert!(acks < 2 || data.payload().len() <= 16_384 && *got < 20_000, "{got} {}", data.payload().len());
            *got += data.payload().len();
            None
        }
        Frame::Ping(ping) => ping.is_ack().then_some(()),
        _ => None,
    })
    .await;
    assert_eq!(acks, 2);
}
