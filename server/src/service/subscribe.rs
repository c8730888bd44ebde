//! `Subscribe`.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use http::{Response, request::Parts};
use http_body::Body;
use poke_proto::v1::{self, subscription};
use tokio::time::{Instant, timeout_at};

use super::{Answer, Shared, log};
use crate::{
    auth::Caller,
    backplane::{Backplane, Start},
    domain::Audience,
    error::{Error, Faults, Kind},
    interest::{Interest, MAX_DOMAIN_BYTES, MAX_FILTER_BYTES, Recipients},
    metrics::Shed,
    stream::{self, Link, Opening, Stream, Want},
    wire::{self, Limit, Protocol, Shape},
};

/// Bytes of a SubscribeRequest, for each hundred interests that a stream may have. The longest names and positions of as
/// many take 41,200.
const BYTES_PER_HUNDRED: usize = 64 << 10;

/// What fits a stream of so many interests always fits its request, and again with its positions when it moves.
fn limit(max_interests: usize) -> Limit {
    let bytes = BYTES_PER_HUNDRED * max_interests.max(100) / 100;
    Limit { bytes, exceeded: |size, limit| Kind::RequestTooLarge { size, limit } }
}

impl<B: Backplane> Shared<B> {
    pub(super) async fn subscribe<Q>(&self, head: &Parts, body: Q) -> Response<Answer<B>>
    where
        Q: Body<Data = Bytes>,
        Q::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let protocol = match Protocol::of(head, Shape::Stream) {
            Ok(protocol) => protocol,
            Err(unspoken) => return wire::refuse(unspoken, Shape::Stream, &head.method).map(Answer::from),
        };
        match self.open(protocol, head, body).await {
            Ok(stream) => protocol.stream(Answer::Stream(Box::new(stream))),
            Err(error) => {
                self.streams.metrics().subscribe_refused.inc(i32::from(error.code()).into());
                log(&error);
                protocol.error(&error).map(Answer::from)
            }
        }
    }

    async fn open<Q>(&self, protocol: Protocol, head: &Parts, body: Q) -> Result<Stream<B>, Error>
    where
        Q: Body<Data = Bytes>,
        Q::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let timeout = protocol.timeout(&head.headers)?;
        if !self.memory.has_room_for(Shed::Stream) {
            return Err(Kind::Overloaded.into());
        }
        // A time so far away that it can't be told is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let reading =
            protocol.read_stream(&head.headers, body, &self.intake, limit(self.streams.settings().max_interests));
        // It is read even if the caller is refused: see the unary calls.
        let both = async { (self.caller(head).await, reading.await) };
        let (caller, request) =
            timeout_at(self.deadline(protocol, head)?, both).await.map_err(|_| Error::from(Kind::Deadline))?;
        let (caller, request) = (caller?.as_listener(), request?);
        let v1::SubscribeRequest { subscriptions } = request;
        let wants = self.wants(&caller, subscriptions)?;
        let link = head.extensions.get::<Arc<dyn Link>>().cloned();
        self.streams.open(Opening { wants, protocol, link, deadline, caller })
    }

    /// What the client wants, without duplicates.
    fn wants(&self, caller: &Caller, subscriptions: Vec<v1::Subscription>) -> Result<Vec<Want>, Error> {
        let mut faults = Faults::default();
        if subscriptions.is_empty() {
            let rule = "subscriptions must name at least one interest";
            faults.note(Error::invalid(Kind::InvalidSubscriptions, "subscriptions", rule));
        }
        let mut seen = HashSet::new();
        let mut wants = Vec::new();
        for (index, subscription) in subscriptions.into_iter().enumerate() {
            let Some(interest) = subscription.interest else {
                let field = format!("subscriptions[{index}].interest");
                faults.note(Error::invalid(Kind::InvalidSubscriptions, field, "a subscription needs an interest"));
                continue;
            };
            if seen.insert(interest.clone()) {
                wants.push((interest, start(subscription.start)));
            }
        }
        faults.into_result()?;
        let limit = self.streams.settings().max_interests;
        if wants.len() > limit {
            return Err(Kind::TooManyInterests { limit }.into());
        }
        Ok(wants.into_iter().map(|(interest, start)| self.want(caller, interest, start)).collect())
    }

    fn want(&self, caller: &Caller, interest: v1::Interest, start: Start) -> Want {
        match self.listen(caller, &interest) {
            Ok(interest) => Want::Attach(interest, start),
            Err(error) => Want::Refuse(stream::rejected(cut(interest), &error)),
        }
    }

    /// The interest, if this client may listen to it. Of a customer it is the caller's own, whoever that is.
    fn listen(&self, caller: &Caller, asked: &v1::Interest) -> Result<Interest, Error> {
        let interest = Interest::new(Recipients::Everyone, &asked.domain, &asked.filter)?;
        let audience = match v1::Audience::try_from(asked.audience) {
            Ok(v1::Audience::Unspecified) => Audience::Everyone,
            Ok(v1::Audience::Customer) => Audience::Customer,
            Err(_) => return Err(Kind::InvalidAudience.into()),
        };
        self.domain_for(interest.domain(), audience)?;
        self.auth.may_listen(caller, &interest)?;
        match audience {
            Audience::Everyone => Ok(interest),
            Audience::Customer => {
                let customer = caller.customer().ok_or(Kind::CustomerRequired)?;
                let recipients = Recipients::Customer(customer.as_str().into());
                Ok(Interest::new(recipients, &asked.domain, &asked.filter)?)
            }
        }
    }
}

/// Whatever a position says, it is the core that knows what it is worth.
fn start(start: Option<subscription::Start>) -> Start {
    match start {
        None => Start::New,
        Some(subscription::Start::Latest(v1::Latest {})) => Start::Latest,
        Some(subscription::Start::After(v1::Position { epoch, sequence })) => Start::After { epoch, sequence },
    }
}

/// The interest as it came, but no longer than one may be.
fn cut(mut interest: v1::Interest) -> v1::Interest {
    for (text, limit) in [(&mut interest.domain, MAX_DOMAIN_BYTES), (&mut interest.filter, MAX_FILTER_BYTES)] {
        text.truncate(text.floor_char_boundary(limit));
    }
    interest
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn as_many_interests_as_there_may_be_fit_with_the_longest_names_and_positions() {
        let longest = v1::Subscription {
            interest: Some(v1::Interest {
                domain: "D".repeat(MAX_DOMAIN_BYTES),
                filter: "f".repeat(MAX_FILTER_BYTES),
                audience: v1::Audience::Customer.into(),
            }),
            start: Some(subscription::Start::After(v1::Position { epoch: "e".repeat(64), sequence: i64::MAX })),
        };
        for interests in [1, 100, 101, 159, 160, 500, 1000] {
            let request = v1::SubscribeRequest { subscriptions: vec![longest.clone(); interests] };
            let (size, limit) = (request.encoded_len(), limit(interests).bytes);
            assert!(size <= limit, "{interests} interests take {size} bytes of {limit}");
        }
        assert_eq!([limit(1).bytes, limit(100).bytes, limit(1000).bytes], [65_536, 65_536, 655_360]);
    }
}
