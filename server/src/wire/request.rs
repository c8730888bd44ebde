//! Reading the one message of a request.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use prost::Message;

use super::{Intake, Protocol, envelope, gzip, strict, text};
use crate::{
    error::{Error, Faults, Kind, Size},
    frame::PREFIX_BYTES,
};

/// How large the message of a request may be, once it is decompressed.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The most bytes.
    pub bytes: usize,
    /// The error for more, from how many there were and how many there may be.
    pub exceeded: fn(Size, usize) -> Kind,
}

impl Limit {
    fn exceeded_by(self, size: Size) -> Error {
        (self.exceeded)(size, self.bytes).into()
    }
}

/// The request of a unary method, which has a form in JSON as well.
pub trait UnaryRequest: Message + Default {
    /// Full name of the message, with a leading dot as in descriptors.
    const NAME: &'static str;

    /// Reads the JSON form. Fields that break a rule of JSON's are noted in `faults`, and left empty.
    ///
    /// # Errors
    /// If it isn't a JSON object at all.
    fn from_json(text: &str, faults: &mut Faults) -> Result<Self, Error>;
}

/// The request of a streaming method, which has a form in JSON as well.
pub trait StreamRequest: Message + Default {
    /// Full name of the message, with a leading dot as in descriptors.
    const NAME: &'static str;

    /// Reads the JSON form.
    ///
    /// # Errors
    /// If it is another, or has a field that isn't known.
    fn from_json(text: &str) -> Result<Self, Error>;
}

/// The response of a unary method, which has a form in JSON as well.
pub trait UnaryResponse: Message {
    /// Its form in ProtoJSON.
    fn to_json(&self) -> String;
}

impl Protocol {
    /// Reads the request of a unary method, within what `intake` has left. What is wrong with single fields of it is
    /// noted in `faults`.
    ///
    /// # Errors
    /// If it is too large, isn't one message, or comes in an encoding that isn't spoken here; [`Kind::Overloaded`].
    pub async fn read_unary<M, B>(
        self,
        headers: &HeaderMap,
        body: B,
        intake: &Intake,
        limit: Limit,
        faults: &mut Faults,
    ) -> Result<M, Error>
    where
        M: UnaryRequest,
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let message = self.read_bytes(headers, body, intake, limit).await?;
        match self {
            Self::ConnectJson => M::from_json(utf8(&message)?, faults),
            _ => {
                strict::check(M::NAME, &message, MAX_FIELDS)?;
                decode(message)
            }
        }
    }

    /// Reads the request of a streaming method.
    ///
    /// # Errors
    /// As for [`Protocol::read_unary`].
    pub async fn read_stream<M, B>(
        self,
        headers: &HeaderMap,
        body: B,
        intake: &Intake,
        limit: Limit,
    ) -> Result<M, Error>
    where
        M: StreamRequest,
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let message = self.read_bytes(headers, body, intake, limit).await?;
        match self {
            Self::ConnectJsonStream => M::from_json(utf8(&message)?),
            _ => {
                strict::check(M::NAME, &message, usize::MAX)?;
                decode(message)
            }
        }
    }

    async fn read_bytes<B>(self, headers: &HeaderMap, body: B, intake: &Intake, limit: Limit) -> Result<Bytes, Error>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.check_version(headers)?;
        let gzip = self.has_gzip(headers)?;
        let body = collect(body, intake, self.most_bytes(limit), limit).await?;
        let (compressed, message) = match self {
            // The body is the message, and an empty one isn't compressed.
            Self::ConnectJson | Self::ConnectProto => (gzip && !body.is_empty(), body),
            Self::GrpcWebText => {
                let bytes =
                    text::decode(&body).map_err(|error| malformed("the request isn't base64").because(error))?;
                envelope::open(bytes.into())?
            }
            Self::Grpc | Self::GrpcWeb | Self::ConnectStream | Self::ConnectJsonStream => envelope::open(body)?,
        };
        match (compressed, gzip) {
            (false, _) if message.len() > limit.bytes => Err(limit.exceeded_by(Size::Exactly(message.len()))),
            (false, _) => Ok(message),
            (true, true) => gzip::inflate(&message, limit.bytes).map_err(|failure| match failure {
                gzip::Failure::TooLarge => limit.exceeded_by(Size::MoreThan(limit.bytes)),
                gzip::Failure::Corrupt(error) => malformed("the request isn't valid gzip").because(error),
            }),
            (true, false) => Err(malformed("the request is compressed, but doesn't say how")),
        }
    }

    /// Connect's clients name the version of their protocol; there is one so far.
    fn check_version(self, headers: &HeaderMap) -> Result<(), Error> {
        match headers.get("connect-protocol-version") {
            Some(version) if self.is_connect() && version != "1" => {
                let rule = "connect-protocol-version must be 1";
                Err(Error::invalid(Kind::InvalidRequest, "connect-protocol-version", rule))
            }
            _ => Ok(()),
        }
    }

    /// Returns true if the compressed messages of a request are gzip, and false if there are none.
    ///
    /// Names of encodings are case-insensitive, and `x-gzip` is another name of gzip (RFC 9110, section 8.4.1). Of a list
    /// that applies several encodings only one may do anything.
    fn has_gzip(self, headers: &HeaderMap) -> Result<bool, Error> {
        let mut has_gzip = false;
        for value in headers.get_all(self.encoding_header()) {
            for name in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                let is = |encoding: &str| name.eq_ignore_ascii_case(encoding.as_bytes());
                if is("identity") || is("") {
                    continue;
                }
                if has_gzip || !(is("gzip") || is("x-gzip")) {
                    return Err(Kind::UnknownMethod.into());
                }
                has_gzip = true;
            }
        }
        Ok(has_gzip)
    }

    /// Bytes of a body whose message is as large as it may be.
    fn most_bytes(self, limit: Limit) -> usize {
        match self {
            Self::ConnectJson | Self::ConnectProto => limit.bytes,
            Self::GrpcWebText => text::most_text(limit.bytes + PREFIX_BYTES),
            Self::Grpc | Self::GrpcWeb | Self::ConnectStream | Self::ConnectJsonStream => limit.bytes + PREFIX_BYTES,
        }
    }
}

/// How many times its most bytes a body may have and still be read to its end, for nothing but good manners: several
/// clients that are answered while they send take the stream for broken, and never see the answer.
const PATIENCE: usize = 8;

/// Reads a body to its end. No more than its most bytes are kept.
async fn collect<B>(body: B, intake: &Intake, most: usize, limit: Limit) -> Result<Bytes, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most * PATIENCE {
        return Err(limit.exceeded_by(Size::MoreThan(limit.bytes)));
    }
    let mut reading = intake.open()?;
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| malformed("the request broke off").because(error))?;
        let Ok(data) = frame.into_data() else { continue };
        let is_whole = size == 0 && body.is_end_stream();
        size += data.len();
        if is_whole && size <= most {
            return Ok(data);
        } else if size <= most {
            reading.take(data.len())?;
            bytes.extend_from_slice(&data);
        } else if size <= most * PATIENCE {
            reading.give_back(bytes.len());
            bytes = BytesMut::new();
        } else {
            break;
        }
    }
    if size > most { Err(limit.exceeded_by(Size::MoreThan(limit.bytes))) } else { Ok(bytes.freeze()) }
}

/// Maximum number of fields in a unary method's request, nested ones included, so that decoding stays quick. The contract
/// has fewer than ten, and encoders write each of them once. The size alone bounds a Subscribe's, which has some for each
/// interest.
const MAX_FIELDS: usize = 1000;

fn decode<M: Message + Default>(message: Bytes) -> Result<M, Error> {
    M::decode(message).map_err(strict::undecodable)
}

/// JSON may begin with a byte-order mark, as files have it that are sent as they are (RFC 8259, section 8.1).
fn utf8(message: &[u8]) -> Result<&str, Error> {
    poke_proto::text::decode(message).map_err(|error| malformed("the request isn't UTF-8").because(error))
}

fn malformed(rule: &'static str) -> Error {
    Error::invalid(Kind::InvalidRequest, "", rule)
}
