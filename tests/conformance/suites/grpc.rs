//! gRPC's interoperability client, in Go, against the official test service behind our layers.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use poke_tests::{
    tls::{Authority, Files},
    tools::run,
};

use crate::program;

/// All that the client can test without accounts at Google and load reports, which need a service of their own.
const CASES: [&str; 17] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "pick_first_unary",
    "rpc_soak",
    "channel_soak",
];

/// The test service in a process of its own.
struct Service {
    child: Child,
    port: String,
}

impl Service {
    fn start(files: Option<&Files>) -> Self {
        let mut service = Command::new(env!("CARGO_BIN_EXE_poke-conformance"));
        service.arg("interop").stdout(Stdio::piped());
        if let Some(files) = files {
            service.env("POKE_CERTIFICATE", files.path("tls.crt")).env("POKE_KEY", files.path("tls.key"));
        }
        let mut child = service.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().to_owned();
        Self { child, port }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both can fail only when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn all_pass(service: &Service, more: &[&str]) {
    let mut failed = Vec::new();
    for case in CASES {
        let mut client = program("client");
        // Of a name grpc-go asks the machine's DNS for a service config, and waits 5 s for an answer that is lost.
        client.args(["-server_host", "127.0.0.1", "-server_port", &service.port, "-test_case", case]).args(more);
        client.args(["-soak_iterations", "20", "-soak_overall_timeout_seconds", "30"]);
        let output = run(client).await;
        if !output.status.success() {
            failed.push(format!("{case}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    println!("figure: gRPC's interop client: {} of {} cases", CASES.len() - failed.len(), CASES.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
#[ignore = "needs gRPC's interop client: tests/run conformance"]
async fn the_interop_client_passes_every_case() {
    all_pass(&Service::start(None), &[]).await;
}

#[tokio::test]
#[ignore = "needs gRPC's interop client: tests/run conformance"]
async fn the_interop_client_passes_every_case_over_tls() {
    let authority = Authority::new();
    let files = Files::new(&authority.server());
    let ca = files.write("ca.crt", authority.pem());
    let ca = ca.to_str().unwrap();
    all_pass(&Service::start(Some(&files)), &["-use_tls", "-use_test_ca", "-ca_file", ca]).await;
}
