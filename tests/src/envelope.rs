//! Messages in their envelopes, alike in gRPC, gRPC-Web and Connect's streams: flags, length, message.

use bytes::{Buf as _, Bytes};

/// A message with these flags.
///
/// # Panics
/// When it is longer than an envelope can say.
#[must_use]
pub fn envelope(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flags][..], &length, message].concat()
}

/// The flags and messages of a body.
///
/// # Panics
/// When it isn't made of whole ones.
#[must_use]
pub fn envelopes(mut body: Bytes) -> Vec<(u8, Bytes)> {
    let mut envelopes = Vec::new();
    while body.has_remaining() {
        let flags = body.get_u8();
        let length = body.get_u32() as usize;
        envelopes.push((flags, body.split_to(length)));
    }
    envelopes
}
