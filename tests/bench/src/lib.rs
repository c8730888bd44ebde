//! What a delivery costs: the server measured against its peers, a naive server and the floor, by one load generator.
//!
//! It needs Linux: epoll, and the costs of a process as `/proc` has them.
#![cfg(target_os = "linux")]

mod case;
mod channel;
mod cost;
mod figure;
mod floor;
mod goal;
mod interval;
mod load;
mod machine;
mod naive;
mod pair;
mod pinning;
mod plan;
mod plot;
mod report;
mod server;
mod tls;
mod wire;

pub use self::{floor::floor, naive::naive, plan::bench};

/// Why a measurement couldn't be made. The bench stops at none: it reports it and goes on.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
