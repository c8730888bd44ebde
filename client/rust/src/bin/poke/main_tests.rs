#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Cli, ErrorKind> {
    Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.kind())
}

fn refused(line: &str) -> ErrorKind {
    match parse(line) {
        Ok(cli) => panic!("{line} is taken as {cli:?}"),
        Err(kind) => kind,
    }
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn shared_options_stand_before_or_after_the_command() {
    for line in ["poke --url http://h --wait -q status", "poke status --url http://h --wait -q"] {
        let cli = parse(line).unwrap();
        assert!(cli.shared.wait && cli.shared.quiet, "{line}");
    }
}

#[test]
fn json_is_a_form_of_the_output_in_every_command() {
    for line in [
        "poke --json status",
        "poke status --json",
        "poke subscribe D f --json",
        "poke publish D f Updated --json",
        "poke publish D f Updated --json --data-json",
        "poke publish --lines --json",
        "poke end D f --json",
        "poke token ann --json",
        "poke bench --json",
    ] {
        assert!(parse(line).unwrap().shared.json, "{line}");
    }
    assert_eq!(refused("poke status --json --output text"), ErrorKind::ArgumentConflict);
}

#[test]
fn subscribe_needs_a_domain_and_a_filter() {
    parse("poke subscribe D a b c --json --count 3 --timeout 10s --latest").unwrap();
    parse("poke subscribe D a --after e:42 --positions").unwrap();
    assert_eq!(refused("poke subscribe D"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("poke subscribe D a --latest --after e:42"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("poke subscribe D a --count 0"), ErrorKind::ValueValidation);
    parse("poke subscribe D a --after {\"epoch\":\"e\",\"sequence\":\"42\"}").unwrap();
    assert_eq!(refused("poke subscribe D a --after 42"), ErrorKind::ValueValidation);
    assert_eq!(refused("poke subscribe D a --timeout soon"), ErrorKind::ValueValidation);
}

#[test]
fn publish_takes_data_in_one_way() {
    for line in [
        "poke publish D f",
        "poke publish D f Updated",
        "poke publish D f -5",
        "poke publish D f -",
        "poke publish D f --file x.json --data-json",
        "poke publish D f --string 42 --key k --customer c",
        "poke publish D f --lines --string",
        "poke publish --lines",
        "poke publish --lines --file x.jsonl",
    ] {
        parse(line).unwrap();
    }
    assert_eq!(refused("poke publish D"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("poke publish"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("poke publish D --lines"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("poke publish D f x --file y"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("poke publish D f x --string --data-json"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("poke publish D f x --lines"), ErrorKind::ArgumentConflict);
    assert_eq!(refused("poke publish D f --lines --key k"), ErrorKind::ArgumentConflict);
}

#[test]
fn help_documents_every_exit_code() {
    for code in ["  0 ", "  1 ", "  2 ", "  3 ", "  4 ", "  5 ", "  6 ", "  130 "] {
        assert!(AFTER_HELP.contains(&format!("\n{code}")), "{code}");
    }
}

#[test]
fn without_a_command_the_help_is_short() {
    let help = brief_help();
    assert!(help.lines().count() <= 23 && help.lines().all(|line| line.len() <= 100), "{help}");
    for command in Cli::command().get_subcommands() {
        assert!(help.contains(&format!("\n  {} ", command.get_name())), "{help}");
    }
    assert!(help.contains("poke publish PLAYLIST playlist-id Updated"), "{help}");
}

#[test]
fn what_must_not_be_empty_is_not() {
    for line in [
        "publish D f --key=",
        "publish D f --customer=",
        "end D f --customer=",
        "status --url=",
        "status --profile=",
        "status --token-file=",
        "status --ca=",
        "token ann --audience=",
        "token ann --key=",
        "bench --domain=",
    ] {
        assert!(
            matches!(refused(&format!("poke {line}")), ErrorKind::InvalidValue | ErrorKind::ValueValidation),
            "{line}"
        );
    }
    for words in [["poke", "publish", "", "f"], ["poke", "end", "D", ""]] {
        assert!(Cli::try_parse_from(words).is_err(), "{words:?}");
    }
}

#[test]
fn every_command_shows_examples() {
    for command in Cli::command().get_subcommands() {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.contains("Examples:"), "{}", command.get_name());
        assert!(after.lines().all(|line| line.len() <= 120), "{}", command.get_name());
    }
}
