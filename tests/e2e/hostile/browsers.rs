//! Pages of other sites: what a browser sends for them without asking first must not publish.

use std::io::{Read as _, Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use poke_tests::{Config, Event, Server, envelope, http as plain, interest, new_pokes, request, text, v1::Outcome};
use prost::Message as _;

const PUBLISH: &str = "/poke.v1.PokeService/Publish";
const BODY: &str = r#"{"domain":"PLAYLIST","filter":"ours","data":"forged"}"#;

/// Content types that need no preflight (the Fetch standard's "CORS-safelisted"), and disguises as such.
const SIMPLE: [Option<&str>; 10] = [
    None,
    Some(""),
    Some("text/plain"),
    Some("text/plain;charset=UTF-8"),
    Some("text/plain; application/json"),
    Some("text/plain, application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("application/x-www-form-urlencoded; x=application/json"),
    Some("multipart/form-data; boundary=x"),
    Some("multipart/form-data; boundary=application/json"),
];

#[tokio::test]
async fn what_a_page_may_send_unasked_does_not_publish() {
    // Even a page that may call has to ask first.
    let server = Server::start(Config::new().set("cors.origins", r#"["https://app.example.com"]"#)).await;
    let mut stream = server.subscribe([new_pokes(interest("ours"))]).await;
    stream.live(Outcome::Fresh).await;
    let grpc = request(&interest("ours"), Some(text("forged"))).encode_to_vec();
    let framed = envelope(0, &grpc);
    for content_type in SIMPLE {
        for origin in ["https://evil.example.com", "null", "https://app.example.com"] {
            for body in [BODY.as_bytes(), &framed, &grpc] {
                let request = Request::post(format!("{}{PUBLISH}", server.url())).header("origin", origin);
                let request = match content_type {
                    Some(content_type) => request.header("content-type", content_type),
                    None => request,
                };
                let answer = plain::send(request.body(Full::new(Bytes::copy_from_slice(body))).unwrap()).await;
                assert_eq!(answer.status, 415, "{content_type:?} from {origin}: {}", answer.text());
            }
        }
    }
    for method in [Method::GET, Method::HEAD] {
        let url = format!("{}{PUBLISH}?domain=PLAYLIST&filter=ours&data=forged&message={BODY}", server.url());
        let request = Request::builder().method(method).uri(url.replace(['"', '{', '}'], "")).body(Full::default());
        assert_eq!(plain::send(request.unwrap()).await.status, 405);
    }
    // Of all that, nothing arrived: what comes next is the only poke.
    server.publisher().await.poke(&interest("ours"), "honest").await;
    match stream.next_but_heartbeat().await {
        Event::Poke(poke) => assert_eq!(poke.data, Some(text("honest"))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_allowed_nothing_in_any_protocol() {
    let server = Server::start(Config::new().set("cors.origins", r#"["https://app.example.com"]"#)).await;
    for path in [PUBLISH, "/poke.v1.PokeService/Subscribe", "/grpc.health.v1.Health/Check", "/no.Service/Method", "/"] {
        for origin in [
            "https://evil.example.com",
            "https://app.example.com.evil.example.com",
            "https://app.example.com:8443",
            "http://app.example.com",
            "https://app.example.com\u{e9}",
            "null",
        ] {
            let preflight = Request::builder()
                .method(Method::OPTIONS)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "content-type,authorization");
            let real = Request::builder().method(Method::POST).header("content-type", "application/grpc-web+proto");
            for request in [preflight, real] {
                let request = request.uri(format!("{}{path}", server.url())).header("origin", origin.as_bytes());
                let answer = plain::send(request.body(Full::default()).unwrap()).await;
                let allowed = answer.headers.get("access-control-allow-origin");
                assert!(allowed.is_none(), "{path} from {origin}: {allowed:?}");
            }
        }
    }
}

/// A request of gRPC-Web in text mode that comes in two writes, and its answer.
fn cut_at(server: &Server, body: &str, offset: usize) -> String {
    let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
    socket.set_nodelay(true).unwrap();
    let (first, second) = body.split_at(offset);
    let head = format!(
        "POST {PUBLISH} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
         content-type: application/grpc-web-text\r\n\r\n"
    );
    let chunk = |part: &str| if part.is_empty() { String::new() } else { format!("{:x}\r\n{part}\r\n", part.len()) };
    socket.write_all((head + &chunk(first)).as_bytes()).unwrap();
    socket.write_all((chunk(second) + "0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn text_of_grpc_web_may_be_cut_anywhere() {
    let server = Server::start(Config::new()).await;
    let publish = request(&interest("f"), Some(text("in two parts")));
    let publish = poke_tests::v1::PublishRequest { idempotency_key: "the same each time".into(), ..publish };
    let message = publish.encode_to_vec();
    let framed = envelope(0, &message);
    // As a whole; and as two pieces, each with padding of its own, as a client makes that encodes piece by piece.
    let pieces = [BASE64_STANDARD.encode(&framed[..7]), BASE64_STANDARD.encode(&framed[7..])].concat();
    for body in [BASE64_STANDARD.encode(&framed), pieces] {
        for offset in 0..=body.len() {
            let answer = cut_at(&server, &body, offset);
            let (head, answer) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "cut at {offset}: {head}");
            let bytes: Vec<u8> = answer.lines().filter(|line| line.len() > 8).flat_map(unbase64).collect();
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            assert!(shown.contains("grpc-status: 0") || shown.contains("grpc-status:0"), "cut at {offset}: {shown}");
        }
    }
    assert_eq!(server.metrics().await.sum("poke_pokes_published_total"), 1.0);
}

fn unbase64(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
