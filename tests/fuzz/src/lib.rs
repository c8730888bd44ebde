//! What must hold whatever comes from outside. Each function takes an input and panics when a rule is broken; the property
//! tests of this crate make inputs that are nearly right, and cargo-fuzz (`targets/`) looks for others by coverage.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a rule that is broken is reported by panicking")]

mod config;
mod data;
mod publish;
mod token;

#[cfg(test)]
mod tests;

pub use self::{
    config::config,
    data::{json, wire},
    publish::{Answer, Publication, call, publish},
    token::{bearer, valid_token},
};

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// An error's text for people is shorter than this.
const MESSAGE: usize = 1000;

/// Where everything runs: the server's parts stay between inputs, as they do between requests.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
}
