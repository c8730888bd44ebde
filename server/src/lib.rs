//! The Multicast Poke server.

pub mod admin;
pub mod auth;
pub mod backplane;
mod changes;
pub mod config;
pub mod connection;
pub mod console;
pub mod domain;
mod drain;
pub mod error;
pub mod frame;
mod hosts;
pub mod interest;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod registry;
mod reload;
pub mod routes;
pub mod runtime;
pub mod server;
pub mod service;
pub mod stream;
mod sync;
pub mod topic;
pub mod wire;
