//! Credentials.

use std::{
    env, fs, process,
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use poke_server::{
    auth::{Access, Auth, IssuerSettings, NewKey, Settings},
    error::Error,
    metrics::Metrics,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::{MESSAGE, runtime};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "poke";

/// A server that knows one API key and one issuer.
struct Server {
    auth: Arc<Auth>,
    issuer: Ed25519KeyPair,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let issuer = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = BASE64_URL_SAFE_NO_PAD.encode(issuer.public_key().as_ref());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": x}]});
        let file = env::temp_dir().join(format!("poke-fuzz-{}.json", process::id()));
        fs::write(&file, keys.to_string()).unwrap();
        let known = IssuerSettings {
            issuer: ISSUER.into(),
            audience: vec![AUDIENCE.into()],
            jwks_file: Some(file),
            ..IssuerSettings::default()
        };
        let settings = Settings {
            keys: [("backend".to_owned(), vec![NewKey::random().hash])].into(),
            issuers: [("issuer".to_owned(), known)].into(),
            ..Settings::default()
        };
        let auth = Arc::new(Auth::new(&settings, [], Some(&Access::open())));
        runtime().spawn(Arc::clone(&auth).run(Arc::new(Metrics::new())));
        Server { auth, issuer }
    })
}

/// A token that holds, with this header and these claims over those that it needs.
#[must_use]
pub fn valid_token(header: &Value, claims: &Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let needed = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": now + 3600, "sub": "someone"});
    let part = |mut needed: Value, more: &Value| {
        let more = more.as_object().cloned().unwrap_or_default();
        needed.as_object_mut().unwrap().extend(more);
        BASE64_URL_SAFE_NO_PAD.encode(needed.to_string())
    };
    let signed = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": "k"}), header), part(needed, claims));
    let signature = server().issuer.sign(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Any bytes as the value of `authorization`: whether they name somebody. Who is refused hears so in a few words of ours.
///
/// # Panics
/// When a rule is broken.
pub fn bearer(value: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(value) else { return false };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
    match runtime().block_on(server().auth.caller(&headers, None)) {
        Ok(caller) => !caller.is_anonymous(),
        Err(refused) => {
            assert!(refused.message().len() < MESSAGE);
            // The words are those of the kind of error alone, so nothing of the value is among them.
            assert_eq!(refused.message(), Error::from(refused.kind()).message());
            false
        }
    }
}
