//! Clients that say nothing, too little, or too slowly.

use std::time::Duration;

use poke_tests::{
    Config, Server, eventually,
    frames::{Connection, END_HEADERS, END_STREAM, head, kind},
    tls::{Authority, Files},
    within,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use super::honest::{self, Honest};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Ways to begin without getting anywhere, in plaintext.
pub(super) fn beginnings() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"P".to_vec(),
        PREFACE[..20].to_vec(),
        PREFACE.to_vec(),
        // The preface, and the beginning of SETTINGS.
        [PREFACE, &[0, 0, 6, 4, 0]].concat(),
        b"POST /poke.v1.PokeService/Publish HTTP/1.1\r\nhost: local".to_vec(),
        b"\r\n\r\n\r\n".to_vec(),
    ]
}

/// The same within TLS's handshake, and before it.
fn tls_beginnings() -> Vec<Vec<u8>> {
    vec![Vec::new(), vec![22], vec![22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]]
}

/// Opens this many sockets, each with one of the beginnings, and gives how long the server took to close the last.
async fn wait_out(server: &Server, count: usize, beginnings: &[Vec<u8>]) -> Duration {
    let mut sockets = Vec::with_capacity(count);
    for beginning in beginnings.iter().cycle().take(count) {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(beginning).await.unwrap();
        sockets.push(socket);
    }
    let start = Instant::now();
    for socket in &mut sockets {
        let mut rest = Vec::new();
        // By FIN or by RST.
        let _ = within("the server to close", socket.read_to_end(&mut rest)).await;
    }
    start.elapsed()
}

#[tokio::test]
async fn of_500_silent_sockets_each_is_closed_in_time_and_streams_live_on() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let plain = Server::start(honest::config()).await;
    let secure = Server::start(files.config()).await;
    let honest = Honest::beside(&plain).await;
    let (plaintext, tls) = (beginnings(), tls_beginnings());
    let took = tokio::join!(wait_out(&plain, 500, &plaintext), wait_out(&secure, 500, &tls));
    // The default is 10 s; a loaded machine is slow.
    assert!(took.0 < Duration::from_secs(20) && took.1 < Duration::from_secs(20), "{took:?}");
    for (server, held) in [(&plain, 5.0), (&secure, 0.0)] {
        server.metric_becomes("poke_connections_open", |open| open <= held).await;
        // Who sends what is no HTTP at all needn't be waited for.
        let handshake = server.metrics().await.sum_where("poke_connections_closed_total", "handshake");
        assert!(handshake >= 400.0, "{handshake}");
    }
    honest.unharmed(&plain).await;
}

#[tokio::test]
async fn a_head_or_body_that_trickles_in_ends_in_time() {
    let config = honest::config().text("limits.request_timeout", "2s").text("limits.handshake_timeout", "2s");
    let server = Server::start(config).await;
    let honest = Honest::beside(&server).await;
    let mut tricklers = tokio::task::JoinSet::new();
    for i in 0..50 {
        let address = server.address();
        // A body by HTTP/2; a body, and a head, by HTTP/1.1.
        match i % 3 {
            0 => drop(tricklers.spawn(trickle_frames(address))),
            1 => drop(tricklers.spawn(trickle(
                address,
                "POST /poke.v1.PokeService/Publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 content-length: 1000\r\n\r\n",
                "504",
            ))),
            _ => drop(tricklers.spawn(trickle(address, "POST /poke.v1.PokeService/Publish HTTP/1.1\r\nx: ", ""))),
        }
    }
    within("all of them to be ended", tricklers.join_all()).await;
    server.metric_becomes("poke_request_bytes", |bytes| bytes == 0.0).await;
    let refused = server.metrics().await.sum_where("poke_publish_refused_total", "deadline_exceeded");
    assert!(refused >= 33.0, "{refused}");
    honest.unharmed(&server).await;
}

/// A byte now and then, until the stream has ended.
async fn trickle_frames(address: std::net::SocketAddr) {
    let mut connection = Connection::open(address).await;
    let stream = connection.open_stream(END_HEADERS, &head("Publish", "application/grpc"));
    connection.put(kind::DATA, 0, stream, &[0, 0, 0, 3, 0]);
    connection.flush().await.unwrap();
    loop {
        connection.put(kind::DATA, 0, stream, b" ");
        connection.flush().await.unwrap();
        let pause = tokio::time::sleep(Duration::from_millis(100));
        let ended = async {
            while let Some(frame) = connection.next().await {
                if frame.stream == stream && (frame.flags & END_STREAM != 0 || frame.kind == kind::RST_STREAM) {
                    break;
                }
            }
        };
        tokio::select! {
            () = pause => {}
            () = ended => return,
        }
    }
}

/// A byte now and then, until the server closes. The answer begins with this status, or there is none.
async fn trickle(address: std::net::SocketAddr, head: &str, status: &str) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = socket.split();
    let mut answer = Vec::new();
    let endless = async {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = read.read_to_end(&mut answer) => {}
        () = endless => {}
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(status.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
}

#[tokio::test]
async fn without_descriptors_nothing_spins_streams_live_on_and_newcomers_come_in_later() {
    let server = Server::start(Config::new()).await;
    let honest = Honest::beside(&server).await;
    // Room for a few; the scrapes of this test are connections as well.
    let limit = server.descriptors() + 10;
    server.limit_descriptors(limit);
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(TcpStream::connect(server.address()).await.unwrap());
    }
    eventually("descriptors to run out", async || (server.descriptors() >= limit).then_some(())).await;
    // Accept fails now, again and again, with a pause in between.
    let ticks = server.cpu_ticks();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let spent = server.cpu_ticks() - ticks;
    assert!(spent < 200, "{spent} ticks of 10 ms in 3 s: the accept loop spins");
    drop(crowd);
    server.metric_becomes("poke_connections_open", |open| open <= 6.0).await;
    assert!(server.metrics().await.sum_where("poke_accept_errors_total", "exhausted") >= 1.0);
    server.publisher().await.poke(&poke_tests::interest("later"), "is accepted").await;
    let warnings = server.log().iter().filter(|line| line.contains("can't accept connections")).count();
    assert!((1..=10).contains(&warnings), "{warnings}");
    honest.unharmed(&server).await;
}
