//! A harness that runs the real `poke-server` for end-to-end tests, and speaks to it without the SDK.
//!
//! Tests wait for conditions, with generous limits, and never for a time to pass. [`PATIENCE`] is how long a condition
//! may take before the test fails: far more than it ever needs, since a loaded machine is slow.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test harness reports by panicking and prints figures"
)]

mod binaries;
mod config;
mod details;
mod envelope;
pub mod frames;
pub mod http;
mod metrics;
pub mod network;
mod proxy;
mod publish;
mod server;
mod stream;
pub mod tls;
pub mod token;
pub mod tools;
mod wait;

pub use binaries::{binary, example};
pub use config::Config;
pub use details::{Refusal, refusal};
pub use envelope::{envelope, envelopes};
pub use metrics::Metrics;
pub use poke_proto::{Data, v1};
pub use proxy::Proxy;
pub use publish::{Publisher, interest, json, request, text};
pub use server::Server;
pub use stream::{Event, Stream, after, latest, new_pokes};
pub use wait::{PATIENCE, eventually, within};
