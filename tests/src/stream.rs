//! A Subscribe stream as the contract has it, without the SDK.

use tonic::{Code, IntoRequest, Status, Streaming, body::Body, client::GrpcService, codegen::StdError};

use crate::{
    v1::{
        Interest, Latest, Outcome, Poke, Position, Reconnect, SubscribeRequest, SubscribeResponse, Subscribed,
        Subscription, Welcome, poke_service_client::PokeServiceClient, subscribe_response, subscription::Start,
    },
    within,
};

/// One event of a stream.
pub type Event = subscribe_response::Event;

/// New pokes only.
#[must_use]
pub fn new_pokes(interest: Interest) -> Subscription {
    Subscription { interest: Some(interest), start: None }
}

/// Everything after a position.
#[must_use]
pub fn after(interest: Interest, position: Position) -> Subscription {
    Subscription { interest: Some(interest), start: Some(Start::After(position)) }
}

/// The newest retained poke, and new ones.
#[must_use]
pub fn latest(interest: Interest) -> Subscription {
    Subscription { interest: Some(interest), start: Some(Start::Latest(Latest {})) }
}

/// An open stream. Each method fails the test when nothing comes for [`crate::PATIENCE`].
#[derive(Debug)]
pub struct Stream {
    events: Streaming<SubscribeResponse>,
    welcome: Welcome,
}

/// What calls go through: a channel of tonic, or one of the SDK.
pub trait Connection: GrpcService<Body, ResponseBody = Body, Error: Into<StdError>> {}

impl<C: GrpcService<Body, ResponseBody = Body, Error: Into<StdError>>> Connection for C {}

impl Stream {
    /// Opens a stream and takes its welcome.
    ///
    /// # Panics
    /// When the call fails, or the first event is another.
    pub async fn open(
        client: &mut PokeServiceClient<impl Connection>,
        subscriptions: impl IntoIterator<Item = Subscription>,
    ) -> Self {
        Self::try_open(client, subscriptions).await.expect("Subscribe is accepted")
    }

    /// As [`Stream::open`], for calls that may be refused.
    ///
    /// # Errors
    /// The status that the server answered with, at once or in place of the welcome.
    ///
    /// # Panics
    /// When the first event isn't the welcome.
    pub async fn try_open(
        client: &mut PokeServiceClient<impl Connection>,
        subscriptions: impl IntoIterator<Item = Subscription>,
    ) -> Result<Self, Status> {
        Self::try_send(client, SubscribeRequest { subscriptions: subscriptions.into_iter().collect() }).await
    }

    /// As [`Stream::try_open`], of any request, for example one that carries a token.
    ///
    /// # Errors
    /// The status that the server answered with, at once or in place of the welcome.
    ///
    /// # Panics
    /// When the first event isn't the welcome.
    pub async fn try_send(
        client: &mut PokeServiceClient<impl Connection>,
        request: impl IntoRequest<SubscribeRequest>,
    ) -> Result<Self, Status> {
        let mut events = within("Subscribe's headers", client.subscribe(request)).await?.into_inner();
        match within("the welcome", events.message()).await?.and_then(|response| response.event) {
            Some(Event::Welcome(welcome)) => Ok(Self { events, welcome }),
            first => panic!("the first event isn't welcome but {first:?}"),
        }
    }

    /// The stream's welcome.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The next event of any kind; `Err` is the end of the stream, OK included.
    ///
    /// # Errors
    /// The status that the stream ended with.
    pub async fn try_next(&mut self) -> Result<Event, Status> {
        match within("an event", self.events.message()).await {
            Ok(Some(response)) => Ok(response.event.expect("the server sends no empty event")),
            Ok(None) => Err(Status::new(Code::Ok, "")),
            Err(status) => Err(status),
        }
    }

    /// The next event of any kind.
    ///
    /// # Panics
    /// When the stream ends instead.
    pub async fn next(&mut self) -> Event {
        self.try_next().await.unwrap_or_else(|status| panic!("the stream ended: {status:?}"))
    }

    /// The next event that isn't a heartbeat.
    pub async fn next_but_heartbeat(&mut self) -> Event {
        loop {
            match self.next().await {
                Event::Heartbeat(_) => {}
                event => return event,
            }
        }
    }

    /// The next event, which must say that an interest is live.
    ///
    /// # Panics
    /// When it is another.
    pub async fn subscribed(&mut self) -> Subscribed {
        match self.next_but_heartbeat().await {
            Event::Subscribed(subscribed) => subscribed,
            other => panic!("not subscribed but {other:?}"),
        }
    }

    /// As [`Stream::subscribed`], with a given outcome. Gives the position.
    ///
    /// # Panics
    /// When it is another event or outcome.
    pub async fn live(&mut self, outcome: Outcome) -> Position {
        let subscribed = self.subscribed().await;
        assert_eq!(subscribed.outcome(), outcome, "{subscribed:?}");
        subscribed.position.expect("subscribed has a position")
    }

    /// The next event, which must be a poke.
    ///
    /// # Panics
    /// When it is another.
    pub async fn poke(&mut self) -> Poke {
        match self.next_but_heartbeat().await {
            Event::Poke(poke) => poke,
            other => panic!("not a poke but {other:?}"),
        }
    }

    /// The next pokes, by their data as JSON.
    pub async fn data(&mut self, count: usize) -> Vec<serde_json::Value> {
        let mut data = Vec::with_capacity(count);
        for _ in 0..count {
            let value = self.poke().await.data.expect("the poke has data").to_value();
            data.push(value.expect("the server sends valid data"));
        }
        data
    }

    /// Reads on until an event is wanted, and gives what it was turned into.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    /// Reads on until the client is asked to move.
    pub async fn asked_to_move(&mut self) -> Reconnect {
        self.until(|event| if let Event::Reconnect(reconnect) = event { Some(reconnect) } else { None }).await
    }

    /// The status of the end, which must come before any other event.
    ///
    /// # Panics
    /// When something else comes.
    pub async fn ends_next(&mut self) -> Status {
        match self.try_next().await {
            Err(status) => status,
            Ok(event) => panic!("not the end but {event:?}"),
        }
    }

    /// Reads to the end and gives the status; OK when the server closed without an error.
    pub async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.try_next().await {
                return status;
            }
        }
    }
}
