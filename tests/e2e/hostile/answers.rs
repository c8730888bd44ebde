//! Requests that aren't as the protocols have them get the answers that the protocols prescribe.
//!
//! gRPC: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, its `compression.md` and `statuscodes.md`.

use bytes::Bytes;
use http::{Method, Request};
use poke_tests::{Config, Server, envelope, http as plain, interest, request, text};
use prost::Message as _;

const PUBLISH: &str = "/poke.v1.PokeService/Publish";

/// A whole gRPC message with these flags.
fn message(flags: u8) -> Bytes {
    envelope(flags, &request(&interest("f"), Some(text("x"))).encode_to_vec()).into()
}

/// An answer by its HTTP status and its gRPC status, which stands in the headers or in the trailers; "reset" is none.
async fn answer(server: &Server, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> String {
    let request = Request::builder().method(method).uri(format!("{}{path}", server.url()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let Ok(answer) = plain::send_http2(request.body(body).unwrap()).await else { return "reset".into() };
    let status = answer.headers.get("grpc-status").or(answer.trailers.get("grpc-status"));
    format!("{} {}", answer.status.as_u16(), status.map_or("-", |status| status.to_str().unwrap()))
}

/// What is sent: by which method and path, with which headers, and a message with which flags. Then what is answered.
type Case<'a> = (&'a str, Method, &'a str, &'a [(&'a str, &'a str)], u8, &'a str);

#[tokio::test]
async fn each_mistake_of_a_grpc_client_has_its_answer() {
    let server = Server::start(Config::new()).await;
    let grpc = ("content-type", "application/grpc");
    let te = ("te", "trailers");
    let cases: &[Case<'_>] = &[
        ("as it should be", Method::POST, PUBLISH, &[grpc, te], 0, "200 0"),
        ("with the codec's name", Method::POST, PUBLISH, &[("content-type", "application/grpc+proto"), te], 0, "200 0"),
        (
            "with a parameter",
            Method::POST,
            PUBLISH,
            &[("content-type", "application/grpc; charset=utf-8"), te],
            0,
            "200 0",
        ),
        // It tells that a proxy on the way loses trailers; none has to send it.
        ("without te", Method::POST, PUBLISH, &[grpc], 0, "200 0"),
        // RFC 9113, section 8.2.2.
        ("with another te", Method::POST, PUBLISH, &[grpc, ("te", "gzip")], 0, "reset"),
        ("with a header of HTTP/1.1", Method::POST, PUBLISH, &[grpc, te, ("connection", "close")], 0, "reset"),
        ("another media type", Method::POST, PUBLISH, &[("content-type", "text/plain"), te], 0, "415 -"),
        (
            "one that begins like gRPC's",
            Method::POST,
            PUBLISH,
            &[("content-type", "application/grpcat"), te],
            0,
            "415 -",
        ),
        ("no media type", Method::POST, PUBLISH, &[te], 0, "415 -"),
        ("another codec", Method::POST, PUBLISH, &[("content-type", "application/grpc+thrift"), te], 0, "200 12"),
        ("another method", Method::PUT, PUBLISH, &[grpc, te], 0, "405 -"),
        ("GET", Method::GET, PUBLISH, &[grpc, te], 0, "405 -"),
        ("a method of ours that isn't", Method::POST, "/poke.v1.PokeService/Delete", &[grpc, te], 0, "200 12"),
        ("a service that isn't", Method::POST, "/no.Service/Publish", &[grpc, te], 0, "200 12"),
        ("another case", Method::POST, "/poke.v1.pokeservice/publish", &[grpc, te], 0, "200 12"),
        ("a slash too many", Method::POST, "//poke.v1.PokeService/Publish", &[grpc, te], 0, "200 12"),
        ("no path to speak of", Method::POST, "/", &[grpc, te], 0, "200 12"),
        ("identity", Method::POST, PUBLISH, &[grpc, te, ("grpc-encoding", "identity")], 0, "200 0"),
        ("gzip that isn't used", Method::POST, PUBLISH, &[grpc, te, ("grpc-encoding", "gzip")], 0, "200 0"),
        ("an encoding that isn't spoken", Method::POST, PUBLISH, &[grpc, te, ("grpc-encoding", "br")], 0, "200 12"),
        // compression.md has INTERNAL for this, which the contract keeps for faults of the server: clients retry those.
        ("compressed, but not said how", Method::POST, PUBLISH, &[grpc, te], 1, "200 3"),
        ("compressed as nothing", Method::POST, PUBLISH, &[grpc, te, ("grpc-encoding", "gzip")], 1, "200 3"),
        ("flags that nobody knows", Method::POST, PUBLISH, &[grpc, te], 4, "200 3"),
        ("time enough", Method::POST, PUBLISH, &[grpc, te, ("grpc-timeout", "10S")], 0, "200 0"),
        ("no time", Method::POST, PUBLISH, &[grpc, te, ("grpc-timeout", "0n")], 0, "200 4"),
        ("a time that isn't one", Method::POST, PUBLISH, &[grpc, te, ("grpc-timeout", "soon")], 0, "200 3"),
        ("a time of nine digits", Method::POST, PUBLISH, &[grpc, te, ("grpc-timeout", "100000000S")], 0, "200 3"),
    ];
    for (what, method, path, headers, flags, expected) in cases {
        let answer = answer(&server, method.clone(), path, headers, message(*flags)).await;
        assert_eq!(answer, *expected, "{what}");
    }
    let grpc = &[grpc, te];
    let whole = message(0);
    for (what, body) in [
        ("no message", Bytes::new()),
        ("half a head", whole.slice(..3)),
        ("half a message", whole.slice(..whole.len() - 1)),
        ("two messages", [&whole[..], &whole].concat().into()),
        ("a length of 4 GiB", [&[0, 255, 255, 255, 255][..], &whole[5..]].concat().into()),
        ("what isn't protobuf", Bytes::from_static(&[0, 0, 0, 0, 3, 255, 255, 255])),
    ] {
        assert_eq!(answer(&server, Method::POST, PUBLISH, grpc, body).await, "200 3", "{what}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_callers_time_over_grpc_too() {
    let server = Server::start(Config::new()).await;
    let subscriptions = vec![poke_tests::new_pokes(interest("short"))];
    let message = poke_tests::v1::SubscribeRequest { subscriptions }.encode_to_vec();
    let framed = envelope(0, &message);
    let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "400m")];
    let subscribe = "/poke.v1.PokeService/Subscribe";
    assert_eq!(answer(&server, Method::POST, subscribe, &headers, framed.into()).await, "200 4");
    server.metric_becomes("poke_streams_open", |open| open == 0.0).await;
    assert_eq!(server.metrics().await.sum_where("poke_streams_ended_total", "deadline"), 1.0);
}

#[tokio::test]
async fn services_that_are_not_ours_keep_to_the_same_rules() {
    let server = Server::start(Config::new()).await;
    let empty = Bytes::from_static(&[0; 5]);
    let check = "/grpc.health.v1.Health/Check";
    for (what, method, content_type, expected) in [
        ("as it should be", Method::POST, "application/grpc", "200 0"),
        ("another method", Method::DELETE, "application/grpc", "405 -"),
        ("another media type", Method::POST, "text/plain", "415 -"),
        ("one that begins like gRPC's", Method::POST, "application/grpcat", "415 -"),
        ("another codec", Method::POST, "application/grpc+thrift", "200 12"),
    ] {
        let answer = answer(&server, method, check, &[("content-type", content_type)], empty.clone()).await;
        assert_eq!(answer, expected, "{what}");
    }
    let connect = "application/connect+json";
    let reply = plain::post(&format!("{}{check}", server.url()), connect, empty).await;
    assert!(reply.text().contains("unimplemented"), "{}", reply.text());
}

#[tokio::test]
async fn who_compresses_otherwise_is_told_what_is_spoken() {
    let server = Server::start(Config::new()).await;
    for (content_type, theirs, ours) in [
        ("application/grpc", "grpc-encoding", "grpc-accept-encoding"),
        ("application/grpc-web+proto", "grpc-encoding", "grpc-accept-encoding"),
        ("application/json", "content-encoding", "accept-encoding"),
    ] {
        let request = Request::post(format!("{}{PUBLISH}", server.url()))
            .header("content-type", content_type)
            .header(theirs, "snappy")
            .body(message(0));
        let answer = plain::send_http2(request.unwrap()).await.unwrap();
        assert_eq!(answer.headers[ours], "gzip", "{content_type}");
    }
}

#[tokio::test]
async fn more_headers_than_allowed_are_refused_in_the_callers_protocol() {
    let server = Server::start(Config::new()).await;
    let large = "v".repeat(8000);
    let (grpc, web) = ("application/grpc", "application/grpc-web");
    for (content_type, count, expected) in
        [(grpc, 1, "200 0"), (grpc, 3, "200 8"), (web, 1, "200 -"), (web, 3, "431 -")]
    {
        let mut headers = vec![("content-type", content_type)];
        headers.extend(["x-a", "x-b", "x-c"].into_iter().take(count).map(|name| (name, large.as_str())));
        assert_eq!(
            answer(&server, Method::POST, PUBLISH, &headers, message(0)).await,
            expected,
            "{content_type} {count}"
        );
    }
}
