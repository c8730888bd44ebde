//! The command line: what to do, and with which configuration.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use poke_proto::text;

use super::{
    Config, Mistakes, Place, Source,
    read::{Sources, VARIABLE_PREFIX, read},
    setting::{Setting, flag},
    table::{removed_settings, settings},
};

/// What the process was started for.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// What to do.
    pub task: Task,
    /// With which configuration.
    pub config: Config,
    /// Whether there is no configuration file.
    pub dev: bool,
    /// What the configuration was read from, if there is a file.
    pub source: Option<Source>,
    /// Where to write the addresses once the server is ready.
    pub ready_file: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Serve.
    Serve,
    /// Say whether the configuration is valid.
    CheckConfig,
    /// Print the configuration that holds.
    PrintConfig,
    /// Make an API key of this name.
    NewKey(String),
}

/// Why a command line can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum Usage {
    /// It asks for help or the version, or isn't understood. The message repeats the words of the user, who may have given a
    /// key in the wrong place.
    #[error("{}", text::masked(&.0.to_string()))]
    CommandLine(#[from] clap::Error),
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] Mistakes),
}

impl Invocation {
    /// Reads arguments, program name first, and environment variables; and the file that they name.
    ///
    /// # Errors
    /// With every mistake in the configuration, or the first in the command line.
    pub fn read(
        arguments: impl IntoIterator<Item = std::ffi::OsString>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Usage> {
        let matches = command().try_get_matches_from(arguments)?;
        if let Some(name) = new_key(&matches) {
            // It needs no configuration, which may not even be valid yet.
            let task = Task::NewKey(name);
            return Ok(Self { task, config: Config::default(), dev: false, source: None, ready_file: None });
        }
        let config_variable = format!("{VARIABLE_PREFIX}CONFIG");
        let (chosen, variables): (Vec<_>, Vec<_>) =
            variables.into_iter().partition(|(name, _)| *name == config_variable);
        let path = match matches.get_one::<PathBuf>("config") {
            _ if matches.get_flag("dev") => None,
            Some(path) => Some(path.clone()),
            None => chosen.into_iter().next().map(|(name, path)| named_file(name, &path)).transpose()?,
        };
        let flags = flags(&matches);
        let source = path.map(|path| Source { path, variables: variables.clone(), flags: flags.clone() });
        let config = match &source {
            Some(source) => source.read()?,
            None => read(Sources { file: None, variables: &variables, flags: &flags })?,
        };
        let task = match (matches.get_flag("check-config"), matches.get_flag("print-config")) {
            (true, _) => Task::CheckConfig,
            (_, true) => Task::PrintConfig,
            _ => Task::Serve,
        };
        let ready_file = matches.get_one("ready-file").cloned();
        Ok(Self { task, config, dev: source.is_none(), source, ready_file })
    }
}

/// The file that a variable names. An empty one is a mistake, and not development mode.
fn named_file(variable: String, path: &str) -> Result<PathBuf, Mistakes> {
    let path = text::without_mark(path);
    if !path.is_empty() {
        return Ok(path.into());
    }
    let mut mistakes = Mistakes::default();
    mistakes.add(Place::Variable(variable), "must be the path of a file");
    Err(mistakes)
}

/// The name of the API key that is to be made.
fn new_key(matches: &ArgMatches) -> Option<String> {
    matches.subcommand_matches("key")?.subcommand_matches("new")?.get_one("name").cloned()
}

/// A name that stands in the file as it is, without quotes.
fn key_name(name: &str) -> Result<String, &'static str> {
    let is_bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare && (1..=64).contains(&name.len()) { Ok(name.into()) } else { Err("1 to 64 letters, digits, _ or -") }
}

/// The flags that set something, with their values.
fn flags(matches: &ArgMatches) -> Vec<(String, String)> {
    let given = |flag: String| Some((flag.clone(), matches.get_one::<String>(&flag)?.clone()));
    let removed = removed_settings().map(flag);
    settings().iter().map(Setting::flag).chain(removed).filter_map(given).collect()
}

const SIGNALS: &str = "SIGTERM or Ctrl-C drains the server: it asks clients to move, closes the streams that are left, and \
                       exits with 0. A second SIGTERM or Ctrl-C stops it at once, with exit code 1. SIGHUP reloads domains, keys, \
                       rights and the certificate.";

fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .conflicts_with("dev")
        .help(format!("Configuration file (TOML) [env: {VARIABLE_PREFIX}CONFIG]"));
    let dev = Arg::new("dev")
        .long("dev")
        .action(ArgAction::SetTrue)
        .help("Development mode: every domain open to everyone, on this machine only. The default without a file");
    let check = Arg::new("check-config")
        .long("check-config")
        .action(ArgAction::SetTrue)
        .conflicts_with("print-config")
        .help("Report every mistake in the configuration and exit, with 0 if there is none, else with 2");
    let print = Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Print the effective configuration with comments, and exit");
    let ready = Arg::new("ready-file")
        .long("ready-file")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Write the server's addresses to this file, one per line, once it is ready");
    let name = Arg::new("name")
        .value_name("NAME")
        .value_parser(key_name)
        .default_value("NAME")
        .help("Name of the key's holder in the configuration: letters, digits, _ and -");
    let new = Command::new("new").about("Make a key: print it, only this once, and the line for [keys]").arg(name);
    let key = Command::new("key").about("API keys of back ends").subcommand_required(true).subcommand(new);
    Command::new("poke-server")
        .subcommand(key)
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .version(env!("CARGO_PKG_VERSION"))
        .about("The Multicast Poke server: delivers small signals to every subscriber of an interest")
        .after_help(format!("Every setting but admins, keys, issuers and domains is also a flag and an environment variable: see --help.\n{SIGNALS}"))
        .after_long_help(SIGNALS)
        .args([config, dev, check, print, ready])
        .args(setting_flags())
}

/// A flag for each setting. Values are read with those of the other sources, so that all mistakes are told together.
fn setting_flags() -> Vec<Arg> {
    let defaults = Config::default();
    let arg = |setting: &Setting<Config>| {
        let (section, _) = setting.key.split_once('.').unwrap_or(("other", ""));
        // What nearly every command line sets has a short name as well.
        let short = match setting.key {
            "listen.addresses" => Some("listen"),
            "admin.listen" => Some("admin"),
            _ => None,
        };
        Arg::new(setting.flag())
            .long(setting.flag())
            .visible_aliases(short)
            .value_name("VALUE")
            .allow_hyphen_values(true)
            .hide_short_help(true)
            .help_heading(format!("Settings: {section}"))
            .help(format!("{} [{}] [default: {}]", setting.help, setting.variable(), setting.show(&defaults)))
    };
    // Read only so that the message names what replaces it.
    let removed = removed_settings().map(|key| Arg::new(flag(key)).long(flag(key)).hide(true));
    settings().iter().map(arg).chain(removed).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn invoke(arguments: &[&str]) -> Result<Invocation, Usage> {
        let arguments = ["poke-server"].iter().chain(arguments).map(std::ffi::OsString::from);
        Invocation::read(arguments, [])
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn without_anything_it_serves_in_dev_mode() {
        let invocation = invoke(&[]).unwrap();
        assert_eq!((invocation.task, invocation.dev, invocation.config), (Task::Serve, true, Config::dev()));
    }

    #[test]
    fn a_key_is_made_without_any_configuration() {
        let task = |arguments: &[&str]| invoke(arguments).unwrap().task;
        assert_eq!(task(&["key", "new", "playlist-service"]), Task::NewKey("playlist-service".into()));
        assert_eq!(task(&["key", "new"]), Task::NewKey("NAME".into()));
        assert!(invoke(&["key", "new", "a b"]).is_err() && invoke(&["key", "new", "a.b"]).is_err());
        assert!(invoke(&["key"]).is_err() && invoke(&["--dev", "key", "new"]).is_err());
    }

    #[test]
    fn all_wrong_flags_are_reported_together() {
        let Err(Usage::Config(mistakes)) = invoke(&["--stream.max-age=x", "--limits.connections", "-1"]) else {
            panic!("two mistakes were not found");
        };
        assert_eq!(
            mistakes.to_string(),
            "--limits.connections: limits.connections must be a whole number from 1 to 10000000\n\
             --stream.max-age: stream.max_age must be a duration from 1s to 30d"
        );
    }

    #[test]
    fn a_variable_that_names_no_file_is_a_mistake() {
        let variables = [("POKE_SERVER_CONFIG".to_owned(), String::new())];
        let refused = Invocation::read(["poke-server".into()], variables.clone()).unwrap_err().to_string();
        assert_eq!(refused, "POKE_SERVER_CONFIG: must be the path of a file");
        let dev = ["poke-server", "--dev"].map(std::ffi::OsString::from);
        assert!(Invocation::read(dev, variables).is_ok_and(|invocation| invocation.dev));
    }

    #[test]
    fn a_missing_file_is_a_mistake() {
        let Err(Usage::Config(mistakes)) = invoke(&["--config", "/nowhere/poke.toml", "--check-config"]) else {
            panic!("a file was made up");
        };
        assert!(mistakes.to_string().starts_with("/nowhere/poke.toml: can't be read: "));
    }
}
