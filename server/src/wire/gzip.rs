//! Compressed requests.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

/// Why something can't be inflated.
#[derive(Debug)]
pub(super) enum Failure {
    /// More than the limit comes out.
    TooLarge,
    /// It isn't gzip (RFC 1952), or is damaged.
    Corrupt(io::Error),
}

/// Inflates at most `limit` bytes.
///
/// It does so twice, and keeps nothing the first time: a bomb costs no memory, however many come at once, and whatever
/// its trailer claims.
pub(super) fn inflate(compressed: &[u8], limit: usize) -> Result<Bytes, Failure> {
    let bounded = || MultiGzDecoder::new(compressed).take(limit as u64 + 1);
    let size = io::copy(&mut bounded(), &mut io::sink()).map_err(Failure::Corrupt)?;
    let size = usize::try_from(size).ok().filter(|&size| size <= limit).ok_or(Failure::TooLarge)?;
    let mut inflated = Vec::with_capacity(size);
    bounded().read_to_end(&mut inflated).map_err(Failure::Corrupt)?;
    Ok(inflated.into())
}
