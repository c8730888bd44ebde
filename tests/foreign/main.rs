//! Clients that we didn't write, against the real server: `tests/run foreign` installs them and runs this.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking")]

mod buf_curl;
mod curl;
mod grpcio;
mod grpcurl;
mod nginx;
mod promtool;
mod proxies;
mod session;
mod tls;
