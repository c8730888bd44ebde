//! What one writes with tonic in an afternoon: the generated service, `tokio::sync::broadcast`, `BroadcastStream`.
//!
//! It keeps none of the contract's promises beyond delivery. It shares the contract's messages, whose data clones
//! without a copy, so it is a little better than a server with a message of its own.

use std::{collections::HashMap, net::SocketAddr, pin::Pin, sync::Mutex};

use poke_proto::v1::{
    EndInterestRequest, EndInterestResponse, Poke, PublishRequest, PublishResponse, SubscribeRequest,
    SubscribeResponse, Subscribed,
    poke_service_server::{PokeService, PokeServiceServer},
    subscribe_response::Event,
};
use tokio::sync::broadcast;
use tokio_stream::{
    Stream, StreamExt as _, StreamMap,
    wrappers::{BroadcastStream, TcpListenerStream},
};
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig},
};

use crate::Fault;

/// Pokes that a slow subscriber may be behind.
const CAPACITY: usize = 256;

type Key = (String, String);

#[derive(Default)]
struct Naive {
    topics: Mutex<HashMap<Key, broadcast::Sender<Poke>>>,
}

impl Naive {
    fn topic(&self, key: Key) -> broadcast::Sender<Poke> {
        let mut topics = self.topics.lock().expect("nobody panics while holding it");
        topics.entry(key).or_insert_with(|| broadcast::Sender::new(CAPACITY)).clone()
    }
}

fn response(event: Event) -> SubscribeResponse {
    SubscribeResponse { event: Some(event) }
}

#[tonic::async_trait]
impl PokeService for Naive {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        let PublishRequest { domain, filter, data, .. } = request.into_inner();
        let topics = self.topics.lock().expect("nobody panics while holding it");
        if let Some(topic) = topics.get(&(domain.clone(), filter.clone())) {
            // It fails when nobody listens, which is no failure.
            let _ = topic.send(Poke { domain, filter, data, ..Poke::default() });
        }
        Ok(Response::new(PublishResponse::default()))
    }

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Result<Response<Self::SubscribeStream>, Status> {
        let interests: Vec<_> =
            request.into_inner().subscriptions.into_iter().filter_map(|subscription| subscription.interest).collect();
        let mut pokes: StreamMap<usize, BroadcastStream<Poke>> = StreamMap::new();
        for (index, interest) in interests.iter().enumerate() {
            let topic = self.topic((interest.domain.clone(), interest.filter.clone()));
            pokes.insert(index, BroadcastStream::new(topic.subscribe()));
        }
        let subscribed = interests.into_iter().map(|interest| {
            Ok(response(Event::Subscribed(Subscribed { interest: Some(interest), ..Subscribed::default() })))
        });
        let pokes = pokes.filter_map(|(_, poke)| Some(Ok(response(Event::Poke(poke.ok()?)))));
        Ok(Response::new(Box::pin(tokio_stream::iter(subscribed).chain(pokes))))
    }

    async fn end_interest(&self, _: Request<EndInterestRequest>) -> Result<Response<EndInterestResponse>, Status> {
        Err(Status::unimplemented("the naive server only publishes and delivers"))
    }
}

/// Serves until it is killed.
///
/// It encrypts if it is given a certificate and its key, as PEM.
///
/// # Errors
/// When it can't listen, or the certificate and the key are unsound.
pub fn naive(address: SocketAddr, identity: Option<Identity>) -> Result<(), Fault> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(crate::floor::listen(address)?)?;
        let connections = TcpListenerStream::new(listener).filter_map(|connection| {
            let connection = connection.ok()?;
            // Nagle's algorithm would hold the last piece of each poke back.
            connection.set_nodelay(true).ok()?;
            Some(Ok::<_, std::io::Error>(connection))
        });
        let service = PokeServiceServer::new(Naive::default());
        let mut server = Server::builder();
        if let Some(identity) = identity {
            server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
        }
        Ok(server.add_service(service).serve_with_incoming(connections).await?)
    })
}
