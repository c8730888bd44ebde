//! The Multicast Poke server.

pub mod error;
pub mod interest;
pub mod metrics;
