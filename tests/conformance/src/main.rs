//! The services that suites of others call, served by `poke-server` beside its own: behind the same accept loop, HTTP,
//! limits, rules for browsers and protocols.
//!
//! - `poke-conformance interop`: gRPC's test service. Prints where it listens.
//! - `poke-conformance connect`: Connect's. Reads what it should be from standard input, and answers on standard output.

#![allow(clippy::print_stdout, reason = "whoever starts it reads where it listens")]

mod connect;
mod interop;
mod serve;
mod trailers;

use std::{env, error::Error};

/// Whatever goes wrong ends the program: the suite shows it.
type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    match env::args().nth(1).as_deref() {
        Some("interop") => interop::run().await,
        Some("connect") => connect::run().await,
        _ => Err("usage: poke-conformance interop|connect".into()),
    }
}
