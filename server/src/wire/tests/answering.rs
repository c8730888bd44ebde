//! Answers, and the ends of streams.

use super::*;

async fn bytes(response: Response<Body>) -> (Bytes, Option<HeaderMap>) {
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned();
    (body.to_bytes(), trailers)
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
                body,
                r#"{"position":{"epoch":"e","sequence":"9223372036854775807"},"localReceiverCount":1,"duplicate":false}"#
            ),
        }
    }
}

#[tokio::test]
async fn every_protocol_carries_the_same_error() {
    let error = Error::from(Kind::UnknownDomain);
    let details = BASE64_STANDARD.encode(error.to_status().details()).trim_end_matches('=').to_owned();
    for protocol in UNARY.into_iter().chain([Protocol::ConnectStream, Protocol::ConnectJsonStream]) {
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
                assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), connect(&error));
            }
            Protocol::ConnectStream | Protocol::ConnectJsonStream => {
                assert_eq!((status, &headers["content-type"]), (200, &protocol.content_type().parse().unwrap()));
                assert_eq!(body[0], 0x02);
                assert_eq!(serde_json::from_slice::<Value>(&body[5..]).unwrap(), json!({ "error": connect(&error) }));
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
