//! `poke completions`: what makes the Tab key know the commands.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{Cli, Context, Failure};

const AFTER_HELP: &str = "\
Examples:
  poke completions bash > ~/.local/share/bash-completion/completions/poke
  poke completions zsh > \"${fpath[1]}/_poke\"
  poke completions fish > ~/.config/fish/completions/poke.fish
";

/// Prints a script that completes `poke` in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Whose script
    shell: Shell,
}

// By value, as every command takes what it is given.
#[allow(clippy::needless_pass_by_value, reason = "every command has the same form")]
pub(crate) fn run(args: Args, context: &mut Context) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "poke", &mut script);
    Ok(context.output.raw(&script)?)
}
