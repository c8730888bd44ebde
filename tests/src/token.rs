//! Tokens, as an issuer makes them.

use std::{fs, path::PathBuf, process::Command, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use tonic::{Request, metadata::MetadataValue};

use crate::{Config, binary, server::new_folder, tools::run_well};

/// An issuer of tokens. Its public key lies in a file until it is dropped.
#[derive(Debug)]
pub struct Issuer {
    alias: String,
    /// The key's.
    id: String,
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
        Self::with_key(alias, alias)
    }

    /// The same issuer with another key, in another file.
    #[must_use]
    pub fn rotated(&self, id: &str) -> Self {
        Self::with_key(&self.alias, id)
    }

    fn with_key(alias: &str, id: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key of Ed25519");
        let issuer = Self { alias: alias.into(), id: id.into(), key, folder: new_folder() };
        fs::write(issuer.file(), issuer.key_set()).expect("a file can be written");
        issuer
    }

    /// Where its public key is.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("jwks.json")
    }

    /// Its public key as a JWK set.
    #[must_use]
    pub fn key_set(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.der_bytes());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": x });
        json!({ "keys": [jwk] }).to_string()
    }

    /// The configuration with this issuer, whose tokens name customers by their subject, or not.
    ///
    /// # Panics
    /// When the path isn't text.
    #[must_use]
    pub fn known(&self, config: Config, customers: bool) -> Config {
        let section = format!("issuers.{}", self.alias);
        let file = self.file();
        config
            .text(&format!("{section}.issuer"), &self.name())
            .text(&format!("{section}.audience"), "poke")
            .text(&format!("{section}.jwks_file"), file.to_str().expect("a path of text"))
            .text(&format!("{section}.algorithms"), "EdDSA")
            .text(&format!("{section}.leeway"), "0s")
            .set(&format!("{section}.customers"), customers)
    }

    /// The claim `iss` of its tokens.
    #[must_use]
    pub fn name(&self) -> String {
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
        let message = format!("{}.{}", part(&json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.id })), part(&all));
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

/// An API key, made by `poke-server key new`: what its holder sends, and what the configuration holds, in quotes.
///
/// # Panics
/// When it prints something else.
pub async fn api_key() -> (String, String) {
    let mut command = Command::new(binary("poke-server"));
    command.args(["key", "new", "back-end"]);
    let printed = run_well(command).await;
    let mut lines = printed.lines();
    let (Some(key), Some(line)) = (lines.next(), lines.next()) else { panic!("two lines, not {printed}") };
    let hash = line.strip_prefix("back-end = ").unwrap_or_else(|| panic!("a line for [keys], not {line}"));
    (key.into(), hash.into())
}
