//! The calls of a run.

use std::{
    sync::Arc,
    time::{Duration, Instant as Clock},
};

use poke_client::Channel;
use poke_proto::v1::{PublishRequest, poke_service_client::PokeServiceClient};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tonic::Request;

use super::{plan::Plan, subscribers::why, tally::Tally, wire::stamped};
use crate::{Failure, server::Server};

/// For how long a call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many publishers share a connection.
const CALLS_PER_CONNECTION: u32 = 16;

/// Starts the publishers. Each sends one poke after the other, and ends when the run's time is over.
pub(crate) fn start(plan: &Arc<Plan>, server: &Server, tally: &Arc<Tally>) -> Result<JoinSet<()>, Failure> {
    let started = Instant::now();
    let mut publishers = JoinSet::new();
    let mut channel = None;
    for publisher in 0..plan.publishers {
        if publisher % CALLS_PER_CONNECTION == 0 {
            channel = Some(server.another_channel()?);
        }
        let Some(channel) = channel.clone() else { continue };
        let token = server.request(());
        let sender = Publisher { plan: plan.clone(), tally: tally.clone(), token, started };
        publishers.spawn(sender.run(publisher, channel));
    }
    Ok(publishers)
}

struct Publisher {
    plan: Arc<Plan>,
    tally: Arc<Tally>,
    /// Its headers go with every call.
    token: Request<()>,
    started: Instant,
}

impl Publisher {
    async fn run(self, publisher: u32, channel: Channel) {
        let mut client = PokeServiceClient::new(channel);
        let all = u64::from(self.plan.publishers);
        for turn in 0.. {
            let poke = turn * all + u64::from(publisher);
            let due = self.plan.due(poke);
            if due.max(self.started.elapsed()) >= self.plan.duration {
                return;
            }
            sleep_until(self.started + due).await;
            self.publish(&mut client, poke).await;
        }
    }

    async fn publish(&self, client: &mut PokeServiceClient<Channel>, poke: u64) {
        let interest = self.plan.interest_of_poke(poke);
        let sent = Clock::now();
        let mut request = Request::new(PublishRequest {
            domain: self.plan.domain.clone(),
            filter: self.plan.filter(interest),
            data: Some(stamped(self.tally.now(), self.plan.size)),
            idempotency_key: self.plan.key(poke),
            ..PublishRequest::default()
        });
        request.metadata_mut().clone_from(self.token.metadata());
        request.set_timeout(DEADLINE);
        match client.publish(request).await {
            Ok(_) => self.tally.published(interest, sent.elapsed()),
            Err(status) => self.tally.error(format!("a publish: {}", why(&status))),
        }
    }
}
