//! Clients: what is tested, and how it is built and started.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tokio::process::Command;

/// One column of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What it is, for people.
    pub(crate) about: String,
    /// Programs on the PATH, without which it can't be run.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// What fills its folder.
    #[serde(default)]
    build: Vec<String>,
    command: Vec<String>,
    /// What it can't do and its kind can, with the reason.
    #[serde(default)]
    without: BTreeMap<String, String>,
}

/// How much a client does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// All of client/README.md.
    Sdk,
    /// Calls by generated stubs or by hand.
    Stubs,
    /// Unary calls.
    Publisher,
}

/// Where things are.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// The repository.
    pub(crate) root: PathBuf,
    /// The adapters of this workspace.
    pub(crate) bin: PathBuf,
    /// What clients build, a folder each.
    pub(crate) out: PathBuf,
}

impl Client {
    /// Why it can't do something that a case needs.
    pub(crate) fn lacks(&self, needs: &[String]) -> Option<String> {
        needs.iter().find_map(|feature| {
            let by_kind = self.kind.lacks(feature).map(str::to_owned);
            by_kind.or_else(|| self.without.get(feature).cloned())
        })
    }

    /// A program that isn't on this machine.
    pub(crate) fn missing(&self) -> Option<String> {
        let missing = self.needs.iter().find(|program| !on_path(program))?;
        Some(format!("{missing} isn't on this machine"))
    }

    /// Takes a program that is there in place of what would be built.
    pub(crate) fn is_built(&mut self, program: &str) {
        self.needs.clear();
        self.build.clear();
        self.command = vec![program.to_owned()];
    }

    /// Builds what it needs. What it prints goes into a file in its folder.
    pub(crate) async fn build(&self, folders: &Folders) -> Result<(), String> {
        let out = folders.out.join(&self.name);
        fs::create_dir_all(&out).map_err(|error| error.to_string())?;
        let Some(mut command) = self.prepare(&self.build, folders) else { return Ok(()) };
        let output = command.output().await.map_err(|error| format!("{}: {error}", self.build.join(" ")))?;
        let printed = [output.stdout, output.stderr].concat();
        fs::write(out.join("build.log"), &printed).map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&printed);
        let end: Vec<_> = text.lines().rev().take(5).collect();
        Err(format!("it can't be built: {}", end.into_iter().rev().collect::<Vec<_>>().join(" | ")))
    }

    /// How its adapter is started.
    pub(crate) fn command(&self, folders: &Folders) -> Option<Command> {
        self.prepare(&self.command, folders)
    }

    fn prepare(&self, words: &[String], folders: &Folders) -> Option<Command> {
        let out = folders.out.join(&self.name);
        let fill = |word: &String| {
            let word = word.replace("{out}", &out.to_string_lossy());
            word.replace("{bin}", &folders.bin.to_string_lossy())
        };
        let (program, arguments) = words.split_first()?;
        let program = fill(program);
        // A relative path would be looked up from the runner's folder, not from that of the command.
        let program = if program.contains('/') { folders.root.join(program) } else { program.into() };
        let mut command = Command::new(program);
        command.args(arguments.iter().map(fill)).current_dir(&folders.root).env("OUT", &out).env("BIN", &folders.bin);
        Some(command)
    }
}

impl Kind {
    /// Why clients of this kind can't do it.
    fn lacks(self, feature: &str) -> Option<&'static str> {
        let own_life = "plain stubs make one call: no retries, moves or saved positions";
        match (self, feature) {
            (Self::Sdk, "wire") => Some("an SDK handles these events by itself"),
            (Self::Sdk, "deadline") => Some("an SDK's stream has no deadline"),
            (Self::Sdk, _) => None,
            (Self::Stubs, "sdk") => Some(own_life),
            (Self::Stubs, "add") => Some("the set of a call can't change"),
            (Self::Stubs, "provider") => Some("plain stubs send one token"),
            (Self::Stubs, "strict") => Some("plain stubs send what they are given"),
            (Self::Stubs, "size") => Some("plain stubs know nothing of sizes"),
            (Self::Publisher, "subscribe" | "cancel" | "pause" | "wire" | "deadline") => {
                Some("it makes unary calls alone")
            }
            (Self::Publisher, _) => Self::Stubs.lacks(feature),
            _ => None,
        }
    }
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_absolute() && Path::new(program).exists()
        || env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
