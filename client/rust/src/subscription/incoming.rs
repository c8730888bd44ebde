//! One Subscribe call on the wire.

use std::pin::Pin;

use bytes::Buf as _;
use futures_core::Stream;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::uri::PathAndQuery;
use poke_proto::v1;
use prost::Message as _;
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

use super::message::Message;
use crate::{Channel, Client, Error, ErrorKind, clock::Moment, error::Failure, token::Token};

/// What a call delivers. `Closed` and `Failed` are the last.
#[derive(Debug)]
pub(super) enum Signal {
    Message(Message),
    /// A message came that can't be read. The call goes on, but nobody knows what it was.
    Undecodable(Error),
    /// The server has closed the call with OK.
    Closed,
    Failed(Failure),
}

/// A call, from its first attempt to its end. Dropping it cancels the call.
pub(super) type Incoming = Pin<Box<dyn Stream<Item = Signal> + Send>>;

/// Starts a call as soon as it is polled.
pub(super) fn open(
    client: Client,
    channel: Channel,
    request: v1::SubscribeRequest,
    stale_token: Option<Moment>,
) -> Incoming {
    let opening = async move {
        let call = |token: Token| subscribe(channel.clone(), token.add_to(request.clone()));
        match client.authorized(stale_token, call).await {
            Ok((first, rest)) => {
                stream::iter(first.map(Ok)).chain(rest).map(move |item| signal(&client, item)).left_stream()
            }
            Err(failure) => stream::iter([Signal::Failed(failure)]).right_stream(),
        }
    };
    Box::pin(opening.into_stream().flatten().chain(stream::iter([Signal::Closed])))
}

/// Opens the call and waits for its first event, since some servers refuse a call only then.
async fn subscribe(
    channel: Channel,
    request: Request<v1::SubscribeRequest>,
) -> Result<(Option<Decoded>, Streaming<Decoded>), Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let path = PathAndQuery::from_static("/poke.v1.PokeService/Subscribe");
    let mut events = grpc.server_streaming(request, path, EventCodec).await?.into_inner();
    let first = events.message().await?;
    Ok((first, events))
}

fn signal(client: &Client, item: Result<Decoded, Status>) -> Signal {
    match item {
        // With a token that never changes a new stream would have the same end: there is nothing to move for.
        Ok(Ok(Message::Reconnect(reconnect))) if reconnect.renew_token && !client.can_refresh_token() => {
            Signal::Message(Message::Unknown)
        }
        Ok(Ok(message)) => Signal::Message(message),
        Ok(Err(error)) => Signal::Undecodable(error),
        Err(status) if client.can_refresh_token() => Signal::Failed(status.into()),
        Err(status) => Signal::Failed(Failure::from(status).once_only()),
    }
}

/// A message that can't be read is an item of its own: an error of the codec would look like one of the server.
type Decoded = Result<Message, Error>;

#[derive(Debug)]
struct EventCodec;

impl Codec for EventCodec {
    type Encode = v1::SubscribeRequest;
    type Decode = Decoded;
    type Encoder = ProstEncoder<v1::SubscribeRequest>;
    type Decoder = EventDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        EventDecoder
    }
}

#[derive(Debug)]
struct EventDecoder;

impl Decoder for EventDecoder {
    type Item = Decoded;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Decoded>, Status> {
        let decoded = v1::SubscribeResponse::decode(&mut *buf).map_err(|error| Error::with(ErrorKind::Protocol, error));
        // A failed decode leaves its rest, which would be taken for the head of the next message.
        buf.advance(buf.remaining());
        let complete = decoded
            .and_then(|response| Message::try_from(response).map_err(|error| Error::with(ErrorKind::Protocol, error)));
        Ok(Some(complete))
    }
}
