//! Requests.

use super::*;

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
        ("application/connect+json", None, Some(Protocol::ConnectJsonStream)),
        ("application/x-www-form-urlencoded", None, None),
        ("text/plain", None, None),
        ("", None, None),
    ] {
        let unsupported = Unspoken::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE);
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
    assert_eq!(of(json, Shape::Unary, Version::HTTP_11, "GET"), Err(Unspoken::Http(StatusCode::METHOD_NOT_ALLOWED)));
    assert_eq!(
        of("application/grpc", Shape::Unary, Version::HTTP_11, "POST"),
        Err(Unspoken::Http(StatusCode::HTTP_VERSION_NOT_SUPPORTED))
    );
    let bare = Request::post("/").body(()).unwrap().into_parts().0;
    assert_eq!(Protocol::of(&bare, Shape::Unary), Err(Unspoken::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
    for (content_type, protocol) in [
        ("application/grpc+json", Protocol::Grpc),
        ("application/grpc+thrift; x=y", Protocol::Grpc),
        ("application/grpc-web+json", Protocol::GrpcWeb),
        ("application/grpc-web-text+json", Protocol::GrpcWebText),
    ] {
        for shape in [Shape::Unary, Shape::Stream] {
            let other = of(content_type, shape, Version::HTTP_2, "POST");
            assert_eq!(other, Err(Unspoken::Codec(protocol)), "{content_type}");
        }
    }
}

#[test]
fn what_speaks_no_protocol_is_told_what_would_do() {
    let wrong_method = refuse(Unspoken::Http(StatusCode::METHOD_NOT_ALLOWED), Shape::Unary, &Method::GET);
    assert_eq!((wrong_method.status().as_u16(), &wrong_method.headers()["allow"]), (405, &"POST".parse().unwrap()));
    let wrong_type = refuse(Unspoken::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE), Shape::Stream, &Method::POST);
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
            protocol.read_stream(&HeaderMap::new(), Full::new(message), &intake(), LIMIT).await.unwrap();
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
                protocol.read_unary(&HeaderMap::new(), pieces, &intake(), LIMIT, &mut faults).await.unwrap();
            assert_eq!(request, publish(), "{protocol:?} cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_request_of_too_many_fields_is_refused_before_they_are_read() {
    for field in [&[0x0a, 0x00][..], &[0x1a, 0x02, 0x08, 0x00]] {
        for (times, fits) in [(990, true), (1001, false)] {
            let message = [field.repeat(times), publish().encode_to_vec()].concat();
            let read = read(Protocol::ConnectProto, &HeaderMap::new(), message.into()).await;
            assert_eq!(read.map_err(|error| error.kind()).is_ok(), fits, "{field:?}");
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
                        let sizes = [Size::Exactly(LIMIT.bytes + 1), Size::MoreThan(LIMIT.bytes)];
                        assert!(matches!(error.kind(), Kind::PokeTooLarge { size, .. } if sizes.contains(&size)));
                    }
                }
            }
        }
    }
    // What is a little too much is read to its end all the same, so that its sender lives to see the answer.
    let padded = publish_json() + &" ".repeat(3 * LIMIT.bytes);
    let pieces: Vec<_> = Bytes::from(padded)
        .chunks(4096)
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    let mut pieces = stream::iter(pieces);
    let body = StreamBody::new(&mut pieces);
    let result: Result<v1::PublishRequest, _> =
        Protocol::ConnectJson.read_unary(&HeaderMap::new(), body, &intake(), LIMIT, &mut Faults::default()).await;
    assert_eq!(result.unwrap_err().kind(), Kind::PokeTooLarge { size: Size::MoreThan(LIMIT.bytes), limit: 131_072 });
    assert_eq!(pieces.count().await, 0);
}

#[tokio::test]
async fn a_bomb_is_not_inflated() {
    let bomb = gzip(&vec![0; 64 << 20]);
    for protocol in UNARY {
        let encoding = headers(&[(protocol.encoding_header(), "gzip")]);
        let kind = refused(protocol, &encoding, wrapped(protocol, 1, &bomb)).await;
        assert_eq!(kind, Kind::PokeTooLarge { size: Size::MoreThan(LIMIT.bytes), limit: 131_072 });
    }
}

#[tokio::test]
async fn an_endless_body_is_left_alone() {
    let endless =
        StreamBody::new(stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; 4096])))));
    let result: Result<v1::SubscribeRequest, _> =
        Protocol::ConnectStream.read_stream(&HeaderMap::new(), endless, &intake(), LIMIT).await;
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
    let (name, zipped) = ("content-encoding", gzip(&plain(Protocol::ConnectJson)));
    for spelled in [&["GZIP"][..], &["Gzip"], &["x-gzip"], &[" gzip "], &["identity, gzip"], &["identity", "gzip"]] {
        let encodings = headers(&spelled.iter().map(|value| (name, *value)).collect::<Vec<_>>());
        let request = read(Protocol::ConnectJson, &encodings, zipped.clone().into()).await;
        assert_eq!(request.unwrap(), publish(), "{spelled:?}");
    }
    let identity = headers(&[(name, "Identity")]);
    let request = read(Protocol::ConnectJson, &identity, plain(Protocol::ConnectJson).into()).await;
    assert_eq!(request.unwrap(), publish());
    for unknown in [&["gzip, gzip"][..], &["gzip", "br"], &["gzip;q=1"], &["g zip"]] {
        let encodings = headers(&unknown.iter().map(|value| (name, *value)).collect::<Vec<_>>());
        assert_eq!(refused(Protocol::ConnectJson, &encodings, zipped.clone().into()).await, Kind::UnknownMethod);
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
        Protocol::Grpc.read_unary(&HeaderMap::new(), broken, &intake(), LIMIT, &mut Faults::default()).await;
    assert_eq!(result.unwrap_err().kind(), Kind::InvalidRequest);
}
