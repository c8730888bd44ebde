#![allow(clippy::unwrap_used, reason = "tests")]
use std::{
    future::poll_fn,
    io::{self, ErrorKind, Read as _},
    os::unix::net::UnixStream as StdUnixStream,
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    runtime::Runtime,
    task::{JoinSet, yield_now},
};
use tokio_util::either::Either;

use super::{super::plain::Plain, *};

/// A runtime whose threads have outboxes.
fn runtime(threads: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    send_together(builder.worker_threads(threads).enable_all()).build().unwrap()
}

/// Runs a connection on such a runtime.
fn run<T: Send + 'static>(threads: usize, connection: impl Future<Output = T> + Send + 'static) -> T {
    join(&runtime(threads), connection)
}

fn join<T: Send + 'static>(runtime: &Runtime, connection: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(runtime.spawn(Turns { connection })).unwrap()
}

/// A connection's socket, and its client's, which nobody waits for.
fn pair() -> (Plain, StdUnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let theirs = theirs.into_std().unwrap();
    (Plain::new(Either::Right(ours)), theirs)
}

/// All that has come.
fn arrived(client: &mut StdUnixStream) -> Vec<u8> {
    let mut arrived = Vec::new();
    match client.read_to_end(&mut arrived) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => arrived,
        other => panic!("{other:?}, after {arrived:?}"),
    }
}

async fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (theirs, ours) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (ours.unwrap().0, theirs.unwrap())
}

#[test]
fn what_was_posted_goes_when_the_thread_rests() {
    run(1, async {
        let (mut socket, mut client) = pair();
        socket.write_all(b"poke").await.unwrap();
        assert_eq!(arrived(&mut client), b"", "it is sent with others");
        client.set_nonblocking(false).unwrap();
        let mut read = [0; 4];
        let reading = tokio::task::spawn_blocking(move || client.read_exact(&mut read).map(|()| read));
        assert_eq!(reading.await.unwrap().unwrap(), *b"poke");
    });
}

#[test]
fn it_goes_though_the_thread_never_rests() {
    run(1, async {
        let (mut socket, mut client) = pair();
        socket.write_all(b"poke").await.unwrap();
        let mut turns = 0;
        while arrived(&mut client).is_empty() {
            assert!(turns < TURNS, "still not sent");
            // Some other connection, that only reads.
            Turns { connection: std::future::ready(()) }.await;
            turns += 1;
        }
    });
}

#[test]
fn it_goes_when_enough_has_come_together() {
    run(1, async {
        let mut pairs: Vec<_> = (0..LETTERS).map(|_| pair()).collect();
        for (n, (socket, _)) in (0..).zip(&mut pairs) {
            assert_eq!(socket.write(&[n]).await.unwrap(), 1);
        }
        for (n, (_, client)) in (0..).zip(&mut pairs) {
            assert_eq!(arrived(client), [n]);
        }
    });
}

#[test]
fn it_goes_before_whatever_is_written_next_and_before_the_end() {
    run(1, async {
        let (mut socket, mut client) = pair();
        socket.write_all(b"small").await.unwrap();
        let large = [1; SMALL + 1];
        socket.write_all(&large).await.unwrap();
        assert_eq!(arrived(&mut client), [b"small", &large[..]].concat());
        socket.write_all(b"one").await.unwrap();
        socket.write_all(b"two").await.unwrap();
        assert_eq!(arrived(&mut client), b"one");
        socket.shutdown().await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"two");
    });
}

#[test]
fn it_goes_when_the_runtime_ends() {
    let runtime = runtime(1);
    let (socket, mut client) = join(&runtime, async {
        let (mut socket, client) = pair();
        socket.write_all(b"last").await.unwrap();
        (socket, client)
    });
    runtime.shutdown_timeout(Duration::from_secs(20));
    assert_eq!(arrived(&mut client), b"last");
    drop(socket);
}

#[test]
fn a_client_that_has_gone_is_an_error_of_its_own_connection() {
    run(1, async {
        let (mut gone, client) = pair();
        drop(client);
        let (mut other, mut client) = pair();
        gone.write_all(b"lost").await.unwrap();
        other.write_all(b"poke").await.unwrap();
        // It is woken for that.
        let failed = poll_fn(|cx| match Pin::new(&mut gone).poll_flush(cx) {
            Poll::Ready(Ok(())) => Poll::Pending,
            other => other,
        });
        assert_eq!(failed.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(arrived(&mut client), b"poke");
        other.write_all(b"more").await.unwrap();
    });
}

#[test]
fn without_outboxes_everything_goes_at_once() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let (mut socket, mut client) = pair();
        socket.write_all(b"poke").await.unwrap();
        assert_eq!(arrived(&mut client), b"poke");
        drop(client);
        assert_eq!(socket.write(b"lost").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn it_goes_though_the_thread_only_accepts() {
    run(1, async {
        let (mut socket, mut client) = pair();
        socket.write_all(b"poke").await.unwrap();
        let accepted = (0..TURNS).position(|_| {
            end_turn();
            !arrived(&mut client).is_empty()
        });
        assert!(accepted.is_some(), "still not sent");
    });
}

#[test]
fn it_goes_in_time_though_turns_are_long() {
    run(1, async {
        let (mut socket, mut client) = pair();
        socket.write_all(b"poke").await.unwrap();
        std::thread::sleep(PATIENCE);
        (0..FEW_TURNS).for_each(|_| end_turn());
        assert_eq!(arrived(&mut client), b"poke");
    });
}

#[test]
fn a_dropped_connection_is_closed_at_once() {
    run(1, async {
        let (mut socket, mut client) = pair();
        socket.write_all(b"last").await.unwrap();
        drop(socket);
        let mut read = Vec::new();
        client.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"last");
    });
}

#[tokio::test]
async fn a_client_that_has_reset_its_connection_does_not_make_the_end_fail() {
    let (ours, theirs) = socket_pair().await;
    SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
    let mut socket = Plain::new(Either::Left(ours));
    drop(theirs);
    // It has come.
    assert_eq!(socket.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    socket.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_comes_is_read_whole_in_whatever_pieces() {
    let (ours, mut theirs) = socket_pair().await;
    let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let copy = sent.clone();
    let speaking = tokio::spawn(async move {
        for piece in copy.chunks(1000) {
            theirs.write_all(piece).await.unwrap();
            yield_now().await;
        }
    });
    let mut socket = Plain::new(Either::Left(ours));
    let (mut read, mut piece) = (Vec::new(), vec![0; 3000]);
    loop {
        let room = 1 + read.len() % piece.len();
        match socket.read(&mut piece[..room]).await.unwrap() {
            0 => break,
            length => read.extend_from_slice(&piece[..length]),
        }
    }
    speaking.await.unwrap();
    assert!(read == sent, "{} of {} bytes, or others", read.len(), sent.len());
}

/// What connection `n` says: in writes of all sizes, most of them small.
fn speech(n: usize) -> Vec<Vec<u8>> {
    let size = |m: usize| match (n + m) % 16 {
        0 => 3 * SMALL,
        rest => 1 + (n * 31 + m * 17) % (SMALL / rest),
    };
    (0..100).map(|m| (0..size(m)).map(|byte| ((n + m + byte) % 251).to_le_bytes()[0]).collect()).collect()
}

async fn speak(ours: Either<TcpStream, UnixStream>, n: usize) -> io::Result<()> {
    let mut socket = Plain::new(ours);
    for (m, words) in speech(n).into_iter().enumerate() {
        socket.write_all(&words).await?;
        socket.flush().await?;
        if !(n + m).is_multiple_of(3) {
            yield_now().await;
        }
    }
    socket.shutdown().await
}

#[test]
fn every_client_gets_all_in_order_however_little_its_socket_takes() {
    run(4, async {
        let mut connections = JoinSet::new();
        let mut clients = JoinSet::new();
        for n in 0..40 {
            let (ours, mut theirs) = if n % 2 == 0 {
                let (ours, theirs) = socket_pair().await;
                // It takes some of a write.
                SockRef::from(&ours).set_send_buffer_size(1).unwrap();
                (Either::Left(ours), Either::Left(theirs))
            } else {
                let (ours, theirs) = UnixStream::pair().unwrap();
                SockRef::from(&ours).set_send_buffer_size(1).unwrap();
                (Either::Right(ours), Either::Right(theirs))
            };
            connections.spawn(Turns { connection: speak(ours, n) });
            clients.spawn(async move {
                let mut read = Vec::new();
                theirs.read_to_end(&mut read).await.unwrap();
                assert!(read == speech(n).concat(), "{n}: {} bytes, or others", read.len());
            });
        }
        while let Some(ended) = connections.join_next().await {
            ended.unwrap().unwrap();
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
    });
}

#[tokio::test]
async fn a_socket_that_takes_no_more_is_waited_for() {
    let (ours, theirs) = socket_pair().await;
    let tcp = (Either::Left(ours), Either::Left(theirs));
    let (ours, theirs) = UnixStream::pair().unwrap();
    for (ours, mut theirs) in [tcp, (Either::Right(ours), Either::Right(theirs))] {
        let sent: Vec<u8> = (0..4_u32 << 20).flat_map(u32::to_be_bytes).collect();
        let mut socket = Plain::new(ours);
        // Nobody reads until the socket is full.
        let mut written = 0;
        let full = poll_fn(|cx| {
            Poll::Ready(loop {
                match Pin::new(&mut socket).poll_write(cx, &sent[written..]) {
                    Poll::Ready(count) => written += count.unwrap(),
                    Poll::Pending => break written,
                }
            })
        });
        assert!((1..sent.len()).contains(&full.await));
        let rest = async {
            socket.write_all(&sent[written..]).await.unwrap();
            socket.shutdown().await.unwrap();
        };
        let mut read = Vec::new();
        let (_, ()) = tokio::join!(theirs.read_to_end(&mut read), rest);
        assert!(read == sent, "{} of {} bytes, or others", read.len(), sent.len());
    }
}
