//! What TLS promises to clients: who gets in, by which protocol, and what those hear who don't.

use std::net::SocketAddr;

use poke_client::{Client, Error, ErrorKind, Event, Interest, Publish, TlsProblem};
use poke_tests::{
    Config, Metrics, Server, eventually,
    frames::{Connection, Messages, WIDEST, kind},
    http, interest, request, text,
    tls::{Authority, Files, client, connect},
    v1::PublishResponse,
    within,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::rustls::{AlertDescription, Error as TlsError, HandshakeKind, ProtocolVersion};

/// A server with a certificate of an authority of its own.
async fn server() -> (Authority, Files, Server) {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let server = Server::start(files.config()).await;
    (authority, files, server)
}

fn sdk(server: &Server, authority: &Authority) -> Client {
    Client::builder(server.url()).authorities(authority.pem()).build().unwrap()
}

/// Publishes over HTTP/2 by hand.
async fn publish_by_http2<T: AsyncRead + AsyncWrite + Unpin>(socket: T) -> PublishResponse {
    let mut connection = Connection::over(socket, WIDEST).await;
    connection.call("Publish", &request(&interest("raw"), Some(text("x"))));
    connection.flush().await.unwrap();
    let mut messages = Messages::default();
    loop {
        let frame = connection.next().await.unwrap();
        if frame.kind == kind::DATA {
            messages.push(&frame.payload);
        }
        if let Some(answer) = messages.pop() {
            return answer;
        }
    }
}

/// Publishes by Connect over HTTP/1.1, and gives the whole answer.
async fn publish_by_http1<T: AsyncRead + AsyncWrite + Unpin>(mut socket: T) -> String {
    let body = r#"{"domain":"PLAYLIST","filter":"raw","data":"x"}"#;
    let head = "POST /poke.v1.PokeService/Publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
    let request = format!("{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).await.unwrap();
    read_all(&mut socket).await
}

/// What comes until the server closes, however it does that.
async fn read_all(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let _ = within("the end of the connection", socket.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn failures(metrics: &Metrics, reason: &str) -> f64 {
    metrics.sum_where("poke_tls_failures_total", reason)
}

/// What rustls said, below an I/O error.
fn alert(error: &std::io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        TlsError::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

async fn refused(url: String, authority: Option<&Authority>) -> Error {
    let mut client = Client::builder(url);
    if let Some(authority) = authority {
        client = client.authorities(authority.pem());
    }
    within("the answer", client.build().unwrap().publish(Publish::new("PLAYLIST", "f"))).await.unwrap_err()
}

#[tokio::test]
async fn the_sdk_publishes_and_listens() {
    let (authority, _files, server) = server().await;
    assert!(server.url().starts_with("https://"), "{}", server.url());
    let client = sdk(&server, &authority);
    let mut pokes = client.subscribe([Interest::new("PLAYLIST", "f")]);
    while !matches!(within("live", pokes.next()).await, Some(Ok(Event::Live(_)))) {}
    client.publish(Publish::new("PLAYLIST", "f").data("Updated")).await.unwrap();
    let event = within("the poke", pokes.next()).await;
    assert!(matches!(&event, Some(Ok(Event::Poke(poke))) if poke.text().as_deref() == Some("Updated")), "{event:?}");
    assert_eq!(server.metrics().await.sum_where("poke_tls_handshakes_total", "full"), 1.0);
}

#[tokio::test]
async fn grpc_and_connect_work_by_hand_in_tls_1_2_and_1_3() {
    let (authority, _files, server) = server().await;
    for (version, spoken) in [("1.2", ProtocolVersion::TLSv1_2), ("1.3", ProtocolVersion::TLSv1_3)] {
        let http2 = connect(server.address(), &client(&authority, &["h2"], &[version], None)).await.unwrap();
        assert_eq!(http2.get_ref().1.protocol_version(), Some(spoken));
        assert!(publish_by_http2(http2).await.position.is_some());
        let http1 = connect(server.address(), &client(&authority, &["http/1.1"], &[version], None)).await.unwrap();
        let answer = publish_by_http1(http1).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"position\""), "{answer}");
    }
}

#[tokio::test]
async fn both_sides_agree_on_the_best_protocol_they_share() {
    let (authority, _files, server) = server().await;
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        // The server's taste decides.
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["spdy/3", "h2"], Some("h2")),
        (&[], None),
    ] {
        let client = client(&authority, offered, &["1.3"], None);
        let stream = connect(server.address(), &client).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes), "{offered:?}");
    }
    let client = client(&authority, &["spdy/3"], &["1.3"], None);
    let error = connect(server.address(), &client).await.unwrap_err();
    assert_eq!(alert(&error), Some(AlertDescription::NoApplicationProtocol), "{error}");
    server.metric_becomes("poke_tls_failures_total", |failures| failures == 1.0).await;
    assert_eq!(failures(&server.metrics().await, "protocol"), 1.0);
}

#[tokio::test]
async fn who_negotiates_no_protocol_may_speak_either() {
    let (authority, _files, server) = server().await;
    let client = client(&authority, &[], &["1.3"], None);
    assert!(publish_by_http2(connect(server.address(), &client).await.unwrap()).await.position.is_some());
    let answer = publish_by_http1(connect(server.address(), &client).await.unwrap()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A ClientHello of an older version, with a cipher of that time and without extensions.
fn old_hello(version: u8) -> Vec<u8> {
    let body = [&[3, version][..], &[7; 32], &[0], &[0, 2, 0, 0x2f], &[1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4][..], &[1, 0, 0, length], &body].concat()
}

#[tokio::test]
async fn versions_before_1_2_are_refused_by_an_alert() {
    let (_authority, _files, server) = server().await;
    for version in [0, 1, 2] {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(&old_hello(version)).await.unwrap();
        let mut answer = [0; 7];
        within("an alert", socket.read_exact(&mut answer)).await.unwrap();
        // An alert that is fatal: a handshake failure or a wrong version.
        assert!(answer[0] == 21 && answer[5] == 2 && matches!(answer[6], 40 | 70), "3.{version}: {answer:?}");
    }
    server.metric_becomes("poke_tls_failures_total", |failures| failures == 3.0).await;
    assert_eq!(failures(&server.metrics().await, "incompatible"), 3.0);
}

#[tokio::test]
async fn the_oldest_version_can_be_raised() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let server = Server::start(files.config().text("tls.min_version", "1.3")).await;
    let old = connect(server.address(), &client(&authority, &["h2"], &["1.2"], None)).await.unwrap_err();
    assert_eq!(alert(&old), Some(AlertDescription::ProtocolVersion), "{old}");
    connect(server.address(), &client(&authority, &["h2"], &["1.2", "1.3"], None)).await.unwrap();
}

#[tokio::test]
async fn a_second_connection_is_resumed_and_takes_no_early_data() {
    let (authority, _files, server) = server().await;
    for version in ["1.2", "1.3"] {
        let mut config = (*client(&authority, &["h2"], &[version], None)).clone();
        config.enable_early_data = true;
        let config = config.into();
        let first = connect(server.address(), &config).await.unwrap();
        assert_eq!(first.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        // Tickets come behind the handshake.
        publish_by_http2(first).await;
        let mut second = connect(server.address(), &config).await.unwrap();
        assert_eq!(second.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed), "{version}");
        assert!(second.get_mut().1.early_data().is_none(), "{version}");
        assert!(publish_by_http2(second).await.position.is_some());
    }
    assert_eq!(server.metrics().await.sum_where("poke_tls_handshakes_total", "resumed"), 2.0);
}

#[tokio::test]
async fn plaintext_on_the_tls_port_is_told_so_in_its_own_language() {
    let (_authority, _files, server) = server().await;
    let plain = server.url().replace("https:", "http:");
    let answer = http::get(&plain).await;
    assert_eq!((answer.status.as_u16(), answer.text().contains("use an https:// URL")), (400, true));

    let error = refused(plain, None).await;
    assert_eq!((error.kind(), error.tls_problem()), (ErrorKind::Tls, Some(&TlsProblem::ServerSpeaksTls)));

    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(b"\x00\x01 what is this").await.unwrap();
    assert_eq!(read_all(&mut socket).await, "");
    let metrics = server.metrics().await;
    assert_eq!(failures(&metrics, "plaintext"), metrics.sum("poke_tls_failures_total"));
    server.metric_becomes("poke_connections_open", |open| open == 0.0).await;
    let closed = server.metrics().await.sum_where("poke_connections_closed_total", "\"tls\"");
    assert!(closed >= 3.0, "{closed}");
}

#[tokio::test]
async fn tls_on_the_plaintext_port_is_told_too() {
    let authority = Authority::new();
    let server = Server::start(Config::new()).await;
    let error = refused(server.url().replace("http:", "https:"), Some(&authority)).await;
    assert_eq!((error.kind(), error.tls_problem()), (ErrorKind::Tls, Some(&TlsProblem::ServerIsPlain)));
}

#[tokio::test]
async fn a_server_that_cannot_be_trusted_is_not_talked_to() {
    let (authority, _files, server) = server().await;
    let stranger = refused(server.url(), Some(&Authority::new())).await;
    let expected = "the server's certificate isn't trusted: no authority that this client trusts has signed it";
    assert_eq!(stranger.tls_problem().map(ToString::to_string).as_deref(), Some(expected));
    // The system doesn't know the test's authority either.
    let system = refused(server.url(), None).await;
    assert_eq!(system.tls_problem(), Some(&TlsProblem::UnknownAuthority), "{system}");

    let elsewhere = Files::new(&authority.client(&["elsewhere.example"]));
    let server = Server::start(elsewhere.config()).await;
    let other = refused(server.url(), Some(&authority)).await;
    assert!(matches!(other.tls_problem(), Some(TlsProblem::Untrusted(_))), "{other}");
    server.metric_becomes("poke_tls_failures_total", |failures| failures > 0.0).await;
    assert!(failures(&server.metrics().await, "refused") > 0.0);

    // What `openssl req -x509` makes unless it is told otherwise.
    let own = Files::new(&authority.server_with_authority());
    let server = Server::start(own.config().text("log.level", "debug")).await;
    let told = eventually("a warning", async || server.log().into_iter().find(|line| line.contains("CA:TRUE"))).await;
    assert!(told.contains("tls.crt is the certificate of an authority"), "{told}");
    let error = refused(server.url(), Some(&authority)).await;
    let expected = "the server's certificate isn't trusted: it is an authority's own (CA:TRUE)";
    assert!(error.to_string().contains(expected), "{error}");
    let refusal = "the client doesn't accept the server's certificate";
    eventually("the reason", async || server.log().iter().any(|line| line.contains(refusal)).then_some(())).await;
}

#[tokio::test]
async fn a_unix_socket_stays_plain() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let path = files.path("poke.sock");
    let addresses = format!("127.0.0.1:0,unix:{}", path.display());
    let server = Server::start(files.config().listen(addresses)).await;
    let client = Client::builder(format!("unix:{}", path.display())).build().unwrap();
    client.publish(Publish::new("PLAYLIST", "f")).await.unwrap();
    let SocketAddr::V4(_) = server.address() else { unreachable!("it listens on TCP as well") };
    sdk(&server, &authority).publish(Publish::new("PLAYLIST", "f")).await.unwrap();
}
