//! The adapter of the Rust SDK. See interop/README.md for what it speaks.

#![allow(clippy::print_stdout, reason = "it speaks on standard output")]

mod told;

use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex},
    time::Duration,
};

use poke_client::{Client, Control, End, Error, Interest, Position, Publish, Start, Subscription, Want, encoded_size};
use poke_proto::Data;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::watch,
    task::JoinHandle,
};

#[derive(Clone, Default)]
struct Adapter {
    clients: Arc<Mutex<HashMap<String, Client>>>,
    subscriptions: Arc<Mutex<HashMap<String, Listening>>>,
}

/// A subscription that a task reads.
struct Listening {
    client: String,
    control: Control,
    paused: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What a command comes to: the fields of its answer beside the id.
type Answer = Result<Value, Value>;

#[tokio::main]
async fn main() {
    say(&json!({ "ready": true, "version": concat!("poke-client ", env!("CARGO_PKG_VERSION")) }));
    let adapter = Adapter::default();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let command: Value = serde_json::from_str(&line).unwrap_or_default();
        let adapter = adapter.clone();
        tokio::spawn(async move {
            let mut answer = adapter.handle(&command).await.unwrap_or_else(|refused| refused);
            answer["id"] = command["id"].clone();
            say(&answer);
        });
    }
}

impl Adapter {
    async fn handle(&self, command: &Value) -> Answer {
        let name = |field: &str| command[field].as_str().unwrap_or_default().to_owned();
        let done = Ok(json!({ "ok": {} }));
        match command["command"].as_str().unwrap_or_default() {
            "open" => {
                lock(&self.clients).insert(name("client"), open(command).map_err(failed)?);
                done
            }
            "subscribe" => self.subscribe(command, name("client"), name("subscription")),
            "add" => self.with(command, |listening| listening.control.add(want(&command["interest"])).map_err(failed)),
            "remove" => self.with(command, |listening| {
                listening.control.remove(&want(&command["interest"]).interest);
                Ok(())
            }),
            "pause" => self.pause(command, true),
            "resume" => self.pause(command, false),
            "positions" => match lock(&self.subscriptions).get(&name("subscription")) {
                Some(listening) => Ok(json!({ "ok": { "positions": listening.control.positions() } })),
                None => Err(unknown()),
            },
            "cancel" => {
                let listening = lock(&self.subscriptions).remove(&name("subscription")).ok_or_else(unknown)?;
                listening.stop().await;
                done
            }
            "publish" => {
                let mut publish = Publish::new(name("domain"), name("filter"));
                if let Some(data) = data(command)? {
                    publish = publish.data(data);
                }
                if let Some(customer) = command["customerId"].as_str() {
                    publish = publish.customer(customer);
                }
                if let Some(key) = command["idempotencyKey"].as_str() {
                    publish = publish.key(key);
                }
                if let Some(deadline) = command["deadlineMs"].as_u64() {
                    publish = publish.deadline(Duration::from_millis(deadline));
                }
                let published = self.client(&name("client"))?.publish(publish).await.map_err(failed)?;
                Ok(json!({ "ok": {
                    "position": published.position, "duplicate": published.duplicate,
                    "localReceiverCount": published.local_receiver_count,
                }}))
            }
            "end" => {
                let mut end = End::new(name("domain"), name("filter"));
                if let Some(data) = data(command)? {
                    end = end.data(data);
                }
                if let Some(customer) = command["customerId"].as_str() {
                    end = end.customer(customer);
                }
                let position = self.client(&name("client"))?.end(end).await.map_err(failed)?;
                Ok(json!({ "ok": { "position": position } }))
            }
            "size" => {
                let data = data(command)?.map(|data| Data::from_value(&data)).transpose();
                let data = data.map_err(|error| json!({ "error": { "message": error.to_string() } }))?;
                Ok(json!({ "ok": { "bytes": data.map_or(0, |data| encoded_size(&data)) } }))
            }
            "close" => {
                let client = name("client");
                lock(&self.clients).remove(&client);
                let of_client: Vec<_> =
                    lock(&self.subscriptions).extract_if(|_, listening| listening.client == client).collect();
                for (_, listening) in of_client {
                    listening.stop().await;
                }
                done
            }
            other => Ok(json!({ "unsupported": format!("no command {other:.20}") })),
        }
    }

    fn subscribe(&self, command: &Value, client: String, name: String) -> Answer {
        let wants: Vec<_> = command["interests"].as_array().into_iter().flatten().map(want).collect();
        let subscription = self.client(&client)?.subscribe(wants);
        let (paused, reads) = watch::channel(false);
        let control = subscription.control();
        let task = tokio::spawn(tell(name.clone(), subscription, reads));
        lock(&self.subscriptions).insert(name, Listening { client, control, paused, task });
        Ok(json!({ "ok": {} }))
    }

    fn pause(&self, command: &Value, paused: bool) -> Answer {
        self.with(command, |listening| {
            listening.paused.send_replace(paused);
            Ok(())
        })
    }

    fn with(&self, command: &Value, act: impl FnOnce(&Listening) -> Result<(), Value>) -> Answer {
        let subscriptions = lock(&self.subscriptions);
        let listening = subscriptions.get(command["subscription"].as_str().unwrap_or_default()).ok_or_else(unknown)?;
        act(listening)?;
        Ok(json!({ "ok": {} }))
    }

    fn client(&self, name: &str) -> Result<Client, Value> {
        lock(&self.clients).get(name).cloned().ok_or_else(unknown)
    }
}

impl Listening {
    /// Ends it, and waits until nothing more can be told.
    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await; // It was asked to end.
    }
}

/// Tells what happens until it is over.
async fn tell(name: String, mut subscription: Subscription, mut paused: watch::Receiver<bool>) {
    let say = |event: Value| say(&json!({ "subscription": name, "event": event }));
    loop {
        let next = tokio::select! {
            biased;
            _ = paused.wait_for(|paused| *paused) => None,
            next = subscription.next() => Some(next),
        };
        match next {
            None => drop(paused.wait_for(|paused| !*paused).await),
            Some(Some(Ok(event))) => told::event(&event).into_iter().for_each(&say),
            Some(Some(Err(error))) => return say(json!({ "event": "failed", "error": told::error(&error) })),
            Some(None) => return say(json!({ "event": "over" })),
        }
    }
}

fn open(command: &Value) -> Result<Client, Error> {
    let tokens: Vec<_> = command["tokens"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|token| token.as_str().map(str::to_owned))
        .collect();
    let builder = Client::builder(command["url"].as_str().unwrap_or_default());
    match tokens.as_slice() {
        [] => builder.build(),
        [token] => builder.token(token).build(),
        _ => {
            let left = Mutex::new(tokens);
            let next = move || {
                let mut left = lock(&left);
                let token = if left.len() > 1 { left.remove(0) } else { left[0].clone() };
                async { Ok::<_, std::io::Error>(token) }
            };
            builder.token_provider(next).build()
        }
    }
}

fn want(interest: &Value) -> Want {
    let text = |field: &str| interest[field].as_str().unwrap_or_default().to_owned();
    let mut named = Interest::new(text("domain"), text("filter"));
    if interest["audience"] == "customer" {
        named = named.customer();
    }
    let start = match serde_json::from_value::<Position>(interest["position"].clone()) {
        Ok(position) => Start::After(position),
        Err(_) if interest["latest"] == true => Start::Latest,
        Err(_) => Start::New,
    };
    Want::new(named, start)
}

/// The data of a command. Rust has a type for one of the special values.
fn data(command: &Value) -> Result<Option<Value>, Value> {
    match command["special"].as_str() {
        None => Ok(command.get("data").cloned()),
        Some("unsafe_integer") => Ok(Some(json!(9_007_199_254_740_993_i64))),
        Some("lone_surrogate") => Err(json!({ "unsupported": "Rust's text is always valid Unicode" })),
        Some(_) => Err(json!({ "unsupported": "serde_json's numbers are always finite" })),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: Error) -> Value {
    json!({ "error": told::error(&error) })
}

fn unknown() -> Value {
    json!({ "error": { "message": "no such client or subscription" } })
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn say(line: &Value) {
    println!("{line}");
}
