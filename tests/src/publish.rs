//! Publishing by raw calls.

use tonic::{Status, transport::Channel};

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
pub struct Publisher(pub PokeServiceClient<Channel>);

impl Publisher {
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
    pub async fn send(&mut self, request: PublishRequest) -> Result<PublishResponse, Status> {
        within("Publish", self.0.publish(request)).await.map(tonic::Response::into_inner)
    }

    /// Ends an interest and gives the end's position.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn end(&mut self, interest: &Interest, data: Option<Data>) -> Position {
        let Interest { domain, filter, audience } = interest.clone();
        let request = EndInterestRequest { domain, filter, audience, data, ..Default::default() };
        let ended = within("EndInterest", self.0.end_interest(request)).await.expect("EndInterest is accepted");
        ended.into_inner().position.expect("an end has a position")
    }
}

/// A request for an interest.
#[must_use]
pub fn request(interest: &Interest, data: Option<Data>) -> PublishRequest {
    let Interest { domain, filter, audience } = interest.clone();
    PublishRequest { domain, filter, audience, data, ..Default::default() }
}
