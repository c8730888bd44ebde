//! No message holds a part of a key, a token or a hash, wherever it was put and whatever became of it on the way.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use poke_server::config::{Config, Invocation, Usage};
use proptest::{prelude::*, sample::select};
use rcgen::{CertificateParams, KeyPair};

/// So many characters of a secret in a row are a part of it.
const PART: usize = 24;

/// An API key, its hash, a token, or a private key in PEM.
fn secret() -> impl Strategy<Value = String> {
    let random = |bytes: usize| (0..bytes).map(|_| rand::random()).collect::<Vec<u8>>();
    let base64 = move |bytes| URL_SAFE_NO_PAD.encode(random(bytes));
    let made = (0..4).prop_map(move |kind| match kind {
        0 => format!("poke_{}", base64(32)),
        1 => format!("sha256:{}", random(32).iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        2 => format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), base64(60), base64(64)),
        _ => KeyPair::generate().unwrap().serialize_pem(),
    });
    // A smaller one would be no random one.
    made.no_shrink()
}

/// Changes that shells, variables, editors and disks make to a text.
fn mangled(secret: String) -> impl Strategy<Value = (String, Vec<u8>)> {
    let ways: [fn(&str, usize) -> Vec<u8>; 11] = [
        |text, _| text.into(),
        |text, _| text.replace('\n', "").into(),
        |text, _| text.replace('\n', " ").into(),
        |text, _| text.replace('\n', "\\n").into(),
        |text, _| text.replace('\n', "\r\n").into(),
        |text, at| text[..at].into(),
        |text, at| text[at..].into(),
        |text, at| format!("{}*{}", &text[..at], &text[at..]).into(),
        |text, at| format!("{}\n{}", &text[..at], &text[at..]).into(),
        |text, _| format!("\u{feff}{text}").into(),
        |text, _| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ];
    (0..secret.len(), 0..ways.len()).prop_map(move |(at, way)| (secret.clone(), ways[way](&secret, at)))
}

/// Returns true if a message repeats more than a few characters of a secret. The frame of PEM is none.
fn repeats(message: &str, secret: &str) -> bool {
    let lines = secret.lines().filter(|line| !line.starts_with("-----"));
    let mut parts = lines.flat_map(|line| (PART..=line.len()).map(move |end| &line[end - PART..end]));
    parts.any(|part| message.contains(part))
}

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("poke-secrets-{:016x}", rand::random::<u64>()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the server's message about an invocation; empty if it is valid.
fn said(flags: &[String], variables: &[(&str, &str)]) -> String {
    let arguments = ["poke-server".to_owned(), "--check-config".into()];
    let arguments = arguments.iter().chain(flags).map(Into::into);
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    match Invocation::read(arguments, variables) {
        Ok(invocation) => invocation.config.cautions().join("\n"),
        Err(Usage::Config(mistakes)) => mistakes.to_string(),
        Err(usage @ Usage::CommandLine(_)) => usage.to_string(),
    }
}

/// Configuration files in which `@` marks a place where somebody may put a secret.
const PLACES: [&str; 16] = [
    "@",
    "@ = 1\n[domains.A]",
    "[keys]\nk = \"@\"\n[domains.A]",
    "[keys]\nk = '@'\nl = '@'\n[domains.A]",
    "[keys]\nk = \"\"\"@\"\"\"\n[domains.A]",
    "[keys]\n\"@\" = 'name'\n'@' = 'name'\n[domains.A]",
    "[keys.\"@\"]\n[domains.\"@\"]",
    "[issuers.\"@\"]\nissuer = '@'\n[domains.A]",
    "admins = [{ key = '@' }]\n[domains.A]\npublishers = [{ issuer = '@', claims = { a = 'b' } }, { certificate = '@' }]",
    "[domains.A]\npublishers = [{ key = '''@''' }, { key = \"@\" }]",
    "[domains.A]\npublishers = '@'\nsubscribers = \"@\"\n\"@\" = 1",
    "[tls]\nkey = '''@'''\ncertificate = \"@\"\nclient_ca = '@'\n[domains.A]",
    "[issuers.i]\nissuer = 'i'\naudience = 'a'\njwks_file = '''@'''\n[domains.A]",
    "[issuers.i]\nissuer = 'i'\naudience = 'a'\njwks_url = '''@'''\n[domains.A]",
    "listen.addresses = ['@']\nlog.level = '@'\ncors.origins = ['@', 'https://@']\n[domains.A]",
    "[limits]\nmemory = '@'\n@ = 1\n[domains.A]",
];

/// Settings to which they may give it by flag or variable.
const SETTINGS: [&str; 6] =
    ["tls.key", "tls.certificate", "listen.addresses", "log.level", "cors.origins", "limits.connections"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_secret_anywhere_in_a_configuration_is_not_repeated(
        (secret, mangled) in secret().prop_flat_map(mangled),
        place in select(&PLACES[..]),
    ) {
        let text = place.replace('@', &String::from_utf8_lossy(&mangled));
        if let Err(mistakes) = Config::from_toml("poke.toml", &text) {
            prop_assert!(!repeats(&mistakes.to_string(), &secret), "{mistakes}");
        }
        let folder = Folder::new();
        let at = place.find('@').unwrap();
        let place = place.as_bytes();
        let bytes = [&place[..at], &mangled, &place[at + 1..]].concat();
        let message = said(&["--config".into(), folder.write("poke.toml", &bytes)], &[]);
        prop_assert!(!repeats(&message, &secret), "{message}");
    }

    #[test]
    fn nor_is_one_in_a_flag_or_a_variable(
        (secret, mangled) in secret().prop_flat_map(mangled),
        setting in select(&SETTINGS[..]),
    ) {
        let value = String::from_utf8_lossy(&mangled).into_owned();
        let variable = format!("POKE_SERVER_{}", setting.replace('.', "_").to_uppercase());
        for message in [
            said(&[format!("--{setting}={value}")], &[]),
            said(&[], &[(&variable, &value)]),
            said(&[], &[("POKE_SERVER_CONFIG", &value)]),
            said(&["--config".into(), value.clone()], &[]),
        ] {
            prop_assert!(!repeats(&message, &secret), "{message}");
        }
    }

    #[test]
    fn nor_is_one_in_a_file_that_is_named(
        (secret, mangled) in secret().prop_flat_map(mangled),
        as_json in any::<bool>(),
    ) {
        let folder = Folder::new();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        let content = if as_json { [b"{\"keys\": \"", &mangled[..], b"\"}"].concat() } else { mangled };
        let file = folder.write("file", &content);
        let certificate = folder.write("tls.crt", certificate.as_bytes());
        let text = format!(
            "[tls]\ncertificate = '{certificate}'\nkey = '{file}'\nclient_ca = '{file}'\nclient_certificates = 'optional'\n\
             [issuers.i]\nissuer = 'i'\naudience = 'a'\njwks_file = '{file}'\n[domains.A]\n"
        );
        let message = said(&["--config".into(), folder.write("poke.toml", text.as_bytes())], &[]);
        prop_assert!(!message.is_empty() && !repeats(&message, &secret), "{message}");
    }
}
