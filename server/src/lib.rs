//! The Multicast Poke server.

pub mod interest;
