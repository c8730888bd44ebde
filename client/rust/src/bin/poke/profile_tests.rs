#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const FILE: &str = r#"
default = "dev"

[profiles.dev]
url = "http://dev:1"
token = "dev-token"

[profiles.prod]
url = "https://prod"
token_file = "prod.token"

[profiles.anywhere]
token_file = "~/any.token"
"#;

fn files(path: &Path) -> io::Result<String> {
    match path.to_str().unwrap() {
        "/home/ann/.config/poke/config.toml" => Ok(FILE.to_owned()),
        "/home/ann/.config/poke/prod.token" => Ok("prod-token\n".to_owned()),
        "/home/ann/any.token" => Ok("any-token".to_owned()),
        "/broken/poke/config.toml" => Ok("[profiles.dev]\ntoken = \"secret\"\nurI = 3\n".to_owned()),
        "/spaced" => Ok("two words".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn ann() -> Environment {
    Environment { home: Some("/home/ann".into()), ..Environment::default() }
}

fn flags() -> Connection {
    Connection::default()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn target(flags: &Connection, env: &Environment) -> (String, Option<String>) {
    let target = resolve_with(flags, env, &files).unwrap();
    (target.url, target.token)
}

fn refusal(flags: &Connection, env: &Environment) -> String {
    resolve_with(flags, env, &files).err().unwrap().message().unwrap().to_owned()
}

#[test]
fn without_anything_it_is_the_local_server() {
    assert_eq!(target(&flags(), &Environment::default()), (DEFAULT_URL.to_owned(), None));
    let nobody = Environment { home: Some("/home/bob".into()), ..Environment::default() };
    assert_eq!(target(&flags(), &nobody), (DEFAULT_URL.to_owned(), None));
}

#[test]
fn the_file_names_a_default_profile() {
    assert_eq!(target(&flags(), &ann()), ("http://dev:1".to_owned(), some("dev-token")));
}

#[test]
fn a_profile_is_named_by_variable_and_before_that_by_flag() {
    let env = Environment { profile: some("prod"), ..ann() };
    assert_eq!(target(&flags(), &env), ("https://prod".to_owned(), some("prod-token")));
    let dev = Connection { profile: some("dev"), ..flags() };
    assert_eq!(target(&dev, &env), ("http://dev:1".to_owned(), some("dev-token")));
}

#[test]
fn the_variable_wins_over_the_default_profile_and_the_flag_over_both() {
    let env = Environment { url: some("http://env"), token: some("env-token"), ..ann() };
    assert_eq!(target(&flags(), &env), ("http://env".to_owned(), some("env-token")));
    let flag = Connection { url: some("http://flag"), token: some("flag-token"), ..flags() };
    assert_eq!(target(&flag, &env), ("http://flag".to_owned(), some("flag-token")));
}

#[test]
fn a_profile_on_the_command_line_wins_over_the_environment() {
    let env = Environment { url: some("http://env"), token: some("env-token"), ..ann() };
    let prod = Connection { profile: some("prod"), ..flags() };
    assert_eq!(target(&prod, &env), ("https://prod".to_owned(), some("prod-token")));
}

#[test]
fn a_profiles_token_goes_to_no_other_url() {
    let elsewhere = Connection { url: some("http://elsewhere"), ..flags() };
    let target_elsewhere = resolve_with(&elsewhere, &ann(), &files).unwrap();
    assert_eq!(target_elsewhere.token, None);
    assert!(target_elsewhere.note.unwrap().contains("http://elsewhere"));

    let same = Connection { url: some("http://dev:1"), ..flags() };
    assert_eq!(target(&same, &ann()).1, some("dev-token"));

    let meant = Connection { url: some("http://elsewhere"), token: some("meant"), ..flags() };
    let target_meant = resolve_with(&meant, &ann(), &files).unwrap();
    assert_eq!((target_meant.token, target_meant.note), (some("meant"), None));
}

#[test]
fn a_profile_without_a_url_lends_its_token_to_any() {
    let any = Connection { profile: some("anywhere"), url: some("http://x"), ..flags() };
    assert_eq!(target(&any, &ann()), ("http://x".to_owned(), some("any-token")));
}

#[test]
fn xdg_config_home_is_honoured() {
    let env = Environment { config_home: Some("/home/ann/.config".into()), ..Environment::default() };
    assert_eq!(target(&flags(), &env).0, "http://dev:1");
}

#[test]
fn an_unknown_profile_names_the_known_ones() {
    let flags = Connection { profile: some("staging"), ..flags() };
    let refused = refusal(&flags, &ann());
    assert!(refused.contains("staging") && refused.contains("anywhere, dev, prod"), "{refused}");
    let nobody = Environment { home: Some("/home/bob".into()), ..Environment::default() };
    assert!(refusal(&flags, &nobody).contains("/home/bob/.config/poke/config.toml isn't there"));
}

#[test]
fn a_broken_file_is_named_with_its_line_and_without_its_secrets() {
    let env = Environment { config_home: Some("/broken".into()), ..Environment::default() };
    let refused = refusal(&flags(), &env);
    assert!(refused.starts_with("/broken/poke/config.toml:3: "), "{refused}");
    assert!(refused.contains("urI") && !refused.contains("secret"), "{refused}");
    assert!(refused.contains("--url"), "{refused}");
}

#[test]
fn a_broken_file_matters_only_to_who_uses_it() {
    let broken = || Environment { config_home: Some("/broken".into()), ..Environment::default() };
    let by_flag = (Connection { url: some("http://x"), ..flags() }, broken());
    let by_environment = (flags(), Environment { url: some("http://x"), ..broken() });
    for (flags, env) in [&by_flag, &by_environment] {
        let target = resolve_with(flags, env, &files).unwrap();
        assert_eq!(target.url, "http://x");
        assert!(target.note.is_some_and(|note| note.contains("config.toml:3")));
    }
    let asked = Connection { profile: some("dev"), ..by_flag.0 };
    assert!(refusal(&asked, &broken()).contains("config.toml:3"));
}

#[test]
fn a_token_must_fit_a_header_and_is_not_repeated() {
    let flags = Connection { token_file: Some("/spaced".into()), ..flags() };
    let refused = refusal(&flags, &Environment::default());
    assert!(refused.contains("/spaced") && !refused.contains("two"), "{refused}");
}

/// Files that hold their own names.
fn named(path: &Path) -> io::Result<String> {
    match path.to_str().unwrap() {
        "/home/ann/.config/poke/config.toml" => Ok("default = \"prod\"\n[profiles.prod]\nurl = \"https://prod\"\n\
             ca = \"prod.ca\"\ncert = \"~/prod.cert\"\n[profiles.dev]\nurl = \"http://dev\"\nca = \"dev.ca\"\n"
            .to_owned()),
        path => Ok(path.to_owned()),
    }
}

fn certificates(flags: &Connection, env: &Environment) -> Certificates {
    resolve_with(flags, env, &named).unwrap().certificates
}

fn own(cert: &str, key: &str) -> Option<(String, String)> {
    Some((cert.to_owned(), key.to_owned()))
}

#[test]
fn a_profiles_certificates_stand_beside_its_file_and_go_to_no_other_url() {
    let prod = certificates(&flags(), &ann());
    assert_eq!(prod.authorities, some("/home/ann/.config/poke/prod.ca"));
    // A file that holds both needs to be named only once.
    assert_eq!(prod.own, own("/home/ann/prod.cert", "/home/ann/prod.cert"));
    let elsewhere = Connection { url: some("https://elsewhere"), ..flags() };
    assert!(certificates(&elsewhere, &ann()) == Certificates::default());
}

#[test]
fn certificates_are_taken_from_flags_then_from_the_environment_then_from_the_profile() {
    let files = Files { cert: Some("env.cert".into()), cert_key: Some("env.key".into()), ..Files::default() };
    let env = Environment { files, ..ann() };
    let both = certificates(&flags(), &env);
    assert_eq!((both.authorities, both.own), (some("/home/ann/.config/poke/prod.ca"), own("env.cert", "env.key")));
    // A key never goes with another source's certificate.
    let files = Files { cert: Some("flag.cert".into()), ca: Some("flag.ca".into()), cert_key: None };
    let all = certificates(&Connection { files, ..flags() }, &env);
    assert_eq!((all.authorities, all.own), (some("flag.ca"), own("flag.cert", "flag.cert")));
}

#[test]
fn without_tls_only_what_is_on_the_command_line_counts() {
    let env = Environment { files: Files { ca: Some("env.ca".into()), ..Files::default() }, ..ann() };
    let dev = Connection { profile: some("dev"), ..flags() };
    assert!(certificates(&dev, &env) == Certificates::default());
    let files = Files { ca: Some("flag.ca".into()), ..Files::default() };
    assert_eq!(certificates(&Connection { files, ..dev }, &env).authorities, some("flag.ca"));
}
