//! promtool, which judges metrics as Prometheus would have them.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use poke_tests::{Config, Server, interest};

#[tokio::test]
#[ignore = "needs promtool: tests/run foreign"]
async fn it_finds_nothing_wrong_with_any_series() {
    let server = Server::start(Config::new()).await;
    server.publisher().await.poke(&interest("f"), "x").await;
    let page = server.admin("/metrics").await.text();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}\n{page}", String::from_utf8_lossy(&said));
}
