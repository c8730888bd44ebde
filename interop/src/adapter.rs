//! An adapter: a process around a client, which takes commands and tells what happens.

use std::{
    collections::{HashMap, VecDeque},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
    time::{Duration, timeout},
};

use crate::play::Failure;

/// Events that wait for the case that asked for them; more fail it.
const EVENTS: usize = 16 << 10;
/// How long a client may take to start: a JVM or a browser on a busy machine.
const START: Duration = Duration::from_secs(60);
/// How long a command may take: more than the deadline of a publish.
const ANSWER: Duration = Duration::from_secs(40);
/// Lines of standard error that are shown with a failure.
const STDERR: usize = 12;

/// A running adapter. Dropping it ends it.
pub(crate) struct Adapter {
    state: Arc<Mutex<State>>,
    commands: mpsc::Sender<String>,
    version: String,
    _child: Child,
}

#[derive(Default)]
struct State {
    next: u64,
    answers: HashMap<u64, oneshot::Sender<Value>>,
    subscriptions: HashMap<String, mpsc::Sender<Value>>,
    stderr: VecDeque<String>,
    is_over: bool,
}

/// What is told of one subscription.
pub(crate) struct Events(mpsc::Receiver<Value>);

impl Adapter {
    /// Starts one and waits until it takes commands.
    pub(crate) async fn start(mut command: Command) -> Result<Self, String> {
        let shown = format!("{:?}", command.as_std());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
        let (Some(input), Some(output), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("no pipes".into());
        };
        let state = Arc::new(Mutex::new(State::default()));
        tokio::spawn(keep(stderr, Arc::clone(&state)));
        let mut lines = BufReader::new(output).lines();
        let ready = match timeout(START, lines.next_line()).await {
            Ok(Ok(Some(line))) => serde_json::from_str::<Value>(&line).unwrap_or_default(),
            Ok(_) => {
                // What it says about its end comes a moment later than the end.
                let _ = timeout(Duration::from_secs(2), child.wait()).await;
                return Err(format!("it ended at once: {}", lock(&state).said()));
            }
            Err(_) => return Err(format!("it takes no commands after {START:?}: {}", lock(&state).said())),
        };
        if ready["ready"] != true {
            return Err(format!("its first line is {ready}"));
        }
        let (commands, queue) = mpsc::channel(64);
        tokio::spawn(write(input, queue));
        tokio::spawn(read(lines, Arc::clone(&state)));
        let version = ready["version"].as_str().unwrap_or_default().to_owned();
        Ok(Self { state, commands, version, _child: child })
    }

    /// What is tested, and what it runs on.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Gives a command and waits for its answer: `Err` with the value of `error`.
    pub(crate) async fn call(&self, mut command: Value) -> Result<Result<Value, Value>, Failure> {
        let (sender, answer) = oneshot::channel();
        let is_special = command.get("special").is_some();
        {
            let state = &mut *lock(&self.state);
            if state.is_over {
                return Err(Failure::Failed(format!("the adapter has ended: {}", state.said())));
            }
            state.next += 1;
            command["id"] = json!(state.next);
            state.answers.insert(state.next, sender);
        }
        let gone = || Failure::Failed(format!("the adapter has ended: {}", lock(&self.state).said()));
        self.commands.send(format!("{command}\n")).await.map_err(|_| gone())?;
        let Ok(answer) = timeout(ANSWER, answer).await else {
            let name = command["command"].as_str().unwrap_or_default();
            return Err(Failure::Failed(format!("no answer to {name} within {ANSWER:?}")));
        };
        let mut answer = answer.map_err(|_| gone())?;
        if let Some(reason) = answer["unsupported"].as_str() {
            // A command that an adapter has forgotten must not look like something that its language can't do.
            return Err(match is_special && !reason.is_empty() {
                true => Failure::Unsupported(reason.to_owned()),
                false => Failure::Failed(format!("unsupported, of which clients.yaml says nothing: {reason}")),
            });
        }
        match (answer.get("ok").is_some(), answer.get("error").is_some()) {
            (true, false) => Ok(Ok(answer["ok"].take())),
            (false, true) => Ok(Err(answer["error"].take())),
            _ => Err(Failure::Failed(format!("neither ok nor error: {answer}"))),
        }
    }

    /// What will be told of a subscription.
    pub(crate) fn events(&self, subscription: &str) -> Events {
        let (sender, events) = mpsc::channel(EVENTS);
        lock(&self.state).subscriptions.insert(subscription.into(), sender);
        Events(events)
    }

    /// Whether it takes commands no more.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.state).is_over
    }
}

impl Events {
    /// The next event; `None` when the adapter has ended, or told more than anybody could want.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        self.0.recv().await
    }

    /// The next one that is there already.
    pub(crate) fn buffered(&mut self) -> Option<Value> {
        self.0.try_recv().ok()
    }
}

impl State {
    fn said(&self) -> String {
        self.stderr.iter().cloned().collect::<Vec<_>>().join(" | ")
    }

    fn take(&mut self, mut line: Value) {
        if let Some(id) = line["id"].as_u64() {
            if let Some(answer) = self.answers.remove(&id) {
                let _ = answer.send(line); // Nobody waits for it any more.
            }
        } else if let Some(subscription) = line["subscription"].as_str().map(str::to_owned) {
            let event = line["event"].take();
            if self.subscriptions.get(&subscription).is_some_and(|events| events.try_send(event).is_err()) {
                self.subscriptions.remove(&subscription);
            }
        }
    }
}

async fn write(mut input: ChildStdin, mut commands: mpsc::Receiver<String>) {
    while let Some(line) = commands.recv().await {
        if input.write_all(line.as_bytes()).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
}

async fn read(mut lines: Lines<BufReader<ChildStdout>>, state: Arc<Mutex<State>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(value) => lock(&state).take(value),
            Err(error) => lock(&state).stderr.push_back(format!("not JSON ({error}): {line:.200}")),
        }
    }
    let mut state = lock(&state);
    state.is_over = true;
    // Whoever waits learns that nothing comes.
    state.answers.clear();
    state.subscriptions.clear();
}

async fn keep(stderr: ChildStderr, state: Arc<Mutex<State>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut state = lock(&state);
        if state.stderr.len() == STDERR {
            state.stderr.pop_front();
        }
        state.stderr.push_back(format!("{line:.300}"));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
