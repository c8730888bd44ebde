//! Publishing by raw calls.

use http::uri::PathAndQuery;
use tonic::{IntoRequest, Request, Response, Status, transport::Channel};
use tonic_prost::ProstCodec;

use crate::{
    Data,
    v1::{
        EndInterestRequest, Interest, Position, PublishRequest, PublishResponse, poke_service_client::PokeServiceClient,
    },
    within,
};

/// An interest of domain `PLAYLIST` for everyone.
#[must_use]
pub fn interest(filter: &str) -> Interest {
    Interest { domain: "PLAYLIST".into(), filter: filter.into(), audience: 0 }
}

/// A string as data.
#[must_use]
pub fn text(text: &str) -> Data {
    Data::string(text)
}

/// JSON as data.
///
/// # Panics
/// When it can't be data.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "reads better with json! in the call")]
pub fn json(value: serde_json::Value) -> Data {
    Data::from_value(&value).expect("the test's JSON can be data")
}

/// A back end that publishes on one connection.
#[derive(Clone, Debug)]
pub struct Publisher {
    channel: Channel,
    client: PokeServiceClient<Channel>,
}

/// PublishRequest with `data` as bytes, which look the same on the wire: so a test can send what is no data at all.
#[derive(Clone, PartialEq, prost::Message)]
struct Unchecked {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(string, tag = "2")]
    filter: String,
    #[prost(bytes = "vec", optional, tag = "3")]
    data: Option<Vec<u8>>,
}

impl Publisher {
    /// A publisher on this connection.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { client: PokeServiceClient::new(channel.clone()), channel }
    }

    /// The client, for other calls on the same connection.
    #[must_use]
    pub fn client(&self) -> PokeServiceClient<Channel> {
        self.client.clone()
    }

    /// Publishes bytes in place of data, whatever they are.
    ///
    /// # Errors
    /// The server's refusal.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn send_bytes(&mut self, interest: &Interest, data: &[u8]) -> Result<PublishResponse, Status> {
        let Interest { domain, filter, .. } = interest.clone();
        let request = Unchecked { domain, filter, data: Some(data.to_vec()) };
        let path = PathAndQuery::from_static("/poke.v1.PokeService/Publish");
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.expect("the connection is open");
        let codec = ProstCodec::<Unchecked, PublishResponse>::default();
        within("Publish", grpc.unary(Request::new(request), path, codec)).await.map(Response::into_inner)
    }

    /// Publishes a string and gives its position.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn poke(&mut self, interest: &Interest, data: &str) -> Position {
        self.publish(interest, text(data)).await.position.expect("an accepted poke has a position")
    }

    /// Publishes data.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn publish(&mut self, interest: &Interest, data: Data) -> PublishResponse {
        self.send(request(interest, Some(data))).await.expect("Publish is accepted")
    }

    /// Publishes anything.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn send(&mut self, request: impl IntoRequest<PublishRequest>) -> Result<PublishResponse, Status> {
        within("Publish", self.client.publish(request)).await.map(Response::into_inner)
    }

    /// Ends an interest and gives the end's position.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn end(&mut self, interest: &Interest, data: Option<Data>) -> Position {
        let Interest { domain, filter, audience } = interest.clone();
        let request = EndInterestRequest { domain, filter, audience, data, ..Default::default() };
        let ended = within("EndInterest", self.client.end_interest(request)).await.expect("EndInterest is accepted");
        ended.into_inner().position.expect("an end has a position")
    }
}

/// A request for an interest.
#[must_use]
pub fn request(interest: &Interest, data: Option<Data>) -> PublishRequest {
    let Interest { domain, filter, audience } = interest.clone();
    PublishRequest { domain, filter, audience, data, ..Default::default() }
}
