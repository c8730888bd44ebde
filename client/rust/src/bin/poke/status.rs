//! `poke status`: is the server well, what is it, what does it accept, and how far away is it?

mod report;

use std::time::{Duration, Instant};

use poke_client::Error;
use poke_proto::v1::{
    Interest, SubscribeRequest, Subscription, Welcome, poke_service_client::PokeServiceClient,
    subscribe_response::Event,
};
use tonic_health::pb::health_check_response::ServingStatus;

use self::report::{DomainState, Report};
use crate::{Context, Failure, duration, server::Server};

const AFTER_HELP: &str = "\
Exit code 4 says that the server can't be reached or isn't serving; 3 that it refuses --domain.

Examples:
  poke status
  poke status --domain PLAYLIST
  poke status --json | jq .limits.maxPokeBytes
  poke status --quiet --url https://poke.example.com > /dev/null && echo up
";

/// Shows a server's health, version, limits and round-trip time
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Also check that the server accepts subscriptions in this domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Time to wait for a response
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "5s")]
    timeout: Duration,
}

/// How often the round trip is measured.
const ROUND_TRIPS: usize = 5;

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<(), Failure> {
    let server = context.server()?;
    let report = match tokio::time::timeout(args.timeout, ask(&server, args.domain.as_deref())).await {
        Ok(report) => report?,
        Err(_) => return Err(server.timed_out(args.timeout)),
    };
    if context.json() {
        context.output.json(&report)?;
    } else {
        let palette = context.output.palette();
        for line in report.lines(palette) {
            context.output.line(&line)?;
        }
    }
    report.verdict()
}

async fn ask(server: &Server, domain: Option<&str>) -> Result<Report, Failure> {
    let failed = |status| server.failure(&Error::from(status));
    let mut answer = loop {
        match server.health().await {
            Ok(answer) => break Some(answer),
            Err(status) if status.code() == tonic::Code::Unimplemented => break None,
            // The time that the caller gives bounds this.
            Err(status) if server.waits() && status.code() == tonic::Code::Unavailable => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(status) => return Err(failed(status)),
        }
    };
    let mut round_trips = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let asked = Instant::now();
        // Any answer is a round trip.
        let again = server.health().await;
        round_trips.push(asked.elapsed());
        answer = again.ok().or(answer);
    }
    round_trips.sort_unstable();
    let health = answer.as_ref().map_or("unknown", |answer| match answer.get_ref().status() {
        ServingStatus::Serving => "serving",
        ServingStatus::NotServing => "not serving",
        _ => "unknown",
    });
    let version = answer.as_ref().and_then(|answer| answer.metadata().get("server")?.to_str().ok()).map(str::to_owned);
    let (welcome, domain) = welcome(server, domain).await?;
    Ok(Report {
        url: server.url.clone(),
        health,
        version,
        round_trip: round_trips.get(ROUND_TRIPS / 2).copied().unwrap_or_default(),
        welcome,
        domain,
    })
}

/// What a stream is told first. Its one interest is thrown away with it, and may be refused: `Welcome` comes all the same.
async fn welcome(
    server: &Server,
    domain: Option<&str>,
) -> Result<(Option<Welcome>, Option<(String, DomainState)>), Failure> {
    let failed = |status| server.failure(&Error::from(status));
    let interest = Interest {
        domain: domain.unwrap_or("poke.status").to_owned(),
        filter: format!("poke-status-{:016x}", rand::random::<u64>()),
        ..Interest::default()
    };
    let subscription = Subscription { interest: Some(interest), start: None };
    let request = server.request(SubscribeRequest { subscriptions: vec![subscription] });
    let mut client = PokeServiceClient::new(server.client.channel());
    let mut events = match client.subscribe(request).await {
        Ok(response) => response.into_inner(),
        // A server that isn't serving says so by its health.
        Err(status) if status.code() == tonic::Code::Unavailable => return Ok((None, None)),
        Err(status) => return Err(failed(status)),
    };
    let mut welcome = None;
    while let Some(response) = events.message().await.map_err(failed)? {
        let state = match response.event {
            Some(Event::Welcome(first)) => {
                welcome = Some(first);
                if domain.is_none() {
                    break;
                }
                continue;
            }
            Some(Event::Subscribed(_)) => DomainState::Live,
            Some(Event::Rejected(rejected)) => DomainState::Rejected(rejected),
            _ => continue,
        };
        return Ok((welcome, domain.map(|domain| (domain.to_owned(), state))));
    }
    Ok((welcome, None))
}
