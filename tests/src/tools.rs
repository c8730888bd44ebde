//! Programs that the tests run: clients that share no code with ours, and our own command.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use serde_json::Value;

use crate::{PATIENCE, binary};

/// grpcurl.
#[must_use]
pub fn grpcurl() -> Command {
    foreign("POKE_GRPCURL")
}

/// buf, for `buf curl`.
#[must_use]
pub fn buf() -> Command {
    foreign("POKE_BUF")
}

/// The Python client on grpcio, `tests/python/client.py`.
#[must_use]
pub fn python_client() -> Command {
    let mut command = foreign("POKE_PYTHON");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/client.py"));
    command
}

/// curl.
#[must_use]
pub fn curl() -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30"]);
    command
}

/// Our own command, `poke`, for a server.
#[must_use]
pub fn poke(url: &str) -> Command {
    let mut command = Command::new(binary("poke"));
    command.env("POKE_URL", url).env_remove("XDG_CONFIG_HOME");
    command
}

/// Envoy, the proxy.
#[must_use]
pub fn envoy() -> Command {
    foreign("POKE_ENVOY")
}

fn foreign(variable: &str) -> Command {
    let path = env::var_os(variable);
    Command::new(path.unwrap_or_else(|| panic!("{variable} isn't set: run this by `tests/run foreign`")))
}

/// Runs a program to its end, away from the runtime's threads.
///
/// # Panics
/// When it can't be started.
pub async fn run(mut command: Command) -> Output {
    let run = move || command.stdin(Stdio::null()).output();
    tokio::task::spawn_blocking(run).await.expect("it doesn't panic").expect("the program can be started")
}

/// As [`run`], for a program that must succeed. Gives its standard output.
///
/// # Panics
/// When it fails.
pub async fn run_well(command: Command) -> String {
    let shown = format!("{command:?}");
    let Output { status, stdout, stderr } = run(command).await;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{shown}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// A program that prints a JSON document a line, for as long as it lives. Dropping it ends it.
#[derive(Debug)]
pub struct Listener {
    child: Child,
    lines: Receiver<Value>,
}

impl Listener {
    /// Starts it.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program can be started");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let json = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
                if send.send(json).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line. It blocks this thread: the server under test is another process.
    ///
    /// # Panics
    /// When there is none for [`PATIENCE`].
    #[must_use]
    pub fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("the program goes on and says something")
    }

    /// The next line whose `event` is this one.
    #[must_use]
    pub fn event(&self, event: &str) -> Value {
        loop {
            let line = self.next();
            if line["event"] == event {
                return line;
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Both can fail only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
