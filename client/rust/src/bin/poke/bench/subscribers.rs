//! The streams that listen in a run.

use std::sync::Arc;

use poke_client::Channel;
use poke_proto::v1::{Interest, SubscribeRequest, Subscription};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tonic::{Request, Status, client::Grpc, codegen::http::uri::PathAndQuery};

use super::{
    plan::Plan,
    tally::Tally,
    wire::{Lean, Seen},
};
use crate::{Failure, server::Server};

const SUBSCRIBE: PathAndQuery = PathAndQuery::from_static("/poke.v1.PokeService/Subscribe");

/// How many streams are opened at the same time. More would measure the listener's queue.
const OPENING: usize = 128;

/// Opens the streams, each in a task.
pub(crate) fn start(plan: &Arc<Plan>, server: &Server, tally: &Arc<Tally>) -> Result<JoinSet<()>, Failure> {
    let mut streams = JoinSet::new();
    let opening = Arc::new(Semaphore::new(OPENING));
    let mut channel = None;
    for subscriber in 0..plan.subscribers {
        if subscriber % plan.streams_per_connection == 0 {
            channel = Some(server.another_channel()?);
        }
        let Some(channel) = channel.clone() else { continue };
        let interest = plan.interest_of_subscriber(subscriber);
        let request = server.request(wish(plan, interest));
        let listener = Listener { subscriber, interest, live: false, tally: tally.clone() };
        let opening = opening.clone();
        streams.spawn(async move {
            // The semaphore is never closed.
            let Ok(turn) = opening.acquire_owned().await else { return };
            listener.run(channel, request, turn).await;
        });
    }
    Ok(streams)
}

fn wish(plan: &Plan, interest: u32) -> SubscribeRequest {
    let interest = Interest { domain: plan.domain.clone(), filter: plan.filter(interest), ..Interest::default() };
    SubscribeRequest { subscriptions: vec![Subscription { interest: Some(interest), start: None }] }
}

struct Listener {
    subscriber: u32,
    interest: u32,
    live: bool,
    tally: Arc<Tally>,
}

impl Listener {
    async fn run(mut self, channel: Channel, request: Request<SubscribeRequest>, turn: OwnedSemaphorePermit) {
        let why = match self.listen(channel, request, turn).await {
            Ok(()) => "a stream ended".to_owned(),
            Err(status) => format!("a stream: {}", why(&status)),
        };
        self.tally.stream_failed(self.live, why);
    }

    async fn listen(
        &mut self,
        channel: Channel,
        request: Request<SubscribeRequest>,
        turn: OwnedSemaphorePermit,
    ) -> Result<(), Status> {
        let mut client = Grpc::new(channel);
        client.ready().await?;
        let mut events = client.server_streaming(request, SUBSCRIBE, Lean).await?.into_inner();
        let mut turn = Some(turn);
        while let Some(seen) = events.message().await? {
            match seen {
                Seen::Poke { sent: Some(sent) } => self.tally.delivered(self.subscriber, sent),
                Seen::Live => {
                    self.live = true;
                    turn = None;
                    self.tally.stream_live(self.interest);
                }
                Seen::Gap { missed } => self.tally.gap(missed),
                Seen::Rejected { code, reason } => return Err(Status::new(code.into(), reason)),
                Seen::Poke { sent: None } | Seen::Other => {}
            }
        }
        drop(turn);
        Ok(())
    }
}

/// A short name of what went wrong: runs count by it.
pub(crate) fn why(status: &Status) -> String {
    let error = poke_client::Error::from(status.clone());
    let code = crate::server::code_name(status.code());
    match error.reason() {
        Some(reason) => format!("{code} {reason}"),
        None => format!("{code} {}", crate::server::cause(&error)),
    }
}
