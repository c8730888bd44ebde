//! Clients whose network ends without a word, and clients by the address that they come from.

use std::net::SocketAddr;

use poke_tests::{
    Config, Server,
    frames::{Connection, Messages, kind},
    interest,
    network::Elsewhere,
    new_pokes,
    v1::{SubscribeRequest, SubscribeResponse},
    within,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn wanted() -> SubscribeRequest {
    SubscribeRequest { subscriptions: vec![new_pokes(interest("x"))] }
}

/// A stream over HTTP/2, read until it lives.
async fn http2(socket: TcpStream) -> Connection {
    let mut connection = Connection::over(socket, 1 << 20).await;
    connection.call("Subscribe", &wanted());
    connection.flush().await.unwrap();
    let mut messages = Messages::default();
    loop {
        let frame = connection.next().await.expect("the server keeps the connection");
        if frame.kind == kind::DATA {
            messages.push(&frame.payload);
            if messages.pop::<SubscribeResponse>().is_some() {
                return connection;
            }
        }
    }
}

/// A stream over HTTP/1.1, which has no pings.
async fn http1(mut socket: TcpStream) -> TcpStream {
    let body = r#"{"subscriptions":[{"interest":{"domain":"PLAYLIST","filter":"x"}}]}"#;
    let head = format!(
        "POST /poke.v1.PokeService/Subscribe HTTP/1.1\r\nhost: test\r\ncontent-type: application/connect+json\r\n\
         content-length: {}\r\n\r\n",
        5 + body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&[0, 0, 0, 0, u8::try_from(body.len()).unwrap()]).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    within("the head of an answer", socket.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    socket
}

#[tokio::test]
async fn clients_that_are_cut_off_without_a_word_are_gone_after_the_keepalive() {
    let Some(elsewhere) = Elsewhere::new() else { return };
    let config = Config::new().text("limits.keepalive_interval", "1s").text("limits.keepalive_timeout", "1s");
    let server = Server::start(config.listen(SocketAddr::from((elsewhere.here(), 0)))).await;
    let descriptors = server.descriptors();
    let (mut with_pings, mut without) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        with_pings.push(http2(elsewhere.connect(server.address(), 0).await.unwrap()).await);
        without.push(http1(elsewhere.connect(server.address(), 0).await.unwrap()).await);
    }
    // And some that have said nothing yet, or only half of it.
    let mut beginnings = Vec::new();
    for _ in 0..10 {
        let mut socket = elsewhere.connect(server.address(), 0).await.unwrap();
        socket.write_all(b"POST /poke.v1.Po").await.unwrap();
        beginnings.push(socket);
    }
    server.metric_becomes("poke_connections_open", |open| open == 130.0).await;
    assert_eq!(server.metrics().await.sum("poke_streams_open"), 120.0);
    let here = server.subscribe([new_pokes(interest("x"))]).await;

    elsewhere.cut();
    server.metric_becomes("poke_streams_open", |open| open == 1.0).await;
    server.metric_becomes("poke_connections_open", |open| open == 1.0).await;
    assert!(server.descriptors() <= descriptors + 4, "{} of {descriptors}", server.descriptors());
    let metrics = server.metrics().await;
    assert!(metrics.sum_where("poke_connections_closed_total", "lost") >= 120.0);
    let loud: Vec<_> = server.log().into_iter().filter(|line| line.contains("cut") && line.contains("WARN")).collect();
    assert!(loud.is_empty(), "{loud:?}");
    drop((here, with_pings, without, beginnings));
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_streams_and_the_others_have_theirs() {
    let Some(elsewhere) = Elsewhere::new() else { return };
    let config = Config::new().set("limits.connections_per_address", 3).set("limits.streams_per_address", 2);
    // As many proxies and containers connect: IPv4 on a listener of both families.
    let server = Server::start(config.listen("[::]:0")).await;
    let address = SocketAddr::from((elsewhere.here(), server.address().port()));
    let connect = async |from| elsewhere.connect(address, from).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(http2(connect(0).await).await);
    }
    // One more connection, with no room for its stream.
    let mut third = Connection::over(connect(0).await, 1 << 20).await;
    third.call("Subscribe", &wanted());
    third.flush().await.unwrap();
    server.metric_becomes("poke_streams_over_limit_total", |refused| refused == 1.0).await;
    assert_eq!(server.metrics().await.sum_where("poke_streams_over_limit_total", "address"), 1.0);
    let read = within("the end", connect(0).await.read(&mut [0])).await;
    assert!(!matches!(read, Ok(1..)), "a fourth connection is closed at once");
    assert_eq!(server.metrics().await.sum_where("poke_connections_refused_total", "address"), 1.0);
    let another = http2(connect(1).await).await;
    // This machine has no bound, since a proxy on it carries everyone.
    let mut here = Vec::new();
    for _ in 0..5 {
        let address = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
        here.push(http2(TcpStream::connect(address).await.unwrap()).await);
    }
    held.pop();
    server.metric_becomes("poke_streams_open", |open| open == 7.0).await;
    third.call("Subscribe", &wanted());
    third.flush().await.unwrap();
    server.metric_becomes("poke_streams_open", |open| open == 8.0).await;
    drop((held, another, here));
}
