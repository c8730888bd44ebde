//! Requests whose header fields are larger than they may be.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use h2::frame::{Frame, Headers, Pseudo, Settings};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::Full;

use super::{raw::Raw, *};
use crate::metrics::{Metrics, RequestRefused};

const KIB: usize = 1 << 10;

/// A connection whose answers repeat the field `mark` of the request.
fn echo(metrics: &Arc<Metrics>, limits: Limits) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    let service = BoxCloneSyncService::new(tower::service_fn(async |request: Request<Inbound>| {
        let mark = request.headers().get("mark").map_or(Bytes::new(), |mark| Bytes::copy_from_slice(mark.as_bytes()));
        Ok::<_, Infallible>(Response::new(Full::new(mark)))
    }));
    let (ours, theirs) = duplex(32 << 10);
    let connection = Arc::new(Connection::new(1, Peer::default(), Arc::clone(metrics)));
    (tokio::spawn(async move { Http::new(limits).serve(ours, &connection, service).await }), theirs)
}

/// A request with these fields, and one that the client's table holds from the first one on.
async fn ask(raw: &mut Raw, id: u32, content_type: &'static str, mut fields: HeaderMap) {
    fields.insert("content-type", HeaderValue::from_static(content_type));
    fields.insert("mark", HeaderValue::from_static("in the client's table"));
    let pseudo = Pseudo::request(Method::POST, Uri::from_static("http://test/"), None);
    let mut head = Headers::new(id.into(), pseudo, fields);
    head.set_end_stream();
    raw.say(head).await;
}

/// As many bytes in fields of this size. Each adds to the client's table, and throws out what was in it.
fn fields(bytes: usize, each: usize) -> HeaderMap {
    let value = |n: usize| HeaderValue::try_from(format!("{n}{}", "v".repeat(each))).unwrap();
    (0..bytes / each).map(|n| (HeaderName::try_from(format!("x-{n}")).unwrap(), value(n))).collect()
}

/// The head of the answer on a stream.
async fn answered(raw: &mut Raw, id: u32) -> (u16, HeaderMap) {
    raw.hear_until(|frame| match frame {
        Frame::Headers(headers) if headers.stream_id() == id => {
            let (pseudo, fields) = headers.into_parts();
            Some((pseudo.status.unwrap().as_u16(), fields))
        }
        Frame::GoAway(goaway) => panic!("the connection ends: {goaway:?}"),
        Frame::Reset(reset) => panic!("the stream is reset: {reset:?}"),
        _ => None,
    })
    .await
}

async fn data(raw: &mut Raw) -> Bytes {
    raw.hear_until(|frame| match frame {
        Frame::Data(data) => Some(data.into_payload()),
        Frame::GoAway(goaway) => panic!("the connection ends: {goaway:?}"),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_request_with_too_large_headers_is_refused_alone_in_words_that_its_client_reads() {
    let metrics = Arc::new(Metrics::new());
    let (_served, socket) = echo(&metrics, Limits::default());
    let mut raw = Raw::greet(socket, Settings::default()).await;
    let (mut id, mut refused) = (1, 0);
    for (bytes, each) in [(17, 17), (20, 1), (40, 40), (40, 1), (70, 70), (100, 1), (200, 200), (200, 2)] {
        for content_type in ["application/grpc", "application/grpc+proto", "application/json", "application/grpc-web"] {
            let what = format!("{bytes} KiB in fields of {each} KiB, {content_type}");
            ask(&mut raw, id, content_type, fields(bytes * KIB, each * KIB)).await;
            let (status, answer) = answered(&mut raw, id).await;
            if content_type.starts_with("application/grpc") && content_type != "application/grpc-web" {
                assert_eq!((status, &answer["grpc-status"]), (200, &HeaderValue::from_static("8")), "{what}");
                let message = answer["grpc-message"].to_str().unwrap();
                assert!(message.contains("header") && message.contains("16384"), "{what}: {message}");
            } else {
                assert_eq!(status, 431, "{what}");
                assert!(data(&mut raw).await.starts_with(b"431: the header fields"), "{what}");
            }
            refused += 1;
            // The next one is understood, though both sides' tables were filled on the way.
            ask(&mut raw, id + 2, content_type, HeaderMap::new()).await;
            assert_eq!(data(&mut raw).await, "in the client's table", "{what}");
            id += 4;
        }
    }
    assert_eq!(metrics.requests_refused.get(RequestRefused::HeaderBytes), refused);
    assert_eq!(metrics.partial_headers.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn headers_up_to_the_limit_are_taken() {
    let (_served, socket) = echo(&Arc::default(), Limits::default());
    let mut raw = Raw::greet(socket, Settings::default()).await;
    ask(&mut raw, 1, "application/grpc", fields(15 * KIB, KIB)).await;
    assert_eq!(data(&mut raw).await, "in the client's table");
}

/// A header block of as many bytes, in fields of this size that no table remembers (RFC 7541, section 6.2.2).
fn block(bytes: usize, each: usize) -> Vec<u8> {
    let mut field = vec![0, 1, b'x', 127];
    let mut rest = each - 127;
    while rest > 127 {
        field.push(128 | (rest % 128) as u8);
        rest /= 128;
    }
    field.push(rest as u8);
    field.resize(field.len() + each, b'v');
    field.repeat(bytes / each)
}

/// HEADERS of a new stream and CONTINUATION, the last of which ends the block if it `ends`.
fn frames(id: u32, block: &[u8], ends: bool) -> Vec<u8> {
    let parts: Vec<_> = block.chunks(16 * KIB).collect();
    let mut frames = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        let [.., a, b, c] = part.len().to_be_bytes();
        let is_last = ends && n == parts.len() - 1;
        frames.extend([a, b, c, if n == 0 { 1 } else { 9 }, if is_last { 4 } else { 0 }]);
        frames.extend(id.to_be_bytes());
        frames.extend(*part);
    }
    frames
}

/// Writes what the server takes of these frames, and says what it said until it closed.
async fn last_words(socket: DuplexStream, frames: &[u8]) -> Vec<u8> {
    let mut raw = Raw::greet(socket, Settings::default()).await;
    let socket = raw.0.get_mut();
    // It may have closed before it has read everything.
    let _ = socket.write_all(frames).await;
    let mut heard = Vec::new();
    let _ = timeout(Duration::from_secs(5), socket.read_to_end(&mut heard)).await.unwrap();
    heard
}

fn says(heard: &[u8], text: &str) -> bool {
    heard.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(start_paused = true)]
async fn far_too_large_headers_end_the_connection_with_the_reason() {
    for (bytes, each) in [(300, 300), (300, 1), (2000, 1)] {
        let metrics = Arc::new(Metrics::new());
        let (served, socket) = echo(&metrics, Limits::default());
        let heard = last_words(socket, &frames(1, &block(bytes * KIB, each * KIB), true)).await;
        let what = format!("{bytes} KiB in fields of {each} KiB");
        assert!(says(&heard, "the header fields of a request are far too large"), "{what}: {heard:?}");
        assert_eq!(served.await.unwrap(), ConnectionEnd::Abuse, "{what}");
        assert_eq!(metrics.partial_headers.get(), 0, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_small_frames_and_headers_that_unpack_to_far_more_end_it_too() {
    let tiny: Vec<u8> = (0..100).flat_map(|_| [0, 0, 1, 9, 0, 0, 0, 0, 1, 0]).collect();
    let begun = [&[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x83][..], &tiny].concat();
    // A field of 4,000 bytes that the table keeps, and a reference of one byte to it, 1,000 times.
    let mut bomb = block(4000, 4000);
    bomb[0] = 0x40;
    bomb.resize(bomb.len() + 1000, 0xbe);
    for (frames, text) in [(begun, "too_many_continuations"), (frames(1, &bomb, true), "header_list_way_too_large")] {
        let (served, socket) = echo(&Arc::default(), Limits::default());
        let heard = last_words(socket, &frames).await;
        assert!(says(&heard, text), "{text}: {heard:?}");
        assert_eq!(served.await.unwrap(), ConnectionEnd::Protocol);
    }
}

#[tokio::test(start_paused = true)]
async fn headers_that_never_become_whole_end_the_connection_and_hold_no_memory_for_ever() {
    let metrics = Arc::new(Metrics::new());
    let began = Instant::now();
    let (served, socket) = echo(&metrics, Limits::default());
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.say_bytes(&frames(1, &block(20 * KIB, KIB), false)).await;
    // The client isn't silent: the next frame comes a byte at a time.
    for byte in [0, 64, 0, 9, 0, 0, 0, 0, 1].into_iter().chain(std::iter::repeat(0)) {
        if served.is_finished() {
            break;
        }
        let _ = raw.0.get_mut().write_all(&[byte]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(served.await.unwrap(), ConnectionEnd::Abuse);
    assert!(began.elapsed() <= Duration::from_secs(61), "{:?}", began.elapsed());
    assert_eq!(metrics.partial_headers.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn so_many_connections_hold_unfinished_headers_at_once_and_no_more() {
    let metrics = Arc::new(Metrics::new());
    let limits = Limits { request_bytes: 3 << 20, ..Limits::default() };
    assert_eq!(limits.partial_headers(), 2);
    let unfinished = frames(1, &block(20 * KIB, KIB), false);
    let mut held = Vec::new();
    for _ in 0..2 {
        let (_, socket) = echo(&metrics, limits.clone());
        let mut raw = Raw::greet(socket, Settings::default()).await;
        raw.say_bytes(&unfinished).await;
        held.push(raw);
    }
    while metrics.partial_headers.get() < 2 {
        tokio::task::yield_now().await;
    }
    let (_, socket) = echo(&metrics, limits.clone());
    let heard = last_words(socket, &unfinished).await;
    assert!(says(&heard, "too many requests with large header fields at once"), "{heard:?}");
    // With those gone there is room again.
    drop(held);
    while metrics.partial_headers.get() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (_served, socket) = echo(&metrics, limits);
    let mut raw = Raw::greet(socket, Settings::default()).await;
    ask(&mut raw, 1, "application/grpc", fields(40 * KIB, KIB)).await;
    assert_eq!(answered(&mut raw, 1).await.1["grpc-status"], "8");
}
