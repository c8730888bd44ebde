#![allow(clippy::unwrap_used, reason = "tests")]

mod rights;
mod tokens;

use std::{path::PathBuf, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;

/// An issuer of a test, with a key of its own.
struct Idp {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Idp {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { pair, random }
    }

    fn public(&self, kid: &str) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": x, "y": y})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signature = self.pair.sign(&self.random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with these claims over those of a good one; a claim of null goes.
    fn token(&self, change: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": "ec", "typ": "JWT"}), &claims(change))
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn claims(change: &Value) -> Value {
    let mut claims = json!({"iss": "https://issuer.example", "aud": "poke", "sub": "ann", "exp": now() + 600});
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A file with these keys.
fn key_file(keys: &Value) -> PathBuf {
    let path = std::env::temp_dir().join(format!("poke-jwks-{:016x}.json", rand::random::<u64>()));
    std::fs::write(&path, json!({"keys": keys}).to_string()).unwrap();
    path
}

fn issuer(file: PathBuf) -> IssuerSettings {
    IssuerSettings {
        issuer: "https://issuer.example".into(),
        audience: vec!["poke".into()],
        jwks_file: Some(file),
        leeway: std::time::Duration::ZERO,
        ..IssuerSettings::default()
    }
}

/// A running [`Auth`].
struct Running {
    auth: Arc<Auth>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn run(settings: &Settings, domains: &[(&str, Access)]) -> Running {
    let domains = domains.iter().map(|(name, access)| (*name, access));
    let auth = Arc::new(Auth::new(settings, domains, None));
    let task = tokio::spawn(Arc::clone(&auth).run(Arc::new(Metrics::new())));
    Running { auth, task }
}

impl Running {
    async fn caller(&self, bearer: &str) -> Result<Caller, Kind> {
        self.auth.caller(&headers(&[&format!("Bearer {bearer}")]), None).await.map_err(|error| error.kind())
    }
}

fn headers(authorization: &[&str]) -> HeaderMap {
    let values = authorization.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
    values.collect()
}
