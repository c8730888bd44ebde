//! Each client publishes, and each other receives it.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use futures_util::future::join_all;
use poke_tests::{Config, Server};
use serde_json::{Value, json};
use tokio::time::{Duration, timeout_at};

use crate::{
    adapter::{Adapter, Events},
    pattern::{differs, expand},
    play::Failure,
    report::{Cell, Verdict},
};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a subscriber was told of each publisher.
type Received = BTreeMap<String, Vec<Value>>;

/// A client that takes part.
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) adapter: Arc<Adapter>,
}

/// Plays it with all at once; `pokes` is what each publishes. A row is a publisher, a column a subscriber.
pub(crate) async fn play(parties: &[Party], pokes: &[Value]) -> Vec<Cell> {
    let started = Instant::now();
    let server = Server::start(Config::new().set("cors.origins", r#"["loopback"]"#)).await;
    let filters: Vec<_> = parties.iter().map(|party| filter(&party.name)).collect();
    let mut pokes = pokes.to_vec();
    pokes.iter_mut().for_each(expand);

    let url = server.url();
    let subscriptions = join_all(parties.iter().map(|party| subscribe(party, &url, &filters))).await;
    let listening = join_all(subscriptions.into_iter().map(|subscription| receive(subscription, &filters, &pokes)));
    let publishing = join_all(parties.iter().map(|party| publish(party, &pokes)));
    let (received, published) = tokio::join!(listening, publishing);
    for party in parties {
        // The next one to use the adapter would find it at work.
        let _ = party.adapter.call(json!({ "command": "close", "client": "product" })).await;
    }

    let mut cells = Vec::new();
    for (publisher, published) in parties.iter().zip(&published) {
        for (subscriber, received) in parties.iter().zip(&received) {
            let verdict = match (published, received) {
                (Err(reason), _) => Verdict::Fail(format!("it can't publish: {reason}")),
                (_, Err(reason)) => Verdict::Fail(format!("it can't subscribe: {reason}")),
                (Ok(()), Ok(received)) => verdict(received.get(&filter(&publisher.name)), &pokes),
            };
            let case = publisher.name.clone();
            cells.push(Cell { client: subscriber.name.clone(), case, verdict, took: started.elapsed() });
        }
    }
    cells
}

fn filter(publisher: &str) -> String {
    format!("from {publisher}")
}

/// Listens to all, and waits until all are live.
async fn subscribe(party: &Party, url: &str, filters: &[String]) -> Result<Events, String> {
    let mut events = party.adapter.events("product");
    let interests: Vec<_> = filters.iter().map(|filter| json!({ "domain": "PLAYLIST", "filter": filter })).collect();
    command(party, json!({ "command": "open", "client": "product", "url": url })).await?;
    let subscribe =
        json!({ "command": "subscribe", "client": "product", "subscription": "product", "interests": interests });
    command(party, subscribe).await?;
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut missing = filters.len();
    while missing > 0 {
        match timeout_at(until, events.next()).await {
            Ok(Some(event)) if event["event"] == "live" => missing -= 1,
            Ok(Some(event)) if event["event"] == "connected" => {}
            Ok(other) => return Err(format!("{other:?} before all are live")),
            Err(_) => return Err(format!("{missing} aren't live after {PATIENCE:?}")),
        }
    }
    Ok(events)
}

/// Takes pokes until all have come that should.
async fn receive(events: Result<Events, String>, filters: &[String], pokes: &[Value]) -> Result<Received, String> {
    let mut events = events?;
    let mut received = Received::new();
    let until = tokio::time::Instant::now() + PATIENCE;
    for _ in 0..filters.len() * pokes.len() {
        // What is missing shows in the cells.
        let Ok(Some(event)) = timeout_at(until, next_poke(&mut events)).await else { break };
        received.entry(event["filter"].as_str().unwrap_or_default().to_owned()).or_default().push(event);
    }
    Ok(received)
}

async fn next_poke(events: &mut Events) -> Option<Value> {
    loop {
        let event = events.next().await?;
        if event["event"] == "poke" {
            return Some(event);
        }
    }
}

async fn publish(party: &Party, pokes: &[Value]) -> Result<(), String> {
    for poke in pokes {
        let mut publish = poke.clone();
        publish["command"] = json!("publish");
        publish["client"] = json!("product");
        publish["domain"] = json!("PLAYLIST");
        publish["filter"] = json!(filter(&party.name));
        command(party, publish).await?;
    }
    Ok(())
}

async fn command(party: &Party, command: Value) -> Result<(), String> {
    match party.adapter.call(command).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("{error:.200}")),
        Err(Failure::Failed(reason) | Failure::Unsupported(reason)) => Err(reason),
    }
}

fn verdict(received: Option<&Vec<Value>>, pokes: &[Value]) -> Verdict {
    let received = received.map_or(&[][..], Vec::as_slice);
    for (at, poke) in pokes.iter().enumerate() {
        let wanted = json!({ "data": poke.get("data").cloned().unwrap_or_else(|| json!("$absent")) });
        if let Some(difference) = differs(&wanted, received.get(at)) {
            return Verdict::Fail(format!("poke {at}: {difference}"));
        }
    }
    Verdict::Pass
}
