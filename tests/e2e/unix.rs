//! UNIX sockets: whatever name a client gives the server there is right, since the socket's path has said who is called.

use std::path::{Path, PathBuf};

use poke_tests::{
    Config, Server,
    frames::{Connection, END_HEADERS, END_STREAM, Frame, WIDEST, block, kind},
    within,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};

const BODY: &str = r#"{"domain":"PLAYLIST","filter":"f"}"#;

/// What clients send as `:authority` on a UNIX socket: grpcio; grpc-js and others; grpc-go, curl and Node; nothing at all.
const AUTHORITIES: [Option<&str>; 7] = [
    Some("%2Ftmp%2Fp.sock"),
    Some("/tmp/p.sock"),
    Some("unix:/tmp/p.sock"),
    Some("localhost"),
    Some("any name, even with spaces"),
    Some(""),
    None,
];

/// Removes the socket's file, should the server have left it.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("poke-e2e-{}-{name}.sock", std::process::id())))
    }

    /// To listen there and on a free port.
    fn addresses(&self) -> String {
        format!("127.0.0.1:0,unix:{}", self.0.display())
    }

    async fn connect(&self) -> UnixStream {
        connect(&self.0).await
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn connect(path: &Path) -> UnixStream {
    within("a connection", UnixStream::connect(path)).await.expect("the server accepts")
}

/// What a Publish in JSON over HTTP/2 is answered with: its body, or the reason of its reset.
async fn publish<T: AsyncRead + AsyncWrite + Unpin>(socket: T, authority: Option<&str>) -> Result<String, u32> {
    let mut connection = Connection::over(socket, WIDEST).await;
    let mut head = vec![(":path", "/poke.v1.PokeService/Publish"), ("content-type", "application/json")];
    head.extend(authority.map(|authority| (":authority", authority)));
    head.sort_by_key(|(name, _)| !name.starts_with(':'));
    // POST and http are in HPACK's static table.
    let stream = connection.open_stream(END_HEADERS, &[&[0x83, 0x86], &block(&head)[..]].concat());
    connection.put(kind::DATA, END_STREAM, stream, BODY.as_bytes());
    connection.flush().await.unwrap();
    loop {
        let frame = connection.next().await.expect("the connection goes on");
        match frame {
            Frame { kind: kind::RST_STREAM, .. } => return Err(frame.reason().expect("a reset has a reason")),
            Frame { kind: kind::DATA, payload, .. } => return Ok(String::from_utf8(payload.into()).unwrap()),
            _ => {}
        }
    }
}

/// The same over HTTP/1.1.
async fn publish_http1(mut socket: impl AsyncRead + AsyncWrite + Unpin, host: Option<&str>) -> String {
    let host = host.map(|host| format!("host: {host}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /poke.v1.PokeService/Publish HTTP/1.1\r\n{host}content-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within("the answer", socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn any_authority_is_taken_on_a_unix_socket() {
    let path = SocketPath::new("any");
    // In production and in development, whose rules are for TCP alone.
    for is_development in [false, true] {
        let _server = if is_development {
            Server::start_in_development_on(&path.addresses()).await
        } else {
            Server::start(Config::new().listen(path.addresses())).await
        };
        for authority in AUTHORITIES {
            let answer = publish(path.connect().await, authority).await;
            assert!(answer.as_ref().is_ok_and(|answer| answer.contains("position")), "{authority:?}: {answer:?}");
            let answer = publish_http1(path.connect().await, authority).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{authority:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn on_tcp_in_development_the_names_of_this_machine_hold_and_no_others() {
    let path = SocketPath::new("tcp");
    let server = Server::start_in_development_on(&path.addresses()).await;
    let tcp = async || TcpStream::connect(server.address()).await.unwrap();
    for authority in ["localhost", "127.0.0.1:8080"] {
        let answer = publish(tcp().await, Some(authority)).await;
        assert!(answer.as_ref().is_ok_and(|answer| answer.contains("position")), "{authority}: {answer:?}");
    }
    let answer = publish(tcp().await, Some("rebind.evil.example")).await;
    assert!(answer.as_ref().is_ok_and(|answer| answer.contains("in development mode")), "{answer:?}");
    for authority in ["%2Ftmp%2Fp.sock", "/tmp/p.sock", ""] {
        let malformed = 1;
        assert_eq!(publish(tcp().await, Some(authority)).await, Err(malformed), "{authority:?}");
        let answer = publish_http1(tcp().await, Some(authority)).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{authority:?}: {answer}");
    }
}
