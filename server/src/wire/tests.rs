#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::{convert::Infallible, io::Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use poke_proto::{Data, v1};
use prost::Message;
use serde_json::{Value, json};

use super::*;
use crate::{
    error::{Error, Faults, Kind},
    frame,
};

const LIMIT: Limit = Limit { bytes: 1 << 20, exceeded: |size| Kind::PokeTooLarge { size, limit: 131_072 } };

const UNARY: [Protocol; 5] =
    [Protocol::Grpc, Protocol::GrpcWeb, Protocol::GrpcWebText, Protocol::ConnectJson, Protocol::ConnectProto];
const STREAM: [Protocol; 4] = [Protocol::Grpc, Protocol::GrpcWeb, Protocol::GrpcWebText, Protocol::ConnectStream];

fn publish() -> v1::PublishRequest {
    v1::PublishRequest {
        domain: "PLAYLIST".into(),
        filter: "playlist-id".into(),
        data: Some(Data::string("Updated")),
        audience: v1::Audience::Customer.into(),
        customer_id: "c".into(),
        idempotency_key: "k".into(),
    }
}

fn publish_json() -> String {
    json!({
        "domain": "PLAYLIST", "filter": "playlist-id", "data": "Updated",
        "audience": "AUDIENCE_CUSTOMER", "customerId": "c", "idempotency_key": "k",
    })
    .to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn as_text(envelope: &[u8]) -> Bytes {
    BASE64_STANDARD.encode(envelope).into()
}

/// A message as a client of this protocol sends it.
fn wrapped(protocol: Protocol, flags: u8, message: &[u8]) -> Bytes {
    match protocol {
        Protocol::ConnectJson | Protocol::ConnectProto => Bytes::copy_from_slice(message),
        Protocol::GrpcWebText => as_text(&envelope::seal(flags, message)),
        _ => envelope::seal(flags, message),
    }
}

fn plain(protocol: Protocol) -> Vec<u8> {
    if protocol == Protocol::ConnectJson { publish_json().into() } else { publish().encode_to_vec() }
}

async fn read(protocol: Protocol, headers: &HeaderMap, body: Bytes) -> Result<v1::PublishRequest, Error> {
    let mut faults = Faults::default();
    let request = protocol.read_unary(headers, Full::new(body), LIMIT, &mut faults).await?;
    faults.into_result().map(|()| request)
}

async fn refused(protocol: Protocol, headers: &HeaderMap, body: Bytes) -> Kind {
    read(protocol, headers, body).await.unwrap_err().kind()
}

fn from_json(text: &str) -> Result<v1::PublishRequest, Error> {
    let mut faults = Faults::default();
    let request = UnaryRequest::from_json(text, &mut faults)?;
    faults.into_result().map(|()| request)
}

async fn bytes(response: Response<Body>) -> (Bytes, Option<HeaderMap>) {
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned();
    (body.to_bytes(), trailers)
}

#[test]
fn a_request_says_which_protocol_it_speaks() {
    let of = |content_type: &str, shape, version, method: &str| {
        let request = Request::builder().method(method).version(version).header("content-type", content_type);
        Protocol::of(&request.body(()).unwrap().into_parts().0, shape)
    };
    for (content_type, unary, stream) in [
        ("application/grpc", Some(Protocol::Grpc), Some(Protocol::Grpc)),
        ("application/grpc+proto", Some(Protocol::Grpc), Some(Protocol::Grpc)),
        ("application/grpc-web", Some(Protocol::GrpcWeb), Some(Protocol::GrpcWeb)),
        ("application/grpc-web+proto", Some(Protocol::GrpcWeb), Some(Protocol::GrpcWeb)),
        ("application/grpc-web-text", Some(Protocol::GrpcWebText), Some(Protocol::GrpcWebText)),
        ("application/grpc-web-text+proto", Some(Protocol::GrpcWebText), Some(Protocol::GrpcWebText)),
        ("application/json", Some(Protocol::ConnectJson), None),
        ("Application/JSON; charset=UTF-8", Some(Protocol::ConnectJson), None),
        ("application/proto", Some(Protocol::ConnectProto), None),
        ("application/connect+proto", None, Some(Protocol::ConnectStream)),
        ("application/grpc+json", None, None),
        ("application/x-www-form-urlencoded", None, None),
        ("text/plain", None, None),
        ("", None, None),
    ] {
        let unsupported = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        assert_eq!(of(content_type, Shape::Unary, Version::HTTP_2, "POST"), unary.ok_or(unsupported), "{content_type}");
        assert_eq!(
            of(content_type, Shape::Stream, Version::HTTP_2, "POST"),
            stream.ok_or(unsupported),
            "{content_type}"
        );
    }
    let json = "application/json";
    assert_eq!(of(json, Shape::Unary, Version::HTTP_11, "POST"), Ok(Protocol::ConnectJson));
    assert_eq!(of("application/grpc-web", Shape::Unary, Version::HTTP_11, "POST"), Ok(Protocol::GrpcWeb));
    assert_eq!(of(json, Shape::Unary, Version::HTTP_11, "GET"), Err(StatusCode::METHOD_NOT_ALLOWED));
    assert_eq!(
        of("application/grpc", Shape::Unary, Version::HTTP_11, "POST"),
        Err(StatusCode::HTTP_VERSION_NOT_SUPPORTED)
    );
    let bare = Request::post("/").body(()).unwrap().into_parts().0;
    assert_eq!(Protocol::of(&bare, Shape::Unary), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
}

#[test]
fn what_speaks_no_protocol_is_told_what_would_do() {
    let wrong_method = refuse(StatusCode::METHOD_NOT_ALLOWED, Shape::Unary);
    assert_eq!((wrong_method.status().as_u16(), &wrong_method.headers()["allow"]), (405, &"POST".parse().unwrap()));
    let wrong_type = refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, Shape::Stream);
    assert_eq!(wrong_type.status(), 415);
    assert!(wrong_type.headers()["accept-post"].to_str().unwrap().contains("application/connect+proto"));
}

#[tokio::test]
async fn every_protocol_carries_the_same_request() {
    for protocol in UNARY {
        let message = plain(protocol);
        let request = read(protocol, &HeaderMap::new(), wrapped(protocol, 0, &message)).await.unwrap();
        assert_eq!(request, publish(), "{protocol:?}");
        let encoding = headers(&[(protocol.encoding_header(), "gzip")]);
        let request = read(protocol, &encoding, wrapped(protocol, 1, &gzip(&message))).await.unwrap();
        assert_eq!(request, publish(), "{protocol:?} in gzip");
    }
    for protocol in STREAM {
        let message = wrapped(protocol, 0, &v1::SubscribeRequest::default().encode_to_vec());
        let request: v1::SubscribeRequest =
            protocol.read_stream(&HeaderMap::new(), Full::new(message), LIMIT).await.unwrap();
        assert_eq!(request, v1::SubscribeRequest::default());
    }
}

#[tokio::test]
async fn a_body_may_come_in_any_pieces() {
    for protocol in UNARY {
        let body = wrapped(protocol, 0, &plain(protocol));
        for cut in 0..=body.len() {
            let pieces = [body.slice(..cut), body.slice(cut..)].map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
            let pieces = StreamBody::new(stream::iter(pieces));
            let mut faults = Faults::default();
            let request: v1::PublishRequest =
                protocol.read_unary(&HeaderMap::new(), pieces, LIMIT, &mut faults).await.unwrap();
            assert_eq!(request, publish(), "{protocol:?} cut at {cut}");
        }
    }
}

#[tokio::test]
async fn text_may_be_padded_anywhere() {
    let envelope = envelope::seal(0, &publish().encode_to_vec());
    for cut in 0..=envelope.len() {
        let body = [as_text(&envelope[..cut]), as_text(&envelope[cut..])].concat();
        assert_eq!(read(Protocol::GrpcWebText, &HeaderMap::new(), body.into()).await.unwrap(), publish());
    }
}

#[tokio::test]
async fn a_message_has_a_limit_and_not_a_byte_more() {
    for protocol in UNARY.into_iter().filter(|&protocol| protocol != Protocol::ConnectJson) {
        let mut request = publish();
        request.idempotency_key = "x".repeat(LIMIT.bytes - request.encoded_len() - 1);
        assert_eq!(request.encoded_len(), LIMIT.bytes);
        for (more, fits) in [("", true), ("y", false)] {
            request.idempotency_key += more;
            let message = request.encode_to_vec();
            let encoding = headers(&[(protocol.encoding_header(), "gzip")]);
            let plain = read(protocol, &HeaderMap::new(), wrapped(protocol, 0, &message)).await;
            let zipped = read(protocol, &encoding, wrapped(protocol, 1, &gzip(&message))).await;
            for result in [plain, zipped] {
                match result {
                    Ok(read) => assert!(fits && read == request, "{protocol:?}"),
                    Err(error) => {
                        assert!(!fits, "{protocol:?} {error}");
                        assert!(matches!(error.kind(), Kind::PokeTooLarge { size, .. } if size > LIMIT.bytes));
                    }
                }
            }
        }
    }
    let padded = publish_json() + &" ".repeat(LIMIT.bytes);
    let kind = refused(Protocol::ConnectJson, &HeaderMap::new(), padded.into()).await;
    assert!(matches!(kind, Kind::PokeTooLarge { .. }));
}

#[tokio::test]
async fn a_bomb_is_not_inflated() {
    let bomb = gzip(&vec![0; 64 << 20]);
    for protocol in UNARY {
        let encoding = headers(&[(protocol.encoding_header(), "gzip")]);
        let kind = refused(protocol, &encoding, wrapped(protocol, 1, &bomb)).await;
        assert_eq!(kind, Kind::PokeTooLarge { size: LIMIT.bytes + 1, limit: 131_072 });
    }
}

#[tokio::test]
async fn an_endless_body_is_left_alone() {
    let endless =
        StreamBody::new(stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; 4096])))));
    let result: Result<v1::SubscribeRequest, _> =
        Protocol::ConnectStream.read_stream(&HeaderMap::new(), endless, LIMIT).await;
    assert!(matches!(result.unwrap_err().kind(), Kind::PokeTooLarge { .. }));
}

#[tokio::test]
async fn encodings_are_gzip_identity_or_unknown() {
    for protocol in UNARY {
        let message = plain(protocol);
        let identity = headers(&[(protocol.encoding_header(), "identity")]);
        assert_eq!(read(protocol, &identity, wrapped(protocol, 0, &message)).await.unwrap(), publish());
        let brotli = headers(&[(protocol.encoding_header(), "br")]);
        let error = read(protocol, &brotli, wrapped(protocol, 1, &message)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownMethod);
        assert_eq!(protocol.error(&error).headers()[protocol.accept_encoding_header()], "gzip");
        let gzip = headers(&[(protocol.encoding_header(), "gzip")]);
        assert_eq!(refused(protocol, &gzip, wrapped(protocol, 1, b"not gzip")).await, Kind::InvalidRequest);
    }
    let undeclared = wrapped(Protocol::Grpc, 1, &gzip(&plain(Protocol::Grpc)));
    assert_eq!(refused(Protocol::Grpc, &HeaderMap::new(), undeclared).await, Kind::InvalidRequest);
    let mut trailing = gzip(&plain(Protocol::Grpc));
    trailing.extend_from_slice(b"more");
    let encoding = headers(&[("grpc-encoding", "gzip")]);
    assert_eq!(refused(Protocol::Grpc, &encoding, wrapped(Protocol::Grpc, 1, &trailing)).await, Kind::InvalidRequest);
}

#[tokio::test]
async fn a_request_is_exactly_one_message() {
    let envelope = envelope::seal(0, &publish().encode_to_vec());
    let twice = [&envelope[..], &envelope].concat();
    let flags: Vec<_> = [0x02, 0x80, 0xff].map(|flags| envelope::seal(flags, b"")).into();
    let bodies = (0..envelope.len()).map(|cut| envelope.slice(..cut)).chain([twice.into()]).chain(flags);
    for body in bodies {
        for protocol in [Protocol::Grpc, Protocol::GrpcWeb, Protocol::ConnectStream] {
            assert_eq!(refused(protocol, &HeaderMap::new(), body.clone()).await, Kind::InvalidRequest, "{body:?}");
        }
        assert_eq!(refused(Protocol::GrpcWebText, &HeaderMap::new(), as_text(&body)).await, Kind::InvalidRequest);
    }
    for protocol in [Protocol::Grpc, Protocol::GrpcWebText, Protocol::ConnectProto] {
        assert_eq!(refused(protocol, &HeaderMap::new(), wrapped(protocol, 0, b"\xff\xff")).await, Kind::InvalidRequest);
    }
    assert_eq!(refused(Protocol::GrpcWebText, &HeaderMap::new(), "?".into()).await, Kind::InvalidRequest);
    assert_eq!(
        refused(Protocol::ConnectJson, &HeaderMap::new(), Bytes::from_static(b"\"\xff\"")).await,
        Kind::InvalidRequest
    );
    let version = headers(&[("connect-protocol-version", "2")]);
    assert_eq!(refused(Protocol::ConnectJson, &version, publish_json().into()).await, Kind::InvalidRequest);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_request() {
    let piece = Ok(Frame::data(wrapped(Protocol::Grpc, 0, &plain(Protocol::Grpc))));
    let broken = StreamBody::new(stream::iter([piece, Err(std::io::Error::other("reset"))]));
    let result: Result<v1::PublishRequest, _> =
        Protocol::Grpc.read_unary(&HeaderMap::new(), broken, LIMIT, &mut Faults::default()).await;
    assert_eq!(result.unwrap_err().kind(), Kind::InvalidRequest);
}

#[test]
fn json_takes_both_spellings_of_a_name() {
    assert_eq!(from_json(&publish_json()).unwrap(), publish());
    let snake = publish_json().replace("customerId", "customer_id").replace("idempotency_key", "idempotencyKey");
    assert_eq!(from_json(&snake).unwrap(), publish());
    let numbered = publish_json().replace("\"AUDIENCE_CUSTOMER\"", "1");
    assert_eq!(from_json(&numbered).unwrap(), publish());
    let escaped = publish_json().replace("domain", "d\\u006fmain");
    assert_eq!(from_json(&escaped).unwrap(), publish());
}

#[test]
fn in_json_null_is_data_and_elsewhere_absence() {
    assert_eq!(from_json("{}").unwrap(), v1::PublishRequest::default());
    assert_eq!(
        from_json(r#"{"domain":null,"audience":null,"customerId":null}"#).unwrap(),
        v1::PublishRequest::default()
    );
    assert_eq!(from_json(r#"{"data":null}"#).unwrap().data, Some(Data::null()));
    assert_eq!(from_json(r#"{"data":""}"#).unwrap().data, Some(Data::string("")));
    assert_eq!(from_json(r#"{"audience":7}"#).unwrap().audience, 7);
}

#[test]
fn json_names_every_mistake_at_once() {
    let error = from_json(r#"{"domain":1,"Filter":"f","data":9007199254740993,"audience":"ALL","domain":"D","x y":1}"#);
    let shown = error.unwrap_err().to_connect();
    let violations: Vec<_> = shown["details"][1]["debug"]["fieldViolations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| (violation["field"].as_str().unwrap(), violation["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        violations,
        [
            ("domain", "INVALID_REQUEST"),
            ("data", "INVALID_DATA"),
            ("audience", "INVALID_AUDIENCE"),
            ("Filter", "INVALID_REQUEST"),
            ("", "INVALID_REQUEST"),
        ]
    );
    for (text, message) in [
        (r#"{"fliter":"f"}"#, "fliter isn't a field of this request"),
        (r#"{"domain":"a","domain":"b"}"#, "domain must be given once"),
        (r#"{"customer_id":"a","customerId":"b"}"#, "customer_id must be given once"),
        (r#"{"audience":1.5}"#, "audience must be the name or the number of one"),
        (r#"{"filter":["f"]}"#, "filter must be a string"),
        (r#"{"filter":"\ud800"}"#, "filter must be a string"),
        (r#"{"domain" "D"}"#, "the request isn't a JSON object (line 1, column 11)"),
        ("[]", "the request isn't a JSON object (line 1, column 0)"),
        ("", "the request isn't a JSON object (line 1, column 0)"),
    ] {
        assert_eq!(from_json(text).unwrap_err().message(), message, "{text}");
    }
}

#[test]
fn json_never_repeats_what_could_harm() {
    let long = "n".repeat(65);
    for name in ["a\\nb", "<b> </b>", "\u{202e}x", &long] {
        let error = from_json(&format!("{{\"{name}\":1}}")).unwrap_err();
        assert_eq!(error.message(), "a name that isn't a field of this request");
        assert_eq!(error.kind(), Kind::InvalidRequest);
    }
    let many: String = (0..10_000).map(|n| format!("\"secret{n}\":1,")).collect();
    let error = from_json(&format!("{{{many}\"z\":1}}")).unwrap_err();
    assert!(error.to_status().details().len() < 4096);
}

#[test]
fn the_end_of_an_interest_has_the_same_json() {
    let mut faults = Faults::default();
    let request = v1::EndInterestRequest::from_json(&publish_json(), &mut faults).unwrap();
    faults.into_result().unwrap();
    let v1::PublishRequest { domain, filter, data, audience, customer_id, idempotency_key } = publish();
    assert_eq!(request, v1::EndInterestRequest { domain, filter, data, audience, customer_id, idempotency_key });
    let position = Some(v1::Position { epoch: "e".into(), sequence: 3 });
    assert_eq!(
        v1::EndInterestResponse { position }.to_json(),
        json!({ "position": { "epoch": "e", "sequence": "3" } })
    );
}

fn published() -> v1::PublishResponse {
    let position = Some(v1::Position { epoch: "e".into(), sequence: i64::MAX });
    v1::PublishResponse { position, local_receiver_count: Some(1), duplicate: Some(false) }
}

/// The trailers of a gRPC-Web body, and what stands before them.
fn split_web(body: &[u8]) -> (Vec<u8>, Value) {
    let at = (0..body.len()).find(|&at| body[at] == 0x80).unwrap();
    let size = u32::from_be_bytes(body[at + 1..at + 5].try_into().unwrap()) as usize;
    assert_eq!(body.len(), at + 5 + size);
    let block = std::str::from_utf8(&body[at + 5..]).unwrap();
    (body[..at].into(), block.lines().map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k, json!(v))).collect())
}

#[tokio::test]
async fn every_protocol_carries_the_same_answer() {
    let framed = frame::message(&published());
    for protocol in UNARY {
        let response = protocol.answer(&published());
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], protocol.content_type());
        let (body, trailers) = bytes(response).await;
        match protocol {
            Protocol::Grpc => {
                assert_eq!(body, framed);
                assert_eq!(trailers.unwrap()["grpc-status"], "0");
            }
            Protocol::GrpcWeb => assert_eq!(split_web(&body), (framed.to_vec(), json!({ "grpc-status": "0" }))),
            Protocol::GrpcWebText => {
                let body = text::decode(&body).unwrap();
                assert_eq!(split_web(&body), (framed.to_vec(), json!({ "grpc-status": "0" })));
            }
            Protocol::ConnectProto => assert_eq!(body, published().encode_to_vec()),
            _ => assert_eq!(
                serde_json::from_slice::<Value>(&body).unwrap(),
                json!({
                    "position": { "epoch": "e", "sequence": "9223372036854775807" },
                    "localReceiverCount": 1,
                    "duplicate": false,
                })
            ),
        }
    }
}

#[tokio::test]
async fn every_protocol_carries_the_same_error() {
    let error = Error::from(Kind::UnknownDomain);
    let details = BASE64_STANDARD.encode(error.to_status().details()).trim_end_matches('=').to_owned();
    for protocol in UNARY.into_iter().chain([Protocol::ConnectStream]) {
        let response = protocol.error(&error);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (body, trailers) = bytes(response).await;
        assert_eq!(trailers, None);
        let web =
            || split_web(&if protocol == Protocol::GrpcWebText { text::decode(&body).unwrap() } else { body.to_vec() });
        match protocol {
            Protocol::Grpc => {
                assert_eq!(
                    (status, body.len(), &headers["content-type"]),
                    (200, 0, &"application/grpc".parse().unwrap())
                );
                assert_eq!(headers["grpc-status"], "5");
                assert_eq!(headers["grpc-status-details-bin"], details);
            }
            Protocol::GrpcWeb | Protocol::GrpcWebText => {
                let (before, trailers) = web();
                assert_eq!((status, before.len(), &trailers["grpc-status"]), (200, 0, &json!("5")));
                assert_eq!(trailers["grpc-status-details-bin"], details);
            }
            Protocol::ConnectJson | Protocol::ConnectProto => {
                assert_eq!((status, &headers["content-type"]), (404, &"application/json".parse().unwrap()));
                assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), error.to_connect());
            }
            Protocol::ConnectStream => {
                assert_eq!((status, &headers["content-type"]), (200, &"application/connect+proto".parse().unwrap()));
                assert_eq!(body[0], 0x02);
                assert_eq!(
                    serde_json::from_slice::<Value>(&body[5..]).unwrap(),
                    json!({ "error": error.to_connect() })
                );
            }
        }
    }
}

#[test]
fn a_stream_ends_as_its_protocol_has_it() {
    let error = Error::from(Kind::MaxAge);
    for (result, code) in [(Ok(()), "0"), (Err(&error), "14")] {
        let End { data, trailers } = Protocol::Grpc.end(result);
        assert_eq!((data, &trailers.unwrap()["grpc-status"]), (None, &code.parse().unwrap()));
        let web = Protocol::GrpcWeb.end(result).data.unwrap();
        assert_eq!(split_web(&web).1["grpc-status"], code);
        assert_eq!(Protocol::GrpcWebText.end(result).data.unwrap(), web);
        let connect = Protocol::ConnectStream.end(result).data.unwrap();
        let end: Value = serde_json::from_slice(&connect[5..]).unwrap();
        assert_eq!((connect[0], end.get("error").is_some()), (0x02, result.is_err()));
    }
}

#[test]
fn one_frame_serves_every_stream() {
    let framed = frame::message(&published());
    assert_eq!(framed[..5], [0, 0, 0, 0, u8::try_from(framed.len() - 5).unwrap()]);
    for protocol in STREAM {
        let sent = protocol.frame(framed.clone());
        let sent = if protocol == Protocol::GrpcWebText { text::decode(&sent).unwrap() } else { sent.to_vec() };
        assert_eq!(sent, framed);
        assert_eq!(protocol.stream(()).headers()["content-type"], protocol.content_type());
    }
}
