//! `poke token`: tokens for development, and the key pair that signs them.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use clap::builder::NonEmptyStringValueParser;
use poke_proto::text;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Map, Value, json};
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};

use crate::{Context, duration, failure::Failure, profile::shown};

const AFTER_HELP: &str = "\
The first call makes the key pair: PATH holds the private key, and PATH.jwks.json the public one, for the server:

  [issuers.dev]
  issuer = \"poke-dev\"
  audience = [\"poke\"]
  jwks_file = \"poke-dev.key.jwks.json\"

Examples:
  poke token alice
  poke token alice --expires 5m --grant PLAYLIST/playlist-id --grant-prefix TEAM/team-7/
  poke subscribe PLAYLIST playlist-id --token \"$(poke token alice)\"
";

/// Make a token for development
///
/// Anyone with the key can make any token, so use it only for servers that nobody depends on. In production, tokens come
/// from the issuer that your users sign in with.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Customer for whom the token is, the claim `sub`
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    subject: String,
    /// Lifetime of the token
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "1h")]
    expires: Duration,
    /// The claim `iss`
    #[arg(long, value_name = "NAME", default_value = "poke-dev", value_parser = NonEmptyStringValueParser::new())]
    issuer: String,
    /// The claim `aud`
    #[arg(long, value_name = "NAME", default_value = "poke", value_parser = NonEmptyStringValueParser::new())]
    audience: String,
    /// Interest that the token grants, for domains with subscribers = "grant"
    #[arg(long, value_name = "DOMAIN/FILTER", value_parser = interest)]
    grant: Vec<(String, String)>,
    /// Prefix of the filters that the token grants
    #[arg(long, value_name = "DOMAIN/PREFIX", value_parser = prefix)]
    grant_prefix: Vec<(String, String)>,
    /// Additional claim with a string value
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, String)>,
    /// File of the private key; it is created if it doesn't exist
    #[arg(long, value_name = "PATH", default_value = "poke-dev.key")]
    key: PathBuf,
}

pub(crate) fn run(args: Args, context: &mut Context) -> Result<(), Failure> {
    let path = shown(args.key.display());
    let jwks = public_path(&args.key);
    let key = match fs::read(&args.key) {
        Ok(pem) if !pem.is_empty() => Key::read(&pem).map_err(|why| Failure::usage(format_args!("{path}: {why}")))?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::usage(format_args!("can't read {path}: {error}")));
        }
        // An empty file is what a process leaves that was killed while it made one.
        missing => {
            let made = if missing.is_ok() { fs::remove_file(&args.key) } else { Ok(()) };
            let made = made.and_then(|()| Key::create(&args.key, &jwks));
            let key = made.map_err(|error| Failure::usage(format_args!("can't make {path}: {error}")))?;
            context.output.note(&format!("made {path} and, for the server, {}", shown(jwks.display())));
            key
        }
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let token = key.sign(&claims(args, now)).map_err(Failure::usage)?;
    let line = if context.json() { json!({ "token": token }).to_string() } else { token };
    Ok(context.output.line(&line)?)
}

/// What the token says.
fn claims(args: Args, now: Duration) -> Value {
    let mut claims: Map<_, _> = args.claim.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let exact = args.grant.iter().map(|(domain, filter)| json!({ "domain": domain, "filters": [filter] }));
    let prefixes = args.grant_prefix.iter().map(|(domain, prefix)| json!({ "domain": domain, "prefix": prefix }));
    let grants: Vec<_> = exact.chain(prefixes).collect();
    if !grants.is_empty() {
        claims.insert("poke".into(), Value::Array(grants));
    }
    claims.insert("iss".into(), args.issuer.into());
    claims.insert("aud".into(), args.audience.into());
    claims.insert("sub".into(), args.subject.into());
    claims.insert("iat".into(), now.as_secs().into());
    claims.insert("exp".into(), (now + args.expires).as_secs().into());
    Value::Object(claims)
}

fn interest(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((domain, filter)) if !domain.is_empty() && !filter.is_empty() => Ok((domain.into(), filter.into())),
        _ => Err("a domain, a slash and a filter: PLAYLIST/playlist-id".into()),
    }
}

/// An empty prefix is that of every filter.
fn prefix(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((domain, prefix)) if !domain.is_empty() => Ok((domain.into(), prefix.into())),
        _ => Err("a domain, a slash and how filters begin: TEAM/team-7/".into()),
    }
}

fn claim(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("a claim is written NAME=VALUE".into()),
    }
}

fn public_path(key: &Path) -> PathBuf {
    let mut path = key.as_os_str().to_owned();
    path.push(".jwks.json");
    path.into()
}

/// A key pair of P-256.
struct Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Key {
    fn read(pem: &[u8]) -> Result<Self, String> {
        let pem = text::private_key(pem).map_err(|error| error.to_string())?;
        let key =
            PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| "it holds no private key in PKCS #8")?;
        Self::of(key.secret_pkcs8_der()).ok_or_else(|| "it isn't a key of P-256".to_owned())
    }

    fn of(pkcs8: &[u8]) -> Option<Self> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random).ok()?;
        Some(Self { pair, random })
    }

    /// Makes a pair and its two files: both, or none.
    fn create(path: &Path, public: &Path) -> io::Result<Self> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| io::Error::other("no randomness"))?;
        let key = Self::of(pkcs8.as_ref()).ok_or_else(|| io::Error::other("no key was made"))?;
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", folded(pkcs8.as_ref()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let set = format!("{:#}\n", json!({ "keys": [key.public()] }));
        let written =
            file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::write(public, set));
        if written.is_err() {
            // A part of a key, or one that no server knows, would only be in the way of the next attempt.
            let _ = fs::remove_file(path);
        }
        written.map(|()| key)
    }

    /// The coordinates, as a JWK has them.
    fn coordinates(&self) -> (String, String) {
        // A byte that says "uncompressed", and two coordinates.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
    }

    /// Its thumbprint (RFC 7638).
    fn id(&self) -> String {
        let (x, y) = self.coordinates();
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
    }

    fn public(&self) -> Value {
        let (x, y) = self.coordinates();
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id(), "x": x, "y": y })
    }

    fn sign(&self, claims: &Value) -> Result<String, &'static str> {
        let header = json!({ "typ": "JWT", "alg": "ES256", "kid": self.id() });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature =
            self.pair.sign(&self.random, message.as_bytes()).map_err(|_| "the system gives no randomness")?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// In lines of 64 characters (RFC 7468).
fn folded(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Result<Args, clap::Error> {
        Cli::try_parse_from(format!("token {line}").split_whitespace()).map(|cli| cli.args)
    }

    #[test]
    fn a_token_says_what_it_was_asked_to() {
        let line = "ann --expires 5m --grant A/x/y --grant-prefix B/ --claim role=a=b --issuer me --audience you";
        let said = claims(args(line).unwrap(), Duration::from_secs(1000));
        let expected = json!({
            "iss": "me", "aud": "you", "sub": "ann", "iat": 1000, "exp": 1300, "role": "a=b",
            "poke": [{"domain": "A", "filters": ["x/y"]}, {"domain": "B", "prefix": ""}],
        });
        assert_eq!(said, expected);
        assert!(claims(args("ann").unwrap(), Duration::ZERO).get("poke").is_none());
        for wrong in [
            "",
            "ann --grant A",
            "ann --grant A/",
            "ann --grant /x",
            "ann --grant-prefix /x",
            "ann --claim role",
            "ann --claim =x",
            "ann --issuer=",
            "ann --expires never",
        ] {
            assert!(args(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_read_again() {
        let folder = std::env::temp_dir().join(format!("poke-token-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.key");
        let made = Key::create(&path, &public_path(&path)).unwrap();
        let read = Key::read(&fs::read(&path).unwrap()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(made.id(), read.id());
        let public = fs::read_to_string(folder.join("a.key.jwks.json")).unwrap();
        assert!(public.contains(&made.id()) && !public.contains("\"d\""), "{public}");
        assert!(Key::create(&path, &public_path(&path)).is_err(), "what is there is never written over");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        assert!(Key::read(b"nonsense").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
