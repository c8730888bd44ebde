//! Compressed requests.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

/// Why something can't be inflated.
#[derive(Debug)]
pub(super) enum Failure {
    /// More than the limit comes out.
    TooLarge,
    /// It isn't gzip (RFC 1952), or is damaged.
    Corrupt(std::io::Error),
}

/// Inflates at most `limit` bytes. It stops right past them, so that a bomb costs no more memory than an honest message.
pub(super) fn inflate(compressed: &[u8], limit: usize) -> Result<Bytes, Failure> {
    let mut inflated = Vec::new();
    let mut bounded = MultiGzDecoder::new(compressed).take(limit as u64 + 1);
    bounded.read_to_end(&mut inflated).map_err(Failure::Corrupt)?;
    if inflated.len() > limit { Err(Failure::TooLarge) } else { Ok(inflated.into()) }
}
