//! What goes back: the head of an answer, its messages, and how it ends.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;
use tonic::Status;

use super::{
    Body, Protocol, Shape, UnaryResponse, Unspoken,
    envelope::{self, END_STREAM, TRAILERS},
    json, text,
};
use crate::{
    error::{ConnectError, Error, Kind},
    frame,
};

/// The end of a stream: in data, in trailers, or both.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The last envelope of the body. It goes through [`Protocol::frame`] like those before it.
    pub data: Option<Bytes>,
    /// The trailers after it.
    pub trailers: Option<HeaderMap>,
}

/// The answer to a request for a method of this shape that can't be understood: what would have been right.
#[must_use]
pub fn refuse(unspoken: Unspoken, shape: Shape, method: &Method) -> Response<Body> {
    let status = match unspoken {
        Unspoken::Http(status) => status,
        Unspoken::Codec(protocol) => return protocol.error(&Kind::UnknownMethod.into()),
    };
    let mut response = note(status, advice(status, shape), method);
    match status {
        StatusCode::METHOD_NOT_ALLOWED => set(&mut response, "allow", "POST"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => set(&mut response, "accept-post", shape.media_types()),
        _ => {}
    }
    response
}

/// A line of plain text, for whoever speaks no protocol of ours: most often somebody who tries things out with `curl`.
/// HEAD gets none, as HTTP has it: over HTTP/2 nobody else leaves it out.
#[must_use]
pub fn note(status: StatusCode, line: impl std::fmt::Display, method: &Method) -> Response<Body> {
    let body = if method == Method::HEAD { Body::default() } else { Body::new(format!("{line}\n").into(), None) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE.as_str(), "text/plain; charset=utf-8");
    response
}

/// What to do in place of what was answered with `status`.
fn advice(status: StatusCode, shape: Shape) -> &'static str {
    match (status, shape) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => "405: send a POST",
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, Shape::Unary) => {
            "415: send content-type: application/json, or that of gRPC, gRPC-Web or Connect"
        }
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, Shape::Stream) => {
            "415: a stream needs a client of gRPC, gRPC-Web or Connect, such as: poke subscribe"
        }
        (StatusCode::HTTP_VERSION_NOT_SUPPORTED, _) => {
            "505: gRPC needs HTTP/2; over HTTP/1.1 send content-type: application/json, or speak gRPC-Web or Connect"
        }
        _ => "404: nothing is here; POST to /poke.v1.PokeService/Publish, for example",
    }
}

impl Protocol {
    /// The answer of a unary method.
    #[must_use]
    pub fn answer(self, message: &impl UnaryResponse) -> Response<Body> {
        let body = match self {
            Self::ConnectJson => Body::new(message.to_json().into(), None),
            Self::ConnectProto => Body::new(message.encode_to_vec().into(), None),
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText | Self::ConnectStream | Self::ConnectJsonStream => {
                let End { data, trailers } = self.end(Ok(()));
                let envelopes = [frame::message(message), data.unwrap_or_default()].concat();
                Body::new(self.frame(envelopes.into()), trailers)
            }
        };
        self.head(body)
    }

    /// The answer of a call that failed before it had any other.
    #[must_use]
    pub fn error(self, error: &Error) -> Response<Body> {
        let mut response = match self {
            Self::Grpc => {
                // "Trailers-Only": the trailers stand in the place of headers.
                let mut response = self.head(Body::default());
                response.headers_mut().extend(trailers(&error.to_status()));
                response
            }
            Self::ConnectJson | Self::ConnectProto => {
                let mut response = Self::ConnectJson.head(Body::new(json::text(&error.to_connect()).into(), None));
                *response.status_mut() = error.http_status();
                response
            }
            // In the body, since scripts see headers of another origin only where somebody has exposed them.
            Self::GrpcWeb | Self::GrpcWebText | Self::ConnectStream | Self::ConnectJsonStream => {
                let end = self.end(Err(error)).data.unwrap_or_default();
                self.head(Body::new(self.frame(end), None))
            }
        };
        set(&mut response, self.accept_encoding_header(), "gzip");
        response
    }

    /// The head of a stream's answer.
    #[must_use]
    pub fn stream<B>(self, body: B) -> Response<B> {
        let mut response = self.head(body);
        if self != Self::Grpc {
            // A proxy that collects the answer before it passes it on would collect for ever. (nginx heeds this.)
            set(&mut response, "x-accel-buffering", "no");
        }
        response
    }

    fn head<B>(self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        set(&mut response, header::CONTENT_TYPE.as_str(), self.content_type());
        response
    }

    /// What a body holds for an envelope, or for several behind each other.
    #[must_use]
    pub fn frame(self, envelopes: Bytes) -> Bytes {
        match self {
            Self::GrpcWebText => text::encode(&envelopes).into(),
            _ => envelopes,
        }
    }

    /// How a stream ends.
    #[must_use]
    pub fn end(self, result: Result<(), &Error>) -> End {
        match self {
            Self::Grpc => End { trailers: Some(trailers(&status(result))), ..End::default() },
            Self::GrpcWeb | Self::GrpcWebText => {
                let block = header_block(&trailers(&status(result)));
                End { data: Some(envelope::seal(TRAILERS, &block)), ..End::default() }
            }
            Self::ConnectJson | Self::ConnectProto | Self::ConnectStream | Self::ConnectJsonStream => {
                let error = result.err().map(Error::to_connect);
                End { data: Some(end_stream(error, &HeaderMap::new())), ..End::default() }
            }
        }
    }
}

/// Connect's `EndStreamResponse`, in its envelope, with these trailers.
pub(super) fn end_stream(error: Option<ConnectError>, trailers: &HeaderMap) -> Bytes {
    #[derive(Serialize)]
    struct EndStream<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ConnectError>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        metadata: BTreeMap<&'a str, Vec<Cow<'a, str>>>,
    }
    let values = |name| trailers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let metadata = trailers.keys().map(|name| (name.as_str(), values(name))).collect();
    envelope::seal(END_STREAM, json::text(&EndStream { error, metadata }).as_bytes())
}

fn status(result: Result<(), &Error>) -> Status {
    result.map_or_else(Error::to_status, |()| Status::ok(""))
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).expect("a status is percent-encoded text and base64");
    trailers
}

/// Trailers as gRPC-Web has them in a body: lines as in HTTP/1.
fn header_block(headers: &HeaderMap) -> Vec<u8> {
    let lines =
        headers.iter().map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    lines.flatten().collect()
}

fn set<B>(response: &mut Response<B>, name: &'static str, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}
