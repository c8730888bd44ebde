//! gRPC-Web in text mode: base64, in which each part that was flushed has padding of its own.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Reads padded and unpadded text.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The most characters of a body that stands for so many bytes: a third more by itself, and room for the padding of a
/// client that flushes often.
pub(super) fn most_text(bytes: usize) -> usize {
    bytes.saturating_mul(2)
}

/// The bytes that a whole body stands for.
pub(super) fn decode(mut text: &[u8]) -> Result<Vec<u8>, base64::DecodeError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    while !text.is_empty() {
        // Padding ends a part, and parts have whole groups of four characters.
        let padding = text.iter().position(|&b| b == b'=');
        let end = padding.map_or(text.len(), |at| (at / 4 + 1) * 4).min(text.len());
        let (part, rest) = text.split_at(end);
        BASE64.decode_vec(part, &mut bytes)?;
        text = rest;
    }
    Ok(bytes)
}

/// One part.
pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

    use super::*;

    #[test]
    fn parts_of_any_length_are_joined() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..=bytes.len() {
            let (start, end) = bytes.split_at(cut);
            assert_eq!(decode((encode(start) + &encode(end)).as_bytes()).unwrap(), bytes);
        }
        let alone: String = bytes.chunks(1).map(encode).collect();
        assert_eq!(decode(alone.as_bytes()).unwrap(), bytes);
    }

    #[test]
    fn the_last_padding_may_be_missing() {
        assert_eq!(decode(b"QQ").unwrap(), b"A");
        assert_eq!(decode(b"QQ==QUI").unwrap(), b"AAB");
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["Q", "Q===", "QQ=Q", "====", "QQ= =", "Q\nQ=", "é"] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
