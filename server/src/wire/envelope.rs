//! The envelope of a message: a byte of flags, four bytes of length (big-endian), the message. gRPC, gRPC-Web and
//! Connect's streams share it.

use std::cmp::Ordering;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{
    error::{Error, Kind},
    frame::PREFIX_BYTES,
};

/// The message is compressed.
const COMPRESSED: u8 = 0x01;
/// Connect: no message, but the end of the stream.
pub(super) const END_STREAM: u8 = 0x02;
/// gRPC-Web: no message, but the trailers.
pub(super) const TRAILERS: u8 = 0x80;

/// Bytes in an envelope with these flags.
pub(super) fn seal(flags: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX_BYTES + payload.len());
    out.put_u8(flags);
    out.put_u32(u32::try_from(payload.len()).expect("errors are far below 4 GiB"));
    out.put_slice(payload);
    out.freeze()
}

/// The only message of a request, and whether it is compressed.
pub(super) fn open(mut request: Bytes) -> Result<(bool, Bytes), Error> {
    let refused = |rule: &'static str| Error::invalid(Kind::InvalidRequest, "", rule);
    if request.is_empty() {
        return Err(refused("the request holds no message"));
    }
    let cut = "the request ends before its message does";
    let flags = request.try_get_u8().map_err(|_| refused(cut))?;
    let size = request.try_get_u32().map_err(|_| refused(cut))?;
    if flags & !COMPRESSED != 0 {
        return Err(refused("the message of the request has unknown flags"));
    }
    match request.len().cmp(&(size as usize)) {
        Ordering::Less => Err(refused(cut)),
        Ordering::Equal => Ok((flags == COMPRESSED, request)),
        Ordering::Greater => Err(refused("the request holds more than one message")),
    }
}
