//! Connect's conformance suite in gRPC, gRPC-Web and Connect's streams, over HTTP/1.1 and 2, with and without TLS and clients'
//! certificates, against its own service behind our layers.

use poke_tests::tools::run;

use crate::{beside, program};

/// Runs the suite, where each of `lists` is an option and a file of patterns for it. It fails when a test does that isn't
/// known to, or the reverse.
async fn judge(lists: &[(&str, &str)]) {
    let mut suite = program("connectconformance");
    suite.args(["--mode", "server", "--conf", &beside("connect/config.yaml")]);
    suite.args(lists.iter().map(|(option, list)| format!("--{option}=@{}", beside(list))));
    suite.args(["--", env!("CARGO_BIN_EXE_poke-conformance"), "connect"]);
    let output = run(suite).await;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let summary = said.lines().rfind(|line| line.contains(" passed, ")).unwrap_or_default();
    println!("figure: connectconformance: {summary}");
    assert!(output.status.success(), "{said}");
}

const EARLY: &str = "connect/early-answers.txt";

#[tokio::test]
#[ignore = "needs connectconformance: tests/run conformance"]
async fn connects_suite_passes() {
    judge(&[("skip", EARLY), ("known-failing", "connect/known-failing.txt")]).await;
}

/// Apart from the others, and allowed to fail: see the list.
#[tokio::test]
#[ignore = "needs connectconformance: tests/run conformance"]
async fn early_answers_over_http1_are_tried() {
    judge(&[("run", EARLY), ("known-flaky", EARLY)]).await;
}
