//! The Multicast Poke server.

pub mod error;
pub mod interest;
pub mod metrics;
pub mod registry;
mod sync;
pub mod topic;
