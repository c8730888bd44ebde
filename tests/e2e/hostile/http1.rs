//! HTTP/1.1 that a proxy in front may read otherwise than the server, or that never ends.

use poke_tests::{Server, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::honest::{self, Honest};

const PUBLISH: &str = "POST /poke.v1.PokeService/Publish HTTP/1.1\r\nhost: localhost\r\n";
const BODY: &str = r#"{"domain":"PLAYLIST","filter":"f"}"#;

/// All that the server says to these bytes until it closes, or has nothing more to say.
async fn said(server: &Server, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    // It may have closed before it has read everything.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    // A client of HTTP/1.1 that closes its side before it is answered has given up.
    let begun = socket.read_buf(&mut answer);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), begun).await;
    let _ = socket.shutdown().await;
    let _ = within("the server to close", socket.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways_is_refused() {
    let server = Server::start(honest::config()).await;
    let honest = Honest::beside(&server).await;
    let json = "content-type: application/json\r\n";
    let length = format!("content-length: {}\r\n", BODY.len());
    let sound = format!("{PUBLISH}{json}{length}connection: close\r\n\r\n{BODY}");
    assert!(said(&server, sound.as_bytes()).await.starts_with("HTTP/1.1 200"));
    for (what, headers, status) in [
        ("two lengths", format!("{length}content-length: 1\r\n"), "400"),
        ("a length that is none", "content-length: +34\r\n".into(), "400"),
        ("a space before the colon", format!("{length}x : y\r\n"), "400"),
        ("a line that goes on", format!("{length}x: y\r\n z\r\n"), "400"),
        ("a NUL", format!("{length}x: \0\r\n"), "400"),
        ("a name with a space", format!("{length}x y: z\r\n"), "400"),
        ("a coding that isn't known", "transfer-encoding: gzip\r\n".into(), "400"),
        ("chunked, but not in the end", "transfer-encoding: chunked, gzip\r\n".into(), "400"),
        ("a head of 20 KB", format!("{length}x: {}\r\n", "y".repeat(20_000)), "431"),
        ("a head of 300 KB", format!("{length}x: {}\r\n", "y".repeat(300_000)), "431"),
        ("200 headers", format!("{length}{}", "x: y\r\n".repeat(200)), "431"),
    ] {
        let answer = said(&server, format!("{PUBLISH}{json}{headers}\r\n{BODY}").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer:?}");
    }
    honest.unharmed(&server).await;
}

#[tokio::test]
async fn no_request_hides_in_another() {
    let server = Server::start(honest::config()).await;
    let hidden = format!("{PUBLISH}content-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
    // By its length the body holds the hidden one, by its chunks it ends before it.
    let both = format!(
        "{PUBLISH}content-type: application/json\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        hidden.len() + 5
    );
    let answer = said(&server, both.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(server.metrics().await.sum("poke_pokes_published_total"), 0.0);
}

#[tokio::test]
async fn chunks_and_trailers_without_an_end_are_cut_off() {
    let server = Server::start(honest::config().text("limits.request_timeout", "5s")).await;
    let honest = Honest::beside(&server).await;
    let head = format!("{PUBLISH}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    for (what, endless) in [
        ("extensions of a chunk", "1;x=".to_owned() + &"y".repeat(1 << 20)),
        ("extensions of many chunks", "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n \r\n".repeat(20_000)),
        ("trailers", "0\r\n".to_owned() + &"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(20_000)),
        ("a size without bounds", "0".repeat(1 << 20)),
        ("a size over all bounds", "fffffffffffffffff\r\n".to_owned()),
    ] {
        let answer = said(&server, (head.clone() + &endless).as_bytes()).await;
        assert!(!answer.contains("HTTP/1.1 200"), "{what}: {answer}");
    }
    server.metric_becomes("poke_request_bytes", |bytes| bytes == 0.0).await;
    honest.unharmed(&server).await;
}
