//! Over TLS connections live and end as they do without it.

use std::time::Duration;

use poke_client::Client;
use poke_tests::{
    Config, Server, Stream,
    frames::{Connection, WIDEST, kind},
    interest, new_pokes, refusal, request, text,
    tls::{Authority, Files, client, connect},
    v1::{Outcome, ReconnectReason, SubscribeRequest, poke_service_client::PokeServiceClient},
    within,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};
use tonic::Code;

/// A server with a certificate of an authority of its own.
async fn server(change: impl FnOnce(Config) -> Config) -> (Authority, Files, Server) {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let server = Server::start(change(files.config())).await;
    (authority, files, server)
}

async fn open(server: &Server, authority: &Authority, filter: &str) -> Stream {
    let client = Client::builder(server.url()).authorities(authority.pem()).build().unwrap();
    let mut stream = Stream::open(&mut PokeServiceClient::new(client.channel()), [new_pokes(interest(filter))]).await;
    stream.live(Outcome::Fresh).await;
    stream
}

/// Waits until the server closes a socket, and gives how long that took.
async fn closed(mut socket: impl tokio::io::AsyncRead + Unpin) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    // By an alert, by FIN or by RST.
    let _ = within("the server to close", socket.read_to_end(&mut rest)).await;
    start.elapsed()
}

#[tokio::test]
async fn who_is_silent_before_in_or_after_the_handshake_is_gone_in_time() {
    let timeout = Duration::from_secs(2);
    let (authority, _files, server) = server(|config| config.text("limits.handshake_timeout", "2s")).await;
    let silent = TcpStream::connect(server.address()).await.unwrap();
    let mut half = TcpStream::connect(server.address()).await.unwrap();
    // The beginning of a record that never ends.
    half.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.unwrap();
    let config = client(&authority, &["h2"], &["1.3"], None);
    let greeted = connect(server.address(), &config).await.unwrap();
    let mut preface = connect(server.address(), &config).await.unwrap();
    preface.write_all(b"PRI * HTTP/2.0").await.unwrap();
    preface.flush().await.unwrap();
    let ends = tokio::join!(closed(silent), closed(half), closed(greeted), closed(preface));
    for end in [ends.0, ends.1, ends.2, ends.3] {
        assert!(end < timeout * 3, "{ends:?}");
    }
    server.metric_becomes("poke_connections_open", |open| open == 0.0).await;
    assert_eq!(server.metrics().await.sum_where("poke_connections_closed_total", "\"handshake\""), 4.0);
}

#[tokio::test]
async fn a_flood_of_silent_sockets_keeps_nobody_waiting() {
    let (authority, _files, server) = server(|config| config).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(&[22, 3]).await.unwrap();
        silent.push(socket);
    }
    let _stream = open(&server, &authority, "f").await;
    assert_eq!(server.metrics().await.sum("poke_connections_open"), 101.0);
}

#[tokio::test]
async fn a_drain_asks_streams_to_move_by_goaway_and_reconnect_and_exits_0() {
    let fast = |config: Config| config.text("drain.window", "1s").text("stream.move_timeout", "1s");
    let (authority, _files, mut server) = server(fast).await;
    let mut stream = open(&server, &authority, "f").await;
    let socket = connect(server.address(), &client(&authority, &["h2"], &["1.3"], None)).await.unwrap();
    let mut raw = Connection::over(socket, WIDEST).await;
    raw.call("Subscribe", &SubscribeRequest { subscriptions: vec![new_pokes(interest("f"))] });
    raw.flush().await.unwrap();
    server.metric_becomes("poke_streams_open", |streams| streams == 2.0).await;

    server.sigterm();
    assert_eq!(stream.asked_to_move().await.reason(), ReconnectReason::Drain);
    let refused = refusal(&stream.end().await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    let mut goaways = 0;
    while let Some(frame) = raw.next().await {
        goaways += usize::from(frame.kind == kind::GOAWAY);
    }
    assert!(goaways > 0);
    assert_eq!(server.exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_handshake() {
    let (_authority, _files, mut server) = server(|config| config.text("limits.handshake_timeout", "300s")).await;
    let mut half = TcpStream::connect(server.address()).await.unwrap();
    half.write_all(&[22, 3, 1]).await.unwrap();
    server.metric_becomes("poke_connections_open", |open| open == 1.0).await;
    server.sigterm();
    assert_eq!(server.exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_dead_peer_is_given_up() {
    let short = |config: Config| config.text("limits.keepalive_interval", "1s").text("limits.keepalive_timeout", "1s");
    let (authority, _files, server) = server(short).await;
    let socket = connect(server.address(), &client(&authority, &["h2"], &["1.3"], None)).await.unwrap();
    let mut dead = Connection::over(socket, WIDEST).await;
    dead.call("Subscribe", &SubscribeRequest { subscriptions: vec![new_pokes(interest("f"))] });
    dead.flush().await.unwrap();
    // It answers no ping, as it reads nothing.
    server.metric_becomes("poke_streams_opened_total", |streams| streams == 1.0).await;
    server.metric_becomes("poke_connections_open", |open| open == 0.0).await;
    assert_eq!(server.metrics().await.sum_where("poke_connections_closed_total", "lost"), 1.0);
}

#[tokio::test]
async fn a_reader_that_stalls_ends_and_harms_nobody() {
    let (authority, _files, server) = server(|config| config.text("stream.stall_timeout", "1s")).await;
    let socket = connect(server.address(), &client(&authority, &["h2"], &["1.3"], None)).await.unwrap();
    let mut stalled = Connection::over(socket, 1000).await;
    stalled.call("Subscribe", &SubscribeRequest { subscriptions: vec![new_pokes(interest("f"))] });
    stalled.flush().await.unwrap();
    let mut reads = open(&server, &authority, "f").await;
    server.metric_becomes("poke_streams_open", |streams| streams == 2.0).await;

    let back_end = Client::builder(server.url()).authorities(authority.pem()).build().unwrap();
    let mut publisher = PokeServiceClient::new(back_end.channel());
    let padding = "x".repeat(100_000);
    for _ in 0..20 {
        let call = publisher.publish(request(&interest("f"), Some(text(&padding))));
        within("Publish", call).await.unwrap();
        reads.poke().await;
    }
    server.metric_becomes("poke_streams_open", |streams| streams == 1.0).await;
    assert_eq!(server.metrics().await.sum_where("poke_streams_ended_total", "stalled"), 1.0);
}
