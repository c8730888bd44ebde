//! Cases: what is set up, what is done, and what must be seen.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

/// One row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Names it in the table and in known-failures.yaml.
    pub(crate) name: String,
    /// What holds when it passes, for people.
    pub(crate) about: String,
    /// What a client must be able to do. `subscribe` unless the list says otherwise.
    #[serde(default = "subscribe")]
    pub(crate) needs: Vec<String>,
    #[serde(default)]
    pub(crate) server: Setup,
    /// Where the client's address leads.
    #[serde(default)]
    pub(crate) via: Via,
    /// What the scripted peer answers; needs `via: peer`.
    #[serde(default)]
    pub(crate) peer: Script,
    pub(crate) steps: Vec<Step>,
}

/// How the server is set up.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Setup {
    /// Domains that are open to everyone.
    pub(crate) open: Vec<String>,
    /// Whether it knows the issuer of the case's tokens. Such tokens name customers.
    pub(crate) issuer: bool,
    /// Any other setting, by its dotted key.
    pub(crate) settings: BTreeMap<String, Value>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { open: vec!["\"*\"".into()], issuer: false, settings: BTreeMap::new() }
    }
}

/// What lies between a client and the server.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Via {
    /// Nothing.
    #[default]
    Server,
    /// A network with faults.
    Proxy,
    /// A UNIX socket of the server, without a network.
    Socket,
    /// There is a script in place of the server.
    Peer,
    /// Nobody listens there.
    Nowhere,
}

/// What a peer does with the calls of each method, in their order. One more call than that fails the case.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Script {
    pub(crate) subscribe: Vec<Vec<Action>>,
    pub(crate) publish: Vec<Vec<Action>>,
}

/// What a peer does in one call. After the last one the call stays open.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Sends a message, in protobuf's JSON; see `peer::message` for what may be left out.
    Send(Value),
    /// Sends bytes as a message.
    Raw(Vec<u8>),
    /// Ends the call with a status.
    Status(Status),
    /// Answers as a proxy does. Only as the first action.
    Http(Http),
    /// Resets the stream with an error code of HTTP/2.
    Reset(u32),
    /// Says GOAWAY on the connection and goes on.
    Goaway,
    /// Drops the connection.
    Drop,
    /// Waits for the case's `go` of this name.
    Wait(String),
}

/// How a call ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    /// A number of google.rpc.Code.
    pub(crate) code: i32,
    #[serde(default)]
    pub(crate) message: String,
    /// With it there is an ErrorInfo of our domain: the server itself says so.
    pub(crate) reason: Option<String>,
    /// With it there is a RetryInfo.
    pub(crate) retry_ms: Option<u64>,
}

/// An answer that isn't gRPC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) status: u16,
    #[serde(default = "web_page")]
    pub(crate) content_type: String,
}

fn web_page() -> String {
    "text/html".into()
}

/// One step. What names a subscription may be left out where there is one: it is `s`, of client `a`, and its filter is `f`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Makes a client; the case begins with `open: {}` if it doesn't say otherwise.
    Open(Open),
    /// Listens to interests.
    Subscribe(Subscribe),
    /// Adds an interest to a live subscription.
    Add(Change),
    /// Takes one away.
    Remove(Change),
    /// The next things that are told, in this order. What the connection does is passed over where it isn't asked for.
    /// With `save` the event's interest and position are kept under a name.
    Expect(OneOrMany),
    /// The next things that are told, in any order.
    Unordered(Vec<Value>),
    /// So many interests become live.
    Lives(u32),
    /// The next pokes have these numbers, in order, without a gap between them.
    Numbers(Numbers),
    /// Pokes with rising numbers up to this one, and gaps.
    Through(Through),
    /// The client publishes; `answer` or `error` is a pattern. With `numbers: [first, last]`, many, one after the other.
    Send(Value),
    /// The client ends an interest.
    Finish(Value),
    /// Somebody else publishes. With `numbers: [first, last]`, many.
    Publish(Value),
    /// Somebody else ends an interest.
    End(Value),
    /// Somebody else publishes a number every 20 ms, until it is stopped.
    Traffic(Traffic),
    /// Keeps the positions of a subscription under a name.
    Positions(Positions),
    /// The program takes no events.
    Pause(String),
    /// It takes them again.
    Resume(String),
    /// Ends a subscription. Nothing more may be told of it.
    Cancel(String),
    /// Ends a client.
    Close(String),
    /// What the SDK says data takes.
    Size(Value),
    /// Does something to the server.
    Server(Fate),
    /// Sets up, by dotted keys, the servers that start from now on.
    Settings(BTreeMap<String, Value>),
    /// Does something to the network.
    Network(Fault),
    /// The server comes to have so many streams.
    Streams(u32),
    /// The server has ended so many streams that nobody read, or more.
    Stalled(u32),
    /// The peer's next call matches the pattern.
    Call(Value),
    /// The peer goes on, where it waits for this name.
    Go(String),
    /// Nothing happens for so many seconds: that is what the case is about.
    Idle(u64),
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Open {
    pub(crate) client: String,
    pub(crate) via: Option<Via>,
    /// Claims, of which `life` is in seconds and becomes `exp`; or text, which is a token itself.
    pub(crate) tokens: Vec<Value>,
    #[serde(rename = "deadlineMs")]
    pub(crate) deadline: Option<u64>,
}

impl Default for Open {
    fn default() -> Self {
        Self { client: "a".into(), via: None, tokens: Vec::new(), deadline: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscribe {
    #[serde(default = "subscription", rename = "as")]
    pub(crate) name: String,
    #[serde(default = "client")]
    pub(crate) client: String,
    /// Interests: a filter alone, or as the adapter takes them.
    #[serde(default)]
    pub(crate) to: Vec<Value>,
    /// So many interests, 0, 1, 2...
    pub(crate) count: Option<u32>,
    /// Positions that were kept, for interests of theirs.
    pub(crate) saved: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default = "subscription", rename = "as")]
    pub(crate) name: String,
    pub(crate) to: Value,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Numbers {
    #[serde(default = "subscription", rename = "as")]
    pub(crate) name: String,
    #[serde(default = "filter")]
    pub(crate) filter: String,
    #[serde(default)]
    pub(crate) from: i64,
    /// The last one; without it, that of the traffic, which must be stopped.
    pub(crate) to: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Through {
    #[serde(default = "subscription", rename = "as")]
    pub(crate) name: String,
    #[serde(default = "filter")]
    pub(crate) filter: String,
    /// The last number; without it, that of the traffic, which must be stopped.
    pub(crate) to: Option<i64>,
    /// The reasons that gaps may have; there must be at least one gap.
    pub(crate) gaps: Vec<String>,
    /// That many gaps at most.
    pub(crate) at_most: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Traffic {
    Start,
    Stop,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Positions {
    #[serde(default = "subscription", rename = "as")]
    pub(crate) name: String,
    pub(crate) save: Option<String>,
    /// What they must be.
    pub(crate) are: Option<Value>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It crashes.
    Kill,
    /// Another one starts on its address, after it has gone.
    Start,
    /// Another one takes its address over, and it leaves in order.
    Replace,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// Each open connection breaks.
    Cut,
    /// What the server says is swallowed.
    Mute,
    /// No longer.
    Unmute,
}

fn subscribe() -> Vec<String> {
    vec!["subscribe".into()]
}

fn subscription() -> String {
    "s".into()
}

fn client() -> String {
    "a".into()
}

fn filter() -> String {
    "f".into()
}

/// Reads the cases of all files, sorted by the files' names.
pub(crate) fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
        cases.extend(read::<Vec<Case>>(file)?);
    }
    Ok(cases)
}

/// Reads a YAML file. It goes through JSON, whose enums look as ours do.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| failed(&error))?;
    serde_path(value).map_err(|error| failed(&error))
}

fn serde_path<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}
