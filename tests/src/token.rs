//! Tokens, as an issuer makes them.

use std::{fs, path::PathBuf, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use tonic::{Request, metadata::MetadataValue};

use crate::{Config, server::new_folder};

/// An issuer of tokens. Its public key lies in a file until it is dropped.
#[derive(Debug)]
pub struct Issuer {
    alias: String,
    key: KeyPair,
    folder: PathBuf,
}

impl Issuer {
    /// An issuer that the server knows by this name.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn new(alias: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key of Ed25519");
        let folder = new_folder();
        let x = URL_SAFE_NO_PAD.encode(key.der_bytes());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": alias, "x": x });
        fs::write(folder.join("jwks.json"), json!({ "keys": [jwk] }).to_string()).expect("a file can be written");
        Self { alias: alias.into(), key, folder }
    }

    /// The configuration with this issuer, whose tokens name customers by their subject, or not.
    ///
    /// # Panics
    /// When the path isn't text.
    #[must_use]
    pub fn known(&self, config: Config, customers: bool) -> Config {
        let section = format!("issuers.{}", self.alias);
        let file = self.folder.join("jwks.json");
        config
            .text(&format!("{section}.issuer"), &self.name())
            .text(&format!("{section}.audience"), "poke")
            .text(&format!("{section}.jwks_file"), file.to_str().expect("a path of text"))
            .text(&format!("{section}.algorithms"), "EdDSA")
            .set(&format!("{section}.customers"), customers)
    }

    fn name(&self) -> String {
        format!("https://{}.example", self.alias)
    }

    /// A token of this subject, for an hour from now.
    #[must_use]
    pub fn token(&self, subject: &str) -> String {
        self.token_with(json!({ "sub": subject }))
    }

    /// A token with these claims over the usual ones.
    ///
    /// # Panics
    /// When they are no object.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "reads better with json! in the call")]
    pub fn token_with(&self, claims: Value) -> String {
        let now = seconds();
        let mut all = json!({ "iss": self.name(), "aud": "poke", "iat": now, "exp": now + 3600 });
        let claims = claims.as_object().expect("claims are an object");
        claims.iter().for_each(|(name, claim)| all[name] = claim.clone());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.alias })), part(&all));
        let signature = self.key.sign(message.as_bytes()).expect("the key signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The time in seconds since the UNIX epoch.
///
/// # Panics
/// When the clock is set to before it.
#[must_use]
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a sensible clock").as_secs()
}

/// A request that carries a token or a key.
///
/// # Panics
/// When that isn't ASCII.
pub fn bearing<T>(bearer: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value: MetadataValue<_> = format!("Bearer {bearer}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}
