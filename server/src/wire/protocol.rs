//! Which protocol a request speaks.

use http::{HeaderMap, Method, StatusCode, Version, header::CONTENT_TYPE, request::Parts};

/// One way to carry a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web.
    GrpcWeb,
    /// gRPC-Web in base64, for browsers whose responses must be text.
    GrpcWebText,
    /// A unary Connect call in JSON.
    ConnectJson,
    /// A unary Connect call in protobuf.
    ConnectProto,
    /// A streaming Connect call in protobuf.
    ConnectStream,
    /// A streaming Connect call in JSON.
    ConnectJsonStream,
}

/// What a method answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One message.
    Unary,
    /// Any number of messages.
    Stream,
}

/// Why a request can't be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unspoken {
    /// It speaks no protocol of ours; this HTTP status says so.
    Http(StatusCode),
    /// It speaks this one, but carries something other than protobuf.
    Codec(Protocol),
}

impl Shape {
    /// The media types that a request for such a method may have: the header `accept-post`.
    pub(super) fn media_types(self) -> &'static str {
        match self {
            Self::Unary => {
                "application/json, application/proto, application/grpc, application/grpc-web, application/grpc-web-text"
            }
            Self::Stream => {
                "application/connect+proto, application/connect+json, application/grpc, application/grpc-web, \
                 application/grpc-web-text"
            }
        }
    }
}

impl Protocol {
    /// The protocol of a request to a method of this shape.
    ///
    /// # Errors
    /// How to refuse it, when it speaks none: 405 if it isn't a POST, 415 for another media type, 505 for gRPC below
    /// HTTP/2, which has no trailers there; and by the protocol's own error for gRPC that carries something other than
    /// protobuf (415 is for media types that don't begin with `application/grpc`).
    pub fn of(head: &Parts, shape: Shape) -> Result<Self, Unspoken> {
        if head.method != Method::POST {
            return Err(Unspoken::Http(StatusCode::METHOD_NOT_ALLOWED));
        }
        let protocol = Self::of_content(&head.headers)?;
        match protocol {
            _ if !protocol.carries(shape) => Err(Unspoken::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            Self::Grpc if head.version < Version::HTTP_2 => Err(Unspoken::Http(StatusCode::HTTP_VERSION_NOT_SUPPORTED)),
            protocol => Ok(protocol),
        }
    }

    /// Returns true if these are the headers of a request in gRPC, not in gRPC-Web, whatever its messages are encoded in.
    pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
        matches!(Self::of_content(headers), Ok(Self::Grpc) | Err(Unspoken::Codec(Self::Grpc)))
    }

    fn of_content(headers: &HeaderMap) -> Result<Self, Unspoken> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(match media_type.as_str() {
            "application/grpc" | "application/grpc+proto" => Self::Grpc,
            "application/grpc-web" | "application/grpc-web+proto" => Self::GrpcWeb,
            "application/grpc-web-text" | "application/grpc-web-text+proto" => Self::GrpcWebText,
            "application/json" => Self::ConnectJson,
            "application/proto" => Self::ConnectProto,
            "application/connect+proto" => Self::ConnectStream,
            "application/connect+json" => Self::ConnectJsonStream,
            _ => {
                return Err(match media_type.split_once('+') {
                    Some(("application/grpc", _)) => Unspoken::Codec(Self::Grpc),
                    Some(("application/grpc-web", _)) => Unspoken::Codec(Self::GrpcWeb),
                    Some(("application/grpc-web-text", _)) => Unspoken::Codec(Self::GrpcWebText),
                    _ => Unspoken::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE),
                });
            }
        })
    }

    fn carries(self, shape: Shape) -> bool {
        match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => true,
            Self::ConnectJson | Self::ConnectProto => shape == Shape::Unary,
            Self::ConnectStream | Self::ConnectJsonStream => shape == Shape::Stream,
        }
    }

    /// The media type of an answer that isn't an error of a unary Connect call.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::GrpcWeb => "application/grpc-web+proto",
            Self::GrpcWebText => "application/grpc-web-text+proto",
            Self::ConnectJson => "application/json",
            Self::ConnectProto => "application/proto",
            Self::ConnectStream => "application/connect+proto",
            Self::ConnectJsonStream => "application/connect+json",
        }
    }

    pub(super) fn is_connect(self) -> bool {
        matches!(self, Self::ConnectJson | Self::ConnectProto | Self::ConnectStream | Self::ConnectJsonStream)
    }

    /// Whether the events of a stream go out in JSON.
    #[must_use]
    pub fn has_json_events(self) -> bool {
        self == Self::ConnectJsonStream
    }

    /// The header that names the encoding of a request's messages.
    pub(super) fn encoding_header(self) -> &'static str {
        match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => "grpc-encoding",
            Self::ConnectJson | Self::ConnectProto => "content-encoding",
            Self::ConnectStream | Self::ConnectJsonStream => "connect-content-encoding",
        }
    }

    /// The header that says which encodings a request's messages may have.
    pub(super) fn accept_encoding_header(self) -> &'static str {
        match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => "grpc-accept-encoding",
            Self::ConnectJson | Self::ConnectProto => "accept-encoding",
            Self::ConnectStream | Self::ConnectJsonStream => "connect-accept-encoding",
        }
    }
}
