//! Connections against raw clients: h2 over memory on a paused clock, and real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::client::SendRequest;
use http_body_util::{StreamBody, combinators::BoxBody};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tower::util::BoxCloneSyncService;

use super::{handle::Ask, *};
use crate::metrics::{ConnectionEnd, ConnectionRefused};

mod concurrency;
mod credit;
mod faults;
mod headers;
mod linger;
mod raw;
mod streams;

type Answer = Response<BoxBody<Bytes, Infallible>>;
type Frames = mpsc::Receiver<Result<http_body::Frame<Bytes>, Infallible>>;

/// A service whose answers take their bodies from here, one after the other.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Vec<Frames>>>);

impl Scripted {
    /// A body for the next answer. It ends when the sender is dropped.
    fn body(&self) -> mpsc::Sender<Result<http_body::Frame<Bytes>, Infallible>> {
        let (sender, frames) = mpsc::channel(1);
        self.0.lock().unwrap().push(frames);
        sender
    }

    fn service(&self) -> BoxCloneSyncService<Request<Inbound>, Answer, Infallible> {
        let bodies = Arc::clone(&self.0);
        BoxCloneSyncService::new(tower::service_fn(move |_| {
            let frames = bodies.lock().unwrap().pop();
            let body = StreamBody::new(futures_util::stream::unfold(frames, async |frames| {
                let mut frames = frames?;
                Some((frames.recv().await?, Some(frames)))
            }));
            std::future::ready(Ok(Response::new(BoxBody::new(body))))
        }))
    }
}

/// A connection of a test, over memory.
struct Served {
    connection: Arc<Connection>,
    task: JoinHandle<ConnectionEnd>,
    began: Instant,
}

impl Served {
    fn start(scripted: &Scripted) -> (Self, DuplexStream) {
        let (ours, theirs) = duplex(64 << 10);
        let connection = Arc::new(Connection::new(1, Peer::default(), Arc::default()));
        let service = scripted.service();
        let task = tokio::spawn({
            let connection = Arc::clone(&connection);
            async move { Http::new(Limits::default()).serve(ours, &connection, service).await }
        });
        (Self { connection, task, began: Instant::now() }, theirs)
    }

    /// How the connection ended, and after how many seconds.
    async fn end(self) -> (ConnectionEnd, u64) {
        let end = self.task.await.unwrap();
        (end, self.began.elapsed().as_secs())
    }
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs()
}

/// Sees the types of the HTTP/2 frames that come in.
struct Recorded<T> {
    socket: T,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Recorded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buf);
        self.seen.lock().unwrap().extend_from_slice(&buf.filled()[before..]);
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Recorded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// The types (RFC 9113, section 6) of the frames in what was read.
fn frame_types(seen: &Mutex<Vec<u8>>) -> Vec<u8> {
    let seen = seen.lock().unwrap();
    let mut rest = &seen[..];
    let mut types = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, payload @ ..] = rest {
        types.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        rest = payload.get(length..).unwrap_or_default();
    }
    types
}

const DATA: u8 = 0;
const GOAWAY: u8 = 7;

async fn http2<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    socket: T,
) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (send, connection) = h2::client::handshake(socket).await.unwrap();
    (send, tokio::spawn(connection))
}

fn get() -> Request<()> {
    Request::get("http://test/").body(()).unwrap()
}

fn data(text: &'static str) -> Result<http_body::Frame<Bytes>, Infallible> {
    Ok(http_body::Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_too_little_is_cut_off() {
    let deadline = seconds(Limits::default().handshake_timeout);
    for half in ["", "PRI * HTT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nhost: test\r\nx-and-so-on: "] {
        let (served, mut client) = Served::start(&Scripted::default());
        client.write_all(half.as_bytes()).await.unwrap();
        assert_eq!(served.end().await, (ConnectionEnd::Handshake, deadline), "{half:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_trickles_its_request_is_cut_off_all_the_same() {
    let (served, mut client) = Served::start(&Scripted::default());
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if client.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    let (end, ()) = tokio::join!(served.end(), trickle);
    assert_eq!(end, (ConnectionEnd::Handshake, seconds(Limits::default().handshake_timeout)));
}

#[tokio::test(start_paused = true)]
async fn retiring_sends_goaway_at_once_and_leaves_streams_alone() {
    let scripted = Scripted::default();
    let body = scripted.body();
    let (served, client) = Served::start(&scripted);
    let seen = Arc::default();
    let (mut send, client) = http2(Recorded { socket: client, seen: Arc::clone(&seen) }).await;
    let (answer, _) = send.send_request(get(), true).unwrap();
    let mut answer = answer.await.unwrap().into_body();
    assert!(!served.connection.is_retired());

    served.connection.retire();
    served.connection.retire();
    while !served.connection.is_retired() {
        tokio::task::yield_now().await;
    }
    // What is sent as soon as the connection says that it is retired comes after GOAWAY.
    body.send(data("after")).await.unwrap();
    assert_eq!(answer.data().await.unwrap().unwrap(), "after");
    let types = frame_types(&seen);
    let place = |kind| types.iter().position(|&t| t == kind).unwrap();
    assert!(place(GOAWAY) < place(DATA), "{types:?}");

    // No more requests here, and the open one goes on for as long as it likes.
    let refused = std::future::poll_fn(|cx| send.poll_ready(cx)).await.unwrap_err();
    assert_eq!(refused.reason(), Some(h2::Reason::NO_ERROR));
    tokio::time::sleep(Duration::from_secs(3000)).await;
    body.send(data("late")).await.unwrap();
    assert_eq!(answer.data().await.unwrap().unwrap(), "late");

    // With its last stream the connection ends.
    drop(body);
    while let Some(rest) = answer.data().await {
        assert_eq!(rest.unwrap(), "");
    }
    assert_eq!(served.end().await.0, ConnectionEnd::Closed);
    client.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_retired_before_its_first_byte_ends() {
    let (served, _client) = Served::start(&Scripted::default());
    served.connection.retire();
    assert_eq!(served.end().await.0, ConnectionEnd::Closed);
}

#[tokio::test(start_paused = true)]
async fn closing_drops_what_is_open() {
    let scripted = Scripted::default();
    let body = scripted.body();
    let (served, client) = Served::start(&scripted);
    let (mut send, _client) = http2(client).await;
    let (answer, _) = send.send_request(get(), true).unwrap();
    let mut answer = answer.await.unwrap().into_body();
    served.connection.close();
    assert!(answer.data().await.unwrap().is_err());
    // The stream is gone on this side as well.
    body.closed().await;
    assert_eq!(served.end().await.0, ConnectionEnd::Cut);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_to_go_and_a_busy_one_is_not() {
    let limits = Limits::default();
    let scripted = Scripted::default();
    let body = scripted.body();
    let (served, client) = Served::start(&scripted);
    let (mut send, _client) = http2(client).await;
    let (answer, _) = send.send_request(get(), true).unwrap();
    let _answer = answer.await.unwrap();
    tokio::time::sleep(3 * limits.idle_timeout).await;
    assert!(!served.connection.is_retired());
    drop(body);
    let (end, after) = served.end().await;
    assert_eq!((end, after), (ConnectionEnd::Closed, 4 * seconds(limits.idle_timeout)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_http1_connection_ends_too() {
    let scripted = Scripted::default();
    let (served, mut client) = Served::start(&scripted);
    client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains(concat!("server: poke-server/", env!("CARGO_PKG_VERSION"))), "{answer}");
    assert_eq!(served.end().await, (ConnectionEnd::Closed, seconds(Limits::default().idle_timeout)));
}

#[tokio::test(start_paused = true)]
async fn an_http1_client_is_told_that_its_connection_ends_when_its_request_is_left_unread() {
    for (request, ends) in [
        ("GET / HTTP/1.1\r\nhost: test\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nits beginning", true),
        ("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nchunk\r\n", true),
    ] {
        let (_served, mut client) = Served::start(&Scripted::default());
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1000];
        let length = client.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert_eq!(answer.contains("\r\nconnection: close\r\n"), ends, "{request:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let limits = Limits::default();
    let (served, mut client) = Served::start(&Scripted::default());
    // A client that greets and then vanishes without a word: its side stays open, but nobody reads.
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let patience = seconds(limits.keepalive_interval + limits.keepalive_timeout);
    assert_eq!(served.end().await, (ConnectionEnd::Lost, patience));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_ping_every_ten_seconds() {
    let scripted = Scripted::default();
    let body = scripted.body();
    let (served, client) = Served::start(&scripted);
    let (mut send, mut connection) = h2::client::handshake(client).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    tokio::spawn(connection);
    let (answer, _) = send.send_request(get(), true).unwrap();
    let mut answer = answer.await.unwrap().into_body();
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        pings.ping(h2::Ping::opaque()).await.unwrap();
    }
    body.send(data("still here")).await.unwrap();
    assert_eq!(answer.data().await.unwrap().unwrap(), "still here");
    assert!(!served.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn ends_are_told_apart() {
    let (served, client) = Served::start(&Scripted::default());
    drop(client);
    assert_eq!(served.end().await.0, ConnectionEnd::Closed);

    let (served, mut client) = Served::start(&Scripted::default());
    client.write_all(b"this is no HTTP at all\r\n\r\n").await.unwrap();
    assert_eq!(served.end().await.0, ConnectionEnd::Protocol);
}

#[tokio::test]
async fn a_request_for_closing_outdoes_one_for_retiring() {
    let connection = Connection::new(1, Peer::default(), Arc::default());
    connection.retire();
    connection.close();
    assert_eq!(connection.asked().await, Ask::Close);
}

/// An acceptor on a real socket.
async fn accept(limits: &Limits, scripted: &Scripted) -> (std::net::SocketAddr, Arc<Connections>, Arc<Metrics>) {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let crate::config::Address::Tcp(address) = *listener.address() else { unreachable!("it listens on TCP") };
    let metrics = Arc::new(Metrics::new());
    let connections = Arc::new(Connections::new(limits.connections, Arc::clone(&metrics)));
    let acceptor = Arc::new(Acceptor::new(limits, Arc::clone(&connections), Arc::clone(&metrics), scripted.service()));
    tokio::spawn(async move { acceptor.run(&listener).await });
    (address, connections, metrics)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("it takes far less than 20 s")
}

#[tokio::test]
async fn a_connection_over_the_limit_is_closed_and_the_others_live() {
    let scripted = Scripted::default();
    let limits = Limits { connections: 1, ..Limits::default() };
    let (address, connections, metrics) = accept(&limits, &scripted).await;
    let (mut send, first) = http2(TcpStream::connect(address).await.unwrap()).await;

    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(within(second.read(&mut [0])).await.unwrap_or(0), 0);
    assert_eq!(metrics.connections_refused.get(ConnectionRefused::Limit), 1);

    let (answer, _) = send.send_request(get(), true).unwrap();
    assert_eq!(within(answer).await.unwrap().status(), 200);
    drop(send);
    first.abort();
    within(connections.gone()).await;
    assert_eq!((metrics.connections_open.get(), metrics.connections_opened.get()), (0, 1));
}

#[tokio::test]
async fn connections_that_clients_abort_leave_nothing_behind() {
    let (address, connections, metrics) = accept(&Limits::default(), &Scripted::default()).await;
    for _ in 0..100 {
        let socket = TcpStream::connect(address).await.unwrap();
        // Dropping it now sends RST in place of FIN.
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    let (mut send, client) = http2(TcpStream::connect(address).await.unwrap()).await;
    let (answer, _) = send.send_request(get(), true).unwrap();
    within(answer).await.unwrap();
    drop(send);
    client.abort();
    within(connections.gone()).await;
    assert_eq!(metrics.connections_open.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_at_all_is_given_up_too() {
    let limits = Limits::default();
    let scripted = Scripted::default();
    let body = scripted.body();
    let (served, mut client) = Served::start(&scripted);
    // A greeting, a window for everything, a request; and then nothing is read, not even what the socket holds.
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff").await.unwrap();
    client.write_all(b"\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0").await.unwrap();
    client.write_all(b"\0\0\x07\x01\x05\0\0\0\x01\x82\x86\x84\x41\x02ab").await.unwrap();
    let chatter =
        async { while body.send(Ok(http_body::Frame::data(Bytes::from_static(&[0; 16 << 10])))).await.is_ok() {} };
    let (end, ()) = tokio::join!(timeout(10 * limits.keepalive_interval, served.end()), chatter);
    let (end, after) = end.unwrap();
    assert_eq!(end, ConnectionEnd::Lost);
    assert!(after <= 2 * seconds(limits.keepalive_interval + limits.keepalive_timeout), "{after}");
}
