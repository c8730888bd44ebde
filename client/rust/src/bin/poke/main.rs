//! The `poke` command: listen to pokes, send them, and look at a server, from a terminal or a script.

mod bench;
mod completions;
mod duration;
mod end;
mod failure;
mod input;
mod output;
mod pipe;
mod profile;
mod publish;
mod server;
mod status;
mod subscribe;
mod text;
mod token;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};
use poke_proto::text::masked;

use crate::{
    failure::{Exit, Failure},
    output::{ColorChoice, Format, Output},
    profile::{Connection, Environment},
    server::Server,
};

const AFTER_HELP: &str = "\
Profiles, in ~/.config/poke/config.toml ($XDG_CONFIG_HOME is honoured):
  default = \"dev\"

  [profiles.dev]
  url = \"http://127.0.0.1:8080\"

  [profiles.prod]
  url = \"https://poke.example.com\"
  token_file = \"prod.token\"
  ca = \"company.pem\"      # without it the system's authorities are trusted

With --json a position is an object: {\"epoch\":\"9b389a4657e96fdf\",\"sequence\":\"7\"}. The sequence is
text, as in protobuf's JSON, since not every reader of JSON can hold 64 bits.

Exit codes:
  0    done
  1    something unexpected
  2    wrong usage: arguments, data or profile; nothing was sent
  3    refused by the server
  4    the server can't be reached, or isn't serving
  5    the time was up first (--timeout, also with --wait)
  6    the interest has ended
  130  interrupted

Examples:
  poke subscribe PLAYLIST playlist-id
  poke publish PLAYLIST playlist-id Updated
  poke status --json
";

/// End of the short help.
const BRIEF: &str = "\
Examples, with poke-server running:
  poke subscribe PLAYLIST playlist-id
  poke publish PLAYLIST playlist-id Updated
  poke status

`poke COMMAND --help` explains a command, `poke --help` profiles, exit codes and all common options.
";

/// Publishes pokes, subscribes to them, and shows the state of a Multicast Poke server
#[derive(Debug, Parser)]
#[command(name = "poke", version, after_help = BRIEF, after_long_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
struct Shared {
    #[command(flatten)]
    connection: Connection,
    /// Retry while the server can't be reached, instead of failing at once
    #[arg(long, global = true, help_heading = "Connection")]
    wait: bool,
    /// Output format: text, or JSON with one object per line
    #[arg(long, short, global = true, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    output: Format,
    /// The same as --output json
    #[arg(long, global = true, conflicts_with = "output", help_heading = "Output")]
    json: bool,
    /// When to use colours; NO_COLOR turns them off
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    color: ColorChoice,
    /// Print no notes on standard error, only errors
    #[arg(long, short, global = true, help_heading = "Output")]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Subscribe(subscribe::Args),
    Publish(publish::Args),
    End(end::Args),
    Status(status::Args),
    Token(token::Args),
    Bench(bench::Args),
    Completions(completions::Args),
}

/// What a command works with.
struct Context {
    connection: Connection,
    wait: bool,
    format: Format,
    output: Output,
}

impl Context {
    /// The server that the flags, the environment and the profile file name.
    fn server(&self) -> Result<Server, Failure> {
        let target = profile::resolve(&self.connection, &Environment::read())?;
        let note = target.note.clone();
        // A URL that is wrong is refused before anything is said about it.
        let server = Server::new(target, self.wait)?;
        if let Some(note) = &note {
            self.output.warning(note);
        }
        Ok(server)
    }

    fn json(&self) -> bool {
        self.format == Format::Json
    }
}

async fn run(command: Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Subscribe(args) => subscribe::run(args, context).await,
        Command::Publish(args) => interruptible(publish::run(args, context)).await,
        Command::End(args) => interruptible(end::run(args, context)).await,
        Command::Status(args) => interruptible(status::run(args, context)).await,
        Command::Token(args) => token::run(args, context),
        Command::Bench(args) => bench::run(args, context).await,
        Command::Completions(args) => completions::run(args, context),
    }
}

async fn interruptible(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::select! {
        done = command => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::Silent(Exit::Interrupted)),
    }
}

/// Prints why the command line can't be followed, or a short help if it has no command.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    let said = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => brief_help(),
        // The words of the user may hold a token.
        _ if error.use_stderr() => masked(&error.to_string()).into_owned(),
        _ => error.exit(),
    };
    // Where even this can't be written, the exit code has to do.
    let _ = io::stderr().write_all(said.as_bytes());
    Failure::Silent(Exit::Usage).code()
}

/// Returns a help that fits on one screen.
fn brief_help() -> String {
    let command = Cli::command();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let commands = command.get_subcommands();
    let commands = commands.map(|command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        format!("  {:12} {about}\n", command.get_name())
    });
    format!("{about}\n\nUsage: poke COMMAND\n\n{}\n{BRIEF}", commands.collect::<String>())
}

fn main() -> ExitCode {
    let Cli { shared, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let Shared { connection, wait, output: format, json, color, quiet } = shared;
    let format = if json { Format::Json } else { format };
    let mut context = Context { connection, wait, format, output: Output::new(color, quiet) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            context.output.error(&format!("can't start: {error}"));
            return Failure::Silent(Exit::Unexpected).code();
        }
    };
    let done = runtime.block_on(run(command, &mut context));
    // A thread that reads a terminal can't be interrupted, and must not hold the process back.
    runtime.shutdown_background();
    let done = done.and(context.output.flush().map_err(Failure::from));
    let Err(failure) = done else { return ExitCode::SUCCESS };
    if let Some(message) = failure.message() {
        context.output.error(message);
    }
    failure.code()
}

#[cfg(test)]
#[path = "main_tests.rs"]
mod tests;
