//! Suites that others wrote: `tests/run conformance` installs them and runs this.
//!
//! What is known to fail is listed beside each suite, with the reason, and runs all the same: what passes unexpectedly is
//! reported as well.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking")]

mod connect;
mod grpc;
mod h2spec;

use std::{env, path::PathBuf, process::Command};

/// A program of the suites.
fn program(name: &str) -> Command {
    let folder = env::var_os("POKE_SUITES").expect("POKE_SUITES isn't set: run this by `tests/run conformance`");
    Command::new(PathBuf::from(folder).join(name))
}

/// A file beside this one.
fn beside(name: &str) -> String {
    format!("{}/suites/{name}", env!("CARGO_MANIFEST_DIR"))
}
