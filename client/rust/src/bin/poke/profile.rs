//! Which server, and with which token: flags, environment and a file of named profiles.
//!
//! What is on the command line wins over the environment, and that over the file. A profile named by `--profile` is on
//! the command line, so its url wins over POKE_URL. A profile's token and certificates go to that profile's url and to
//! no other.

mod certificates;

use std::{
    collections::BTreeMap,
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

use clap::builder::NonEmptyStringValueParser;
use poke_proto::text;
use serde::Deserialize;

pub(crate) use self::certificates::Certificates;
use self::certificates::Files;

use crate::failure::Failure;

/// Where `poke-server` listens when nobody says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// What the command line says about the server.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The server: http://HOST:PORT, https://HOST or unix:///PATH [env: POKE_URL] [default: http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    url: Option<String>,
    /// Name of a profile in the profile file [env: POKE_PROFILE]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    profile: Option<String>,
    /// API key or JWT. Other users of this machine can see it: prefer the environment or a file [env: POKE_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,
    /// File that contains the token
    #[arg(long, global = true, value_name = "PATH")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    files: Files,
}

/// What the environment says about the server.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    url: Option<String>,
    profile: Option<String>,
    token: Option<String>,
    files: Files,
    home: Option<PathBuf>,
    config_home: Option<PathBuf>,
}

/// The answer: where to connect, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The server's url.
    pub(crate) url: String,
    /// What to send as `authorization: Bearer`.
    pub(crate) token: Option<String>,
    /// The file that it was read from, and is read from again when the server wants another one.
    pub(crate) token_file: Option<PathBuf>,
    /// Whom to trust, and what to present.
    pub(crate) certificates: Certificates,
    /// Something that the user may not expect.
    pub(crate) note: Option<String>,
}

/// The profile file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The profile that is used when none is named.
    default: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    url: Option<String>,
    token: Option<String>,
    token_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    cert_key: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment. An empty variable counts as unset.
    pub(crate) fn read() -> Self {
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            url: text("POKE_URL"),
            profile: text("POKE_PROFILE"),
            token: text("POKE_TOKEN"),
            files: Files { ca: path("POKE_CA"), cert: path("POKE_CERT"), cert_key: path("POKE_CERT_KEY") },
            home: env::home_dir(),
            // XDG Base Directory Specification: a relative path is to be ignored.
            config_home: path("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| path("APPDATA")),
        }
    }

    fn profile_file(&self) -> Option<PathBuf> {
        let config = self.config_home.clone().or_else(|| self.home.as_ref().map(|home| home.join(".config")))?;
        Some(config.join("poke").join("config.toml"))
    }
}

/// Finds the server and the token.
pub(crate) fn resolve(flags: &Connection, environment: &Environment) -> Result<Target, Failure> {
    resolve_with(flags, environment, &read_text)
}

/// Reads a file of text.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let text = |bytes: Vec<u8>| text::decode(&bytes).map(str::to_owned);
    text(fs::read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A path or a name as messages show it: somebody may have put a token there.
pub(crate) fn shown(named: impl fmt::Display) -> String {
    text::masked(&named.to_string()).into_owned()
}

type Read<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

fn resolve_with(flags: &Connection, env: &Environment, read: Read<'_>) -> Result<Target, Failure> {
    let (profile, unread) = chosen(flags, env, read)?;
    // Only a profile that was named on the command line goes before the environment.
    let explicit = flags.profile.is_some();
    let meant = profile.as_ref().and_then(|chosen| chosen.profile.url.as_deref());
    let url =
        [flags.url.as_deref(), meant.filter(|_| explicit), env.url.as_deref(), meant].into_iter().flatten().next();
    let url = url.unwrap_or(DEFAULT_URL);

    let elsewhere = meant.is_some_and(|meant| meant != url);
    let of_profile = || match &profile {
        Some(chosen) if !elsewhere => chosen.token(env, read),
        _ => Ok(None),
    };
    let of_environment = || -> Result<_, Failure> {
        let token = env.token.as_deref().map(|token| checked_token(token, "POKE_TOKEN")).transpose()?;
        Ok(token.map(|token| (token, None)))
    };
    let token = match (&flags.token, &flags.token_file) {
        (Some(token), _) => Some((checked_token(token, "--token")?, None)),
        (None, Some(path)) => Some((token_file(path, read)?, Some(path.clone()))),
        (None, None) if explicit => of_profile()?.map_or_else(of_environment, |token| Ok(Some(token)))?,
        (None, None) => of_environment()?.map_or_else(of_profile, |token| Ok(Some(token)))?,
    };
    let (token, token_file) = token.unzip();
    // What is in the background of a command is for TLS alone; what is on the command line has to make sense.
    let background = match &profile {
        _ if !url.starts_with("https://") => Files::default(),
        Some(chosen) if !elsewhere && explicit => chosen.files(env).or(env.files.clone()),
        Some(chosen) if !elsewhere => env.files.clone().or(chosen.files(env)),
        _ => env.files.clone(),
    };
    let certificates = flags.files.clone().or(background).read(read)?;
    let withheld = elsewhere && token.is_none() && profile.as_ref().is_some_and(Chosen::has_token);
    let note = withheld.then(|| format!("the profile's token is not for {url}: it isn't sent. --token sends one"));
    let note = unread.or(note);
    Ok(Target { url: url.to_owned(), token, token_file: token_file.flatten(), certificates, note })
}

/// The profile in use, if there is one. A file that can't be read matters only to who needs it; for others it is a note.
fn chosen(flags: &Connection, env: &Environment, read: Read<'_>) -> Result<(Option<Chosen>, Option<String>), Failure> {
    match Chosen::find(flags, env, read) {
        Ok(profile) => Ok((profile, None)),
        Err(failure) if flags.profile.is_some() || env.profile.is_some() => Err(failure),
        Err(failure) if flags.url.is_none() && env.url.is_none() => {
            Err(failure.hint("mend it, or name the server by --url"))
        }
        Err(failure) => Ok((None, failure.message().map(|why| format!("no profile is used: {why}")))),
    }
}

/// The profile in use, and where its file stands.
struct Chosen {
    name: String,
    profile: Profile,
    folder: PathBuf,
}

impl Chosen {
    fn find(flags: &Connection, env: &Environment, read: Read<'_>) -> Result<Option<Self>, Failure> {
        let asked = flags.profile.as_ref().or(env.profile.as_ref());
        let Some(path) = env.profile_file() else {
            return match asked {
                Some(name) => Err(Failure::usage(format_args!("no profile {}: there is no home folder", shown(name)))),
                None => Ok(None),
            };
        };
        let mut file = match read(&path) {
            Ok(text) => toml::from_str::<File>(&text).map_err(|error| bad_file(&path, &text, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match asked {
                    Some(name) => {
                        Err(Failure::usage(format_args!("no profile {}: {} isn't there", shown(name), path.display())))
                    }
                    None => Ok(None),
                };
            }
            Err(error) => return Err(Failure::usage(format_args!("can't read {}: {error}", path.display()))),
        };
        let Some(name) = asked.cloned().or(file.default.take()) else { return Ok(None) };
        let Some(profile) = file.profiles.remove(&name) else {
            let known: Vec<_> = file.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::usage(format_args!(
                "no profile {} in {}; it has {}",
                shown(name),
                path.display(),
                shown(known)
            )));
        };
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Some(Self { name, profile, folder }))
    }

    fn has_token(&self) -> bool {
        self.profile.token.is_some() || self.profile.token_file.is_some()
    }

    /// The token, and the file that holds it.
    fn token(&self, env: &Environment, read: Read<'_>) -> Result<Option<(String, Option<PathBuf>)>, Failure> {
        match (&self.profile.token, &self.profile.token_file) {
            (Some(_), Some(_)) => Err(Failure::usage(format_args!(
                "profile {} has a token and a token_file; keep one",
                shown(&self.name)
            ))),
            (Some(token), None) => {
                let token = checked_token(token, &format!("profile {}", shown(&self.name)))?;
                Ok(Some((token, None)))
            }
            (None, Some(path)) => {
                let path = self.anchored(path, env);
                Ok(Some((token_file(&path, read)?, Some(path))))
            }
            (None, None) => Ok(None),
        }
    }

    fn files(&self, env: &Environment) -> Files {
        let Profile { ca, cert, cert_key, .. } = self.profile.clone();
        Files { ca, cert, cert_key }.map(|path| self.anchored(path, env))
    }

    /// A path of the file: `~/` is home, and a relative one starts where the file stands.
    fn anchored(&self, path: &Path, env: &Environment) -> PathBuf {
        match (path.strip_prefix("~"), &env.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.folder.join(path),
        }
    }
}

fn bad_file(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    // The error's own Display quotes the line, and that may hold a token.
    let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
    // Nor does a type error keep to the types: of the value only what is expected in its place is told.
    let message = match error.message().rsplit_once(", expected ") {
        Some((wrong, expected)) if wrong.starts_with("invalid ") => format!("a wrong value, expected {expected}"),
        _ => shown(error.message()),
    };
    Failure::usage(format_args!("{}:{line}: {message}", path.display()))
}

fn token_file(path: &Path, read: Read<'_>) -> Result<String, Failure> {
    let text = read(path).map_err(|error| {
        Failure::usage(format_args!("can't read the token from {}: {error}", shown(path.display())))
    })?;
    checked_token(&text, &shown(path.display()))
}

/// A token must fit in a header. It is never repeated in an error.
fn checked_token(token: &str, whence: &str) -> Result<String, Failure> {
    let token = text::without_mark(token).trim();
    if token.is_empty() {
        return Err(Failure::usage(format_args!("the token from {whence} is empty")));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage(format_args!("the token from {whence} has spaces or characters that no token has")));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
