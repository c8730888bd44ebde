//! Rust bindings of the Multicast Poke contract, `poke/v1/poke.proto`.

/// Messages and stubs of package `poke.v1`.
pub mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated; the proto file has the docs")]
    tonic::include_proto!("poke.v1");
}

mod data;
pub use data::{Data, DataError, MAX_DATA_DEPTH};

pub mod text;

/// The encoded `google.protobuf.FileDescriptorSet` of the contract and its imports, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/poke.v1.bin"));
