//! PEM (RFC 7468), also as it comes out of variables and secrets: without its line breaks, with spaces or a literal `\n`
//! in their place, or behind a byte-order mark.

use std::fmt::Write as _;

use super::{TextError, decode};

/// Characters in a line of base64 (RFC 7468, section 2).
const LINE: usize = 64;

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Reason why a text holds no certificate or key. It repeats no part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// It isn't text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It has no certificate.
    #[error("there is no certificate in PEM form (no line BEGIN CERTIFICATE between dashes)")]
    NoCertificate,
    /// It has no private key.
    #[error("there is no private key in PEM form (no line BEGIN PRIVATE KEY between dashes)")]
    NoKey,
    /// Its private key has a passphrase.
    #[error("the private key is encrypted, and there is nobody to ask for its passphrase: decrypt it first")]
    Encrypted,
    /// It ends within a certificate or a key.
    #[error("the PEM is cut off: a line BEGIN has no line END of its own")]
    Cut,
    /// Something else than base64 stands where base64 should.
    #[error("the PEM is damaged: between the lines BEGIN and END stands something else than base64")]
    Damaged,
}

/// One part of a PEM text.
struct Block<'a> {
    label: &'a str,
    body: &'a str,
}

/// Returns the certificates of a PEM text, as PEM with the usual line breaks.
///
/// # Errors
/// When there is none, or anything in the text is damaged.
pub fn certificates(pem: &[u8]) -> Result<String, PemError> {
    let certificates = blocks(decode(pem)?)?.into_iter().filter(|block| block.label == CERTIFICATE);
    canonical(certificates, PemError::NoCertificate)
}

/// Returns the first private key of a PEM text, as PEM with the usual line breaks.
///
/// # Errors
/// When there is none, it is encrypted, or anything in the text is damaged.
pub fn private_key(pem: &[u8]) -> Result<String, PemError> {
    let blocks = blocks(decode(pem)?)?;
    let keys = blocks.into_iter().filter(|block| block.label.ends_with(PRIVATE_KEY));
    let (encrypted, plain): (Vec<_>, Vec<_>) = keys.partition(Block::is_encrypted);
    let missing = if encrypted.is_empty() { PemError::NoKey } else { PemError::Encrypted };
    canonical(plain.into_iter().take(1), missing)
}

/// Splits a text into its blocks. What stands between them is for people (RFC 7468, section 2).
fn blocks(mut text: &str) -> Result<Vec<Block<'_>>, PemError> {
    let mut blocks = Vec::new();
    while let Some((_, rest)) = text.split_once("-----BEGIN ") {
        let (label, rest) = rest.split_once("-----").ok_or(PemError::Cut)?;
        let (body, rest) = rest.split_once("-----END ").ok_or(PemError::Cut)?;
        let (end, rest) = rest.split_once("-----").ok_or(PemError::Cut)?;
        if end != label || body.contains("-----BEGIN ") {
            return Err(PemError::Cut);
        }
        blocks.push(Block { label, body });
        text = rest;
    }
    Ok(blocks)
}

fn canonical<'a>(blocks: impl Iterator<Item = Block<'a>>, missing: PemError) -> Result<String, PemError> {
    let mut pem = String::new();
    for block in blocks {
        block.write(&mut pem)?;
    }
    if pem.is_empty() { Err(missing) } else { Ok(pem) }
}

impl Block<'_> {
    /// Returns true for both forms of encrypted keys: PKCS #8, and the older one with headers (RFC 1421).
    fn is_encrypted(&self) -> bool {
        self.label.starts_with("ENCRYPTED") || self.body.contains("ENCRYPTED")
    }

    fn write(&self, pem: &mut String) -> Result<(), PemError> {
        let base64 = base64(self.body).ok_or(PemError::Damaged)?;
        let mut lines = String::with_capacity(base64.len() + base64.len() / LINE + 1);
        for (i, character) in base64.chars().enumerate() {
            if i % LINE == 0 && i > 0 {
                lines.push('\n');
            }
            lines.push(character);
        }
        let label = self.label;
        writeln!(pem, "-----BEGIN {label}-----\n{lines}\n-----END {label}-----").map_err(|_| PemError::Damaged)
    }
}

/// The base64 of a body, without white space and without line breaks that are written `\n` or `\r\n`. There is no
/// backslash in base64, so that none of its letters can be taken for those.
fn base64(body: &str) -> Option<String> {
    let mut characters = body.chars().filter(|character| !character.is_whitespace()).peekable();
    let mut base64 = String::with_capacity(body.len());
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                // Escaped twice where one variable is copied into another.
                while characters.next_if_eq(&'\\').is_some() {}
                characters.next_if(|character| matches!(character, 'n' | 'r'))?;
            }
            '=' | '+' | '/' => base64.push(character),
            character if character.is_ascii_alphanumeric() => base64.push(character),
            _ => return None,
        }
    }
    let digits = base64.trim_end_matches('=');
    let padding = base64.len() - digits.len();
    (!digits.is_empty() && !digits.contains('=') && padding <= 2 && base64.len().is_multiple_of(4)).then_some(base64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIH/7fD12xSKCsUvjIqWJh2hRgDdCLn1QWHIqd43t\nrn==\n\
                       -----END PRIVATE KEY-----\n";

    /// Changes that variables, secrets and shells make to line breaks.
    const MANGLED: [(&str, &str); 7] =
        [("\n", ""), ("\n", " "), ("\n", "\\n"), ("\n", "\\\\n"), ("\n", "\\r\\n"), ("\n", "\r\n"), ("\n", "\n\t ")];

    fn key(text: &str) -> Result<String, PemError> {
        private_key(text.as_bytes())
    }

    #[test]
    fn a_key_is_the_same_whatever_became_of_its_line_breaks() {
        let expected = key(KEY).unwrap();
        for (lines, mangled) in MANGLED {
            assert_eq!(key(&KEY.replace(lines, mangled)), Ok(expected.clone()), "{mangled:?}");
        }
        assert_eq!(key(&format!("\u{feff}{KEY}")), Ok(expected.clone()));
        assert_eq!(key(&format!("\"{}\"", KEY.replace('\n', "\\n"))), Ok(expected.clone()));
        assert_eq!(key(&format!("subject=a\n{KEY}and so on\n")), Ok(expected));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let utf16: Vec<_> = "\u{feff}x".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(private_key(&utf16), Err(PemError::Text(TextError::Utf16)));
        let certificate = KEY.replace("PRIVATE KEY", "CERTIFICATE");
        for (text, error) in [
            ("", PemError::NoKey),
            ("MC4CAQAwBQYDK2VwBCIEIH", PemError::NoKey),
            (&certificate, PemError::NoKey),
            (&KEY[..60], PemError::Cut),
            (&KEY[..20], PemError::Cut),
            (&KEY[..KEY.len() - 4], PemError::Cut),
            (&format!("{}{KEY}", &KEY[..60]), PemError::Cut),
            (&KEY.replace("MC4", "M*4"), PemError::Damaged),
            (&KEY.replace("MC4", "MC\\x4"), PemError::Damaged),
            (&KEY.replace("rn==", "rn="), PemError::Damaged),
            (&KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"), PemError::Encrypted),
            (
                &KEY.replace("KEY-----\nMC4", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nMC4"),
                PemError::Encrypted,
            ),
        ] {
            assert_eq!(key(text), Err(error), "{text}");
        }
        assert_eq!(certificates(KEY.as_bytes()), Err(PemError::NoCertificate));
    }

    #[test]
    fn certificates_and_a_key_may_stand_in_one_file() {
        let certificate = KEY.replace("PRIVATE KEY", "CERTIFICATE");
        let file = format!("{certificate}{KEY}{certificate}").replace('\n', " ");
        assert_eq!(key(&file), key(KEY));
        let expected = certificates(certificate.as_bytes()).unwrap();
        assert_eq!(certificates(file.as_bytes()), Ok(expected.repeat(2)));
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused_and_what_is_read_is_read_again(text in "(-----|BEGIN |END |PRIVATE KEY|[A-Za-z0-9+/=\\\\n\n ]{0,9}){0,30}") {
            if let Ok(read) = key(&text) {
                prop_assert_eq!(key(&read), Ok(read.clone()));
            }
        }
    }
}
