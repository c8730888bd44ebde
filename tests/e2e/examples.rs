//! The Rust SDK's examples against the real server, run as a reader runs them.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use poke_tests::{
    Config, PATIENCE, Server, example as path,
    tools::{run, run_well},
};

fn example(server: &Server, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(path(name));
    command.env("POKE_URL", server.url()).args(arguments);
    command
}

/// An example that goes on. Dropping it ends it.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the example can be started");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    /// Reads up to the line that begins so.
    fn said(&self, beginning: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("the example goes on and says something");
            if line.starts_with(beginning) {
                return line;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn one_watches_what_another_publishes_until_a_third_ends_it() {
    let server = Server::start(Config::new()).await;
    let mut watch = Running::start(example(&server, "watch", &["PLAYLIST", "watched"]));
    watch.said("live");
    let published = run_well(example(&server, "publish", &["PLAYLIST", "watched", "Updated"])).await;
    assert!(published.starts_with("published ") && published.ends_with(" receivers 1\n"), "{published}");
    assert_eq!(watch.said("poke"), "poke Updated");
    let ended = run_well(example(&server, "end", &["PLAYLIST", "watched"])).await;
    assert!(ended.starts_with("ended "), "{ended}");
    watch.said("ended");
    assert!(watch.child.wait().expect("it runs").success());
}

#[tokio::test]
async fn who_is_refused_hears_why_and_the_exit_code_says_so() {
    let server = Server::start(Config::without_domains().open("PLAYLIST")).await;
    for name in ["watch", "reconnect"] {
        let mut command = example(&server, name, &["NOPE", "f"]);
        command.current_dir(server.folder());
        let refused = run(command).await;
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{name}: {told}");
        assert!(told.contains("NOPE/f") && told.contains("UNKNOWN_DOMAIN"), "{name}: {told}");
    }
}

#[tokio::test]
async fn another_run_goes_on_where_the_last_one_was_stopped() {
    let server = Server::start(Config::new()).await;
    let reconnect = || {
        let mut command = example(&server, "reconnect", &["PLAYLIST", "saved"]);
        command.current_dir(server.folder());
        Running::start(command)
    };
    let first = reconnect();
    first.said("live Fresh");
    run_well(example(&server, "publish", &["PLAYLIST", "saved", "one"])).await;
    first.said("poke one");
    // The next line can only come when the last event's position has been written.
    run_well(example(&server, "publish", &["PLAYLIST", "saved", "two"])).await;
    first.said("poke two");
    drop(first);
    run_well(example(&server, "publish", &["PLAYLIST", "saved", "three"])).await;
    let second = reconnect();
    second.said("live Recovered");
    second.said("poke three");
    drop(second);
    // It may be stopped at any moment, even while it writes the position.
    for n in 0..10 {
        let again = reconnect();
        again.said("live Recovered");
        run_well(example(&server, "publish", &["PLAYLIST", "saved", &n.to_string()])).await;
        again.said(&format!("poke {n}"));
    }
}
