//! h2spec: whether the real server speaks HTTP/2 as RFC 9113 and 7541 have it, down to each error.

use std::{collections::BTreeSet, fs};

use poke_tests::{
    Config, Server,
    tls::{Authority, Files},
    tools::run,
};

use crate::{beside, program};

/// How often it runs. The server may answer before a test's mistake has come, and must name the mistake all the same: each
/// run meets it at another moment.
const RUNS: usize = 10;

/// Runs it, all strict tests included, and compares what failed with what is known to fail.
async fn judge(config: Config, options: &[&str]) {
    let server = Server::start(config).await;
    let known = fs::read_to_string(beside("h2spec.known")).unwrap();
    let known: BTreeSet<_> =
        known.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    for _ in 0..RUNS {
        let address = server.address();
        let mut h2spec = program("h2spec");
        h2spec.args(["--strict", "--timeout", "5", "--host", &address.ip().to_string()]);
        h2spec.args(["--port", &address.port().to_string()]).args(options);
        let output = run(h2spec).await;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let summary = output.lines().last().unwrap_or_default();
        assert!(summary.starts_with("146 tests"), "{output}");
        assert_eq!(failures(&output), known, "{output}");
    }
    println!("figure: h2spec {}: of 146 tests {} fail, in each of {RUNS} runs", options.join(" "), known.len());
    // Whatever it did, the server serves on.
    assert!(server.admin("/healthz").await.status.is_success());
}

/// The tests that failed, as `SECTION/NUMBER DESCRIPTION`, from the list at the end of the output.
fn failures(output: &str) -> BTreeSet<String> {
    let Some((_, list)) = output.split_once("Failures:") else { return BTreeSet::new() };
    let mut section = "";
    let mut failed = BTreeSet::new();
    for line in list.lines().map(str::trim) {
        if let Some(test) = line.strip_prefix("× ") {
            failed.insert(format!("{section}/{}", test.replacen(": ", " ", 1)));
        } else if let Some((number, _)) = line.split_once(". ").filter(|(number, _)| !number.contains(' ')) {
            section = number;
        }
    }
    failed
}

#[tokio::test]
#[ignore = "needs h2spec: tests/run conformance"]
async fn http2_is_as_its_rfcs_have_it() {
    judge(Config::new(), &[]).await;
}

#[tokio::test]
#[ignore = "needs h2spec: tests/run conformance"]
async fn http2_over_tls_is_as_its_rfcs_have_it() {
    let files = Files::new(&Authority::new().server());
    judge(files.config(), &["--tls", "--insecure"]).await;
}
