//! API keys.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What every key begins with, so that people and scanners of leaked secrets know one when they see it.
pub(super) const PREFIX: &str = "poke_";
const HASH_PREFIX: &str = "sha256:";
/// Random bytes of a key.
const KEY_BYTES: usize = 32;

/// What the configuration holds of an API key: its SHA-256. A key is 256 random bits, which nobody can guess their way to
/// however fast the hash is; the slow hashes of passwords would only make each call expensive.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

/// A new API key. It can be shown once; only its hash is ever kept.
pub struct NewKey {
    /// What the caller sends.
    pub key: String,
    /// What the configuration holds.
    pub hash: KeyHash,
}

impl NewKey {
    /// A random one.
    #[must_use]
    pub fn random() -> Self {
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; KEY_BYTES]>()));
        let hash = KeyHash::of(&key);
        Self { key, hash }
    }
}

impl KeyHash {
    /// The hash of what a caller presents.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }
}

/// In a time that doesn't tell how much of the two is alike.
impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// As the configuration writes it.
impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HASH_PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// It isn't `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHash;

impl FromStr for KeyHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let digits = text.strip_prefix(HASH_PREFIX).filter(|digits| digits.len() == 64).ok_or(NoHash)?;
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]).ok_or(NoHash)? << 4 | nibble(pair[1]).ok_or(NoHash)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_new_key_is_known_by_the_hash_that_is_written_down() {
        let NewKey { key, hash } = NewKey::random();
        assert!(key.starts_with("poke_") && key.len() == 48, "{key}");
        let written: KeyHash = hash.to_string().parse().unwrap();
        assert_eq!(written, KeyHash::of(&key));
        assert_ne!(written, KeyHash::of(&NewKey::random().key));
    }

    #[test]
    fn the_hash_is_what_sha256sum_prints() {
        let hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of("abc").to_string(), hash);
        assert_eq!(hash.to_uppercase().replace("SHA256", "sha256").parse(), Ok(KeyHash::of("abc")));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for wrong in ["", "abc", "sha256:", "sha256:zz", &format!("sha256:{}", "é".repeat(32)), &"0".repeat(71)] {
            assert_eq!(wrong.parse::<KeyHash>().err(), Some(NoHash), "{wrong}");
        }
    }
}
