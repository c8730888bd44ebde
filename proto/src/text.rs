//! Text that server and clients read from files, arguments and variables.

use std::borrow::Cow;

mod pem;
mod secret;

pub use self::{
    pem::{PemError, certificates, private_key},
    secret::masked,
};

/// U+FEFF, which some editors and shells put in front of a text to tell its encoding.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reason why bytes aren't text. It repeats none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A byte-order mark tells that it is UTF-16, which some Windows programs write.
    #[error("it is UTF-16: save it as UTF-8")]
    Utf16,
    /// It is in no encoding that could be told.
    #[error("it isn't UTF-8 text")]
    NotUtf8,
}

/// Returns bytes as text, without a byte-order mark in front.
///
/// # Errors
/// When the bytes aren't UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, TextError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(without_mark(text)),
        Err(_) if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => Err(TextError::Utf16),
        Err(_) => Err(TextError::NotUtf8),
    }
}

/// Returns a text without a byte-order mark in front.
#[must_use]
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Returns where JSON is malformed, without repeating any of it, as serde's own words may do.
#[must_use]
pub fn json_fault(error: &serde_json::Error) -> Cow<'static, str> {
    use serde_json::error::Category;
    let fault = match error.classify() {
        Category::Eof => return "it is empty or ends too early".into(),
        Category::Data => "it is JSON of another form",
        Category::Syntax | Category::Io => "it isn't JSON",
    };
    format!("{fault} (line {}, column {})", error.line(), error.column()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_in_front_is_no_text() {
        assert_eq!(decode(b"\xef\xbb\xbfa\xef\xbb\xbf"), Ok("a\u{feff}"));
        assert_eq!(decode(b"a"), Ok("a"));
        assert_eq!(decode(b"\xef\xbb\xbf"), Ok(""));
        assert_eq!(without_mark("\u{feff}a"), "a");
    }

    #[test]
    fn other_encodings_are_named() {
        assert_eq!(decode(b"\xff\xfea\0"), Err(TextError::Utf16));
        assert_eq!(decode(b"\xfe\xff\0a"), Err(TextError::Utf16));
        assert_eq!(decode(b"caf\xe9"), Err(TextError::NotUtf8));
    }

    #[test]
    fn a_fault_of_json_is_told_by_its_place() {
        let fault = |text: &str| serde_json::from_str::<Vec<u8>>(text).map_err(|error| json_fault(&error).into_owned());
        assert_eq!(fault("\"secret\""), Err("it is JSON of another form (line 1, column 8)".into()));
        assert_eq!(fault("[\n secret]"), Err("it isn't JSON (line 2, column 2)".into()));
        assert_eq!(fault("["), Err("it is empty or ends too early".into()));
    }
}
