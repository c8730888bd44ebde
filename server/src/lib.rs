//! The Multicast Poke server.

pub mod interest;
pub mod metrics;
