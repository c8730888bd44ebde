//! A JWK set (RFC 7517), as far as signatures go.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use poke_proto::text;
use serde::Deserialize;
use serde_json::Value;

/// The most keys of a set: an issuer has a handful.
const MAX_KEYS: usize = 100;

/// The public keys of an issuer by which tokens can be signed.
#[derive(Debug, Default)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// By these it may have signed.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set. Keys for other uses, of other kinds, and what looks like none are passed over, so that one which
    /// the issuer adds for others does no harm.
    ///
    /// # Errors
    /// When it isn't a set, or holds no key of use.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = text::decode(bytes).map_err(|error| error.to_string())?;
        // The fault alone: a private key that was put here by mistake must not get into the log.
        let Set { keys } =
            serde_json::from_str(text).map_err(|error| format!("it isn't a JWK set: {}", text::json_fault(&error)))?;
        if keys.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        let keys: Vec<_> = keys.into_iter().filter_map(|key| Key::read(&serde_json::from_value(key).ok()?)).collect();
        if keys.is_empty() {
            return Err("it holds no public key that signs tokens".into());
        }
        Ok(Self(keys))
    }

    /// The key that a token names. A token that names none can only mean the only one.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting = self.0.iter().filter(|key| key.algorithms.contains(&algorithm));
        let key = match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        };
        key.map(|key| key.key.clone())
    }
}

impl Key {
    fn read(jwk: &Jwk) -> Option<Self> {
        if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let mut algorithms = algorithms(&jwk.algorithm)?;
        if let Some(only) = jwk.common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        (!algorithms.is_empty()).then(|| Self { id: jwk.common.key_id.clone(), algorithms, key })
    }
}

/// What a key of this kind can have signed by. A symmetric one is none of ours: whoever can check with it can sign.
fn algorithms(key: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    use Algorithm::*;
    match key {
        AlgorithmParameters::RSA(_) => Some(vec![RS256, RS384, RS512, PS256, PS384, PS512]),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some(vec![ES256]),
            EllipticCurve::P384 => Some(vec![ES384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Some(vec![EdDSA]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn parse(keys: &Value) -> Result<KeySet, String> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_key_signs_by_what_its_kind_can_and_it_says() {
        let ec = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "ec"});
        let rsa = json!({"kty": "RSA", "n": "AA", "e": "AQAB", "kid": "rsa", "alg": "RS256"});
        let set = parse(&json!([ec, rsa])).unwrap();
        assert!(set.find(Some("ec"), Algorithm::ES256).is_some() && set.find(Some("rsa"), Algorithm::RS256).is_some());
        for (id, algorithm) in [
            ("ec", Algorithm::ES384),
            ("ec", Algorithm::RS256),
            ("rsa", Algorithm::RS512),
            ("rsa", Algorithm::HS256),
            ("nobody", Algorithm::RS256),
        ] {
            assert!(set.find(Some(id), algorithm).is_none(), "{id} {algorithm:?}");
        }
        assert!(set.find(None, Algorithm::ES256).is_some(), "the only one needs no name");
    }

    #[test]
    fn what_is_for_others_is_passed_over() {
        let good = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a"});
        let others = json!([
            {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "h"},
            {"kty": "RSA", "use": "enc", "n": "AA", "e": "AQAB"}, {"kty": "new"}, 1, good
        ]);
        let set = parse(&others).unwrap();
        assert_eq!(set.0.len(), 1);
        assert!(set.find(Some("h"), Algorithm::HS256).is_none());
        for nothing in [json!([]), json!([1]), json!([{"kty": "oct", "k": "c2VjcmV0"}])] {
            assert!(parse(&nothing).is_err());
        }
        assert!(KeySet::parse(b"<html>").is_err() && parse(&json!(vec![good; 101])).is_err());
    }
}
