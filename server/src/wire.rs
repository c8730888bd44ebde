//! How requests and answers look on the wire, in each protocol that the port speaks.
//!
//! The protocols differ in how they wrap a message and in how they end. What lies between is shared: one message in the
//! envelope of gRPC's (a flag, four bytes of length, the message) serves every stream, so that a poke is encoded once.
//!
//! - gRPC: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
//! - gRPC-Web: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>
//! - Connect: <https://connectrpc.com/docs/protocol>

mod answer;
mod body;
mod bridge;
mod envelope;
mod gzip;
mod intake;
mod json;
mod protocol;
mod request;
mod strict;
mod text;
mod timeout;

#[cfg(test)]
mod tests;

pub use self::{
    answer::{End, note, refuse},
    body::Body,
    bridge::Bridge,
    intake::Intake,
    json::event as event_in_json,
    protocol::{Protocol, Shape, Unspoken},
    request::{Limit, StreamRequest, UnaryRequest, UnaryResponse},
};
