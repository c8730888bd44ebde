//! End-to-end tests against the real server, by topic.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking")]

mod auth;
mod auth_life;
mod command;
mod connect;
mod console;
mod contract_publish;
mod contract_subscribe;
mod customers;
mod cut_off;
mod deploy;
mod documents;
mod drain;
mod ended;
mod errors;
mod examples;
mod gap;
mod heartbeat;
mod hostile;
mod idempotency;
mod leaks;
mod log;
mod memory;
mod mistakes;
mod protocols;
mod quiet;
mod rates;
mod reconnect;
mod resume;
mod revocation;
mod sdk;
mod sizes;
mod slow_reader;
mod tls;
mod tls_certificates;
mod tls_life;
mod unix;
