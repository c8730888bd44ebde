//! Plays one case with one client.

use std::{collections::HashMap, fmt};

use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::{
    adapter::{Adapter, Events},
    case::{Case, Change, Numbers, OneOrMany, Open, Positions, Step, Subscribe, Through, Traffic, Via},
    pattern::{differs, expand},
    world::World,
};

/// How long something may take that must come: over every backoff that a case can cause.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the connection does. It is told in every case, and few cases are about it.
const PASSED_OVER: [&str; 5] = ["connected", "reconnecting", "heartbeat", "reconnect", "live"];

/// Why a case wasn't passed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client has no way to do a step.
    Unsupported(String),
    /// Something else was seen.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unsupported(text) | Self::Failed(text)) = self;
        f.write_str(text)
    }
}

/// One client in one case.
struct Play<'a> {
    adapter: &'a Adapter,
    world: World,
    via: Via,
    /// In front of all names, since cases share the adapter.
    prefix: String,
    subscriptions: HashMap<String, Events>,
    /// Those of which nothing more may be told.
    cancelled: Vec<(String, Events)>,
    clients: Vec<String>,
    saved: HashMap<String, Value>,
}

/// Plays the case; names begin with the prefix.
pub(crate) async fn play(case: &Case, adapter: &Adapter, prefix: String) -> Result<(), Failure> {
    let world = World::start(case).await;
    let mut play = Play {
        adapter,
        world,
        via: case.via,
        prefix,
        subscriptions: HashMap::new(),
        cancelled: Vec::new(),
        clients: Vec::new(),
        saved: HashMap::new(),
    };
    let result = play.all(case).await;
    // Whatever happened: the next case is to find an adapter at rest.
    for client in std::mem::take(&mut play.clients) {
        let closed = play.adapter.call(json!({ "command": "close", "client": client })).await;
        if result.is_ok() && !matches!(closed, Ok(Ok(_))) {
            return Err(Failure::Failed(format!("close: {closed:?}")));
        }
    }
    result
}

impl Play<'_> {
    async fn all(&mut self, case: &Case) -> Result<(), Failure> {
        if !matches!(case.steps.first(), Some(Step::Open(_))) {
            self.open(&Open::default()).await?;
        }
        for (at, step) in case.steps.iter().enumerate() {
            self.step(step).await.map_err(|failure| match failure {
                Failure::Failed(text) => Failure::Failed(format!("step {}: {text}", at + 1)),
                unsupported @ Failure::Unsupported(_) => unsupported,
            })?;
        }
        self.nothing_else(case)
    }

    async fn step(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Open(open) => self.open(open).await,
            Step::Subscribe(subscribe) => self.subscribe(subscribe).await,
            Step::Add(change) => self.change("add", change).await,
            Step::Remove(change) => self.change("remove", change).await,
            Step::Expect(OneOrMany::One(pattern)) => self.expect(pattern).await,
            Step::Expect(OneOrMany::Many(patterns)) => {
                for pattern in patterns {
                    self.expect(pattern).await?;
                }
                Ok(())
            }
            Step::Unordered(patterns) => self.unordered(patterns).await,
            Step::Lives(count) => {
                for _ in 0..*count {
                    self.expect(&json!({ "event": "live" })).await?;
                }
                Ok(())
            }
            Step::Numbers(numbers) => self.numbers(numbers).await,
            Step::Through(through) => self.through(through).await,
            Step::Send(fields) => self.publish(fields).await,
            Step::Finish(fields) => self.send("end", fields).await,
            Step::Size(fields) => self.send("size", fields).await,
            Step::Publish(fields) => self.world.publish(&expanded(fields)).await,
            Step::End(fields) => self.world.end(&expanded(fields)).await,
            Step::Traffic(Traffic::Start) => {
                self.world.start_traffic();
                Ok(())
            }
            Step::Traffic(Traffic::Stop) => self.world.stop_traffic().await,
            Step::Positions(positions) => self.positions(positions).await,
            Step::Pause(name) => self.command(json!({ "command": "pause", "subscription": self.named(name) })).await,
            Step::Resume(name) => self.command(json!({ "command": "resume", "subscription": self.named(name) })).await,
            Step::Cancel(name) => self.cancel(name).await,
            Step::Close(client) => {
                let client = self.named(client);
                self.clients.retain(|open| *open != client);
                self.command(json!({ "command": "close", "client": client })).await
            }
            Step::Server(fate) => {
                self.world.server_meets(*fate).await;
                Ok(())
            }
            Step::Settings(settings) => {
                self.world.set(settings);
                Ok(())
            }
            Step::Network(fault) => {
                self.world.network_has(*fault);
                Ok(())
            }
            Step::Streams(count) => {
                self.world.streams_become(*count).await;
                Ok(())
            }
            Step::Idle(seconds) => {
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
                Ok(())
            }
            Step::Stalled(count) => {
                self.world.streams_stall(*count).await;
                Ok(())
            }
            Step::Call(pattern) => self.call(pattern).await,
            Step::Go(name) => {
                self.world.peer().go(name);
                Ok(())
            }
        }
    }

    fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A command that must succeed.
    async fn command(&self, command: Value) -> Result<(), Failure> {
        let name = command["command"].clone();
        let answer = self.adapter.call(command).await?;
        answer.map(drop).map_err(|error| Failure::Failed(format!("{name}: {error}")))
    }

    async fn open(&mut self, open: &Open) -> Result<(), Failure> {
        let client = self.named(&open.client);
        let url = self.world.url(open.via.unwrap_or(self.via));
        let mut command = json!({ "command": "open", "client": client, "url": url });
        if !open.tokens.is_empty() {
            command["tokens"] = open.tokens.iter().map(|claims| self.world.token(claims)).collect();
        }
        if let Some(deadline) = open.deadline {
            command["deadlineMs"] = json!(deadline);
        }
        self.clients.push(client);
        self.command(command).await
    }

    async fn subscribe(&mut self, subscribe: &Subscribe) -> Result<(), Failure> {
        let name = self.named(&subscribe.name);
        let mut interests: Vec<_> = subscribe.to.iter().map(interest).collect();
        interests.extend((0..subscribe.count.unwrap_or_default()).map(|number| interest(&json!(number.to_string()))));
        if let Some(saved) = &subscribe.saved {
            let positions = self.saved.get(saved).and_then(Value::as_array);
            let positions = positions.filter(|positions| !positions.is_empty());
            let nothing = || Failure::Failed(format!("nothing is saved as {saved}"));
            interests.extend(positions.ok_or_else(nothing)?.iter().cloned());
        }
        self.subscriptions.insert(subscribe.name.clone(), self.adapter.events(&name));
        let client = self.named(&subscribe.client);
        let command = json!({ "command": "subscribe", "client": client, "subscription": name, "interests": interests });
        self.command(command).await
    }

    async fn change(&self, command: &str, change: &Change) -> Result<(), Failure> {
        let subscription = self.named(&change.name);
        self.command(json!({ "command": command, "subscription": subscription, "interest": interest(&change.to) }))
            .await
    }

    async fn cancel(&mut self, name: &str) -> Result<(), Failure> {
        self.command(json!({ "command": "cancel", "subscription": self.named(name) })).await?;
        let mut events = self.subscriptions.remove(name).expect("the case subscribed");
        // What was told before the answer was told in time.
        while events.buffered().is_some() {}
        self.cancelled.push((name.to_owned(), events));
        Ok(())
    }

    /// The next event, whatever it is.
    async fn told(&mut self, name: &str, wanted: &str) -> Result<Value, Failure> {
        let events = self.subscriptions.get_mut(name).expect("the case subscribed");
        match timeout(PATIENCE, events.next()).await {
            Ok(Some(event)) => Ok(event),
            Ok(None) => Err(Failure::Failed(format!("no {wanted}: the adapter has ended, or told too much"))),
            Err(_) => Err(Failure::Failed(format!("no {wanted} within {PATIENCE:?}"))),
        }
    }

    /// The next event that is of interest to whoever wants this kind.
    async fn next(&mut self, name: &str, wanted: &str) -> Result<Value, Failure> {
        loop {
            let event = self.told(name, wanted).await?;
            if event["event"] == wanted || !is_passed_over(&event) {
                return Ok(event);
            }
        }
    }

    async fn expect(&mut self, pattern: &Value) -> Result<(), Failure> {
        let (name, mut pattern) = of_subscription(pattern);
        let save = pattern.as_object_mut().and_then(|pattern| pattern.remove("save"));
        let wanted = pattern["event"].as_str().unwrap_or("event").to_owned();
        let event = self.next(&name, &wanted).await?;
        if let Some(name) = save.as_ref().and_then(Value::as_str) {
            let place = json!({ "domain": event["domain"], "filter": event["filter"], "position": event["position"] });
            self.saved.insert(name.into(), json!([place]));
        }
        match differs(&pattern, Some(&event)) {
            None => Ok(()),
            Some(difference) => Err(Failure::Failed(format!("{wanted} expected, {event:.300}: {difference}"))),
        }
    }

    async fn unordered(&mut self, patterns: &[Value]) -> Result<(), Failure> {
        let mut left: Vec<_> = patterns.iter().map(of_subscription).collect();
        while let Some((name, first)) = left.first().cloned() {
            let event = self.told(&name, &format!("{first}")).await?;
            match left.iter().position(|(of, pattern)| *of == name && differs(pattern, Some(&event)).is_none()) {
                Some(matching) => drop(left.swap_remove(matching)),
                None if is_passed_over(&event) => {}
                None => {
                    return Err(Failure::Failed(format!("{event:.300} isn't one of {} that are left", left.len())));
                }
            }
        }
        Ok(())
    }

    async fn numbers(&mut self, Numbers { name, filter, from, to }: &Numbers) -> Result<(), Failure> {
        let to = to.unwrap_or_else(|| self.world.last_number());
        for number in *from..=to {
            let pattern = json!({ "as": name, "event": "poke", "filter": filter, "data": number });
            self.expect(&pattern).await?;
        }
        Ok(())
    }

    async fn through(&mut self, through: &Through) -> Result<(), Failure> {
        let to = through.to.unwrap_or_else(|| self.world.last_number());
        let (mut last, mut gaps) = (-1, 0);
        while last < to {
            let event = self.next(&through.name, "poke or gap").await?;
            let failed = |what: &str| Err(Failure::Failed(format!("{what} after number {last}: {event:.300}")));
            if event["filter"] != through.filter {
                return failed("another interest");
            }
            match event["event"].as_str() {
                Some("poke") => match event["data"].as_f64().or_else(|| event["data"][0].as_f64()) {
                    #[expect(clippy::cast_possible_truncation, reason = "cases count to a thousand or so")]
                    Some(number) if number as i64 > last => last = number as i64,
                    _ => return failed("a repeat, or no number"),
                },
                Some("gap") if through.gaps.iter().any(|reason| event["reason"] == **reason) => gaps += 1,
                _ => return failed("neither poke nor the expected gap"),
            }
        }
        if gaps == 0 || through.at_most.is_some_and(|most| gaps > most) {
            return Err(Failure::Failed(format!("{gaps} gaps")));
        }
        Ok(())
    }

    /// The client publishes once, or each of a range of numbers.
    async fn publish(&self, fields: &Value) -> Result<(), Failure> {
        let Some(range) = fields.get("numbers").and_then(Value::as_array) else {
            return self.send("publish", fields).await;
        };
        let bounds: Vec<_> = range.iter().filter_map(Value::as_i64).collect();
        for number in bounds[0]..=bounds[1] {
            self.send("publish", &json!({ "data": number })).await?;
        }
        Ok(())
    }

    /// A unary call, or what an SDK computes.
    async fn send(&self, command: &str, fields: &Value) -> Result<(), Failure> {
        let mut fields = expanded(fields);
        let object = fields.as_object_mut().expect("fields are an object");
        let (answer, error) = (object.remove("answer"), object.remove("error"));
        let client = object.remove("client").unwrap_or_else(|| json!("a"));
        object.insert("client".into(), json!(self.named(client.as_str().unwrap_or_default())));
        object.insert("command".into(), json!(command));
        if command != "size" {
            object.entry("domain").or_insert_with(|| json!("PLAYLIST"));
            object.entry("filter").or_insert_with(|| json!("f"));
        }
        match (self.adapter.call(fields).await?, error) {
            (Ok(seen), None) => difference(&answer.unwrap_or_else(|| json!({})), &seen),
            (Err(seen), Some(pattern)) => difference(&pattern, &seen),
            (Ok(seen), Some(_)) => Err(Failure::Failed(format!("{command} should be refused: {seen}"))),
            (Err(error), None) => Err(Failure::Failed(format!("{command}: {error:.300}"))),
        }
    }

    async fn positions(&mut self, positions: &Positions) -> Result<(), Failure> {
        let command = json!({ "command": "positions", "subscription": self.named(&positions.name) });
        let answer = self.adapter.call(command).await?.map_err(|error| Failure::Failed(error.to_string()))?;
        if let Some(pattern) = &positions.are {
            difference(pattern, &answer["positions"])?;
        }
        if let Some(name) = &positions.save {
            self.saved.insert(name.clone(), answer["positions"].clone());
        }
        Ok(())
    }

    async fn call(&self, pattern: &Value) -> Result<(), Failure> {
        match timeout(PATIENCE, self.world.peer().call()).await {
            Ok(Some(call)) => difference(pattern, &call),
            _ => Err(Failure::Failed(format!("no call within {PATIENCE:?}"))),
        }
    }

    /// Nothing was told beyond what the case wants, and nothing of what was cancelled.
    fn nothing_else(&mut self, case: &Case) -> Result<(), Failure> {
        for (name, events) in &mut self.subscriptions {
            while let Some(event) = events.buffered() {
                if !is_passed_over(&event) {
                    return Err(Failure::Failed(format!("more than expected of {name}: {event:.300}")));
                }
            }
        }
        for (name, events) in &mut self.cancelled {
            if let Some(event) = events.buffered() {
                return Err(Failure::Failed(format!("told after the cancel of {name}: {event:.300}")));
            }
        }
        match case.via {
            Via::Peer if self.world.peer().surplus() > 0 => {
                Err(Failure::Failed(format!("{} calls more than expected", self.world.peer().surplus())))
            }
            _ => Ok(()),
        }
    }
}

fn is_passed_over(event: &Value) -> bool {
    event["event"].as_str().is_some_and(|kind| PASSED_OVER.contains(&kind))
}

fn difference(pattern: &Value, seen: &Value) -> Result<(), Failure> {
    match differs(pattern, Some(seen)) {
        None => Ok(()),
        Some(difference) => Err(Failure::Failed(format!("{seen:.300}: {difference}"))),
    }
}

fn expanded(fields: &Value) -> Value {
    let mut fields = fields.clone();
    expand(&mut fields);
    fields
}

/// A pattern, and the subscription that it is about.
fn of_subscription(pattern: &Value) -> (String, Value) {
    let mut pattern = expanded(pattern);
    let name = pattern.as_object_mut().and_then(|pattern| pattern.remove("as"));
    (name.as_ref().and_then(Value::as_str).unwrap_or("s").to_owned(), pattern)
}

/// An interest as adapters take it: a filter alone is one of PLAYLIST.
fn interest(short: &Value) -> Value {
    match short {
        Value::String(filter) => json!({ "domain": "PLAYLIST", "filter": filter }),
        other => {
            let mut interest = other.clone();
            if interest.get("domain").is_none() {
                interest["domain"] = json!("PLAYLIST");
            }
            interest
        }
    }
}
