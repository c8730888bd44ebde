//! What the command prints. Results go to standard output, everything about how they come to be to standard error.
#![allow(clippy::print_stderr, reason = "printing is what a command does, and this is its one place for it")]

use std::{
    env,
    io::{self, BufWriter, IsTerminal as _, Stdout, Write as _},
};

use clap::builder::styling::{AnsiColor, Style};

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Even into a pipe.
    Always,
    /// Not at all.
    Never,
}

impl ColorChoice {
    /// Decides for one stream. NO_COLOR counts when it is set and not empty (no-color.org).
    fn colored(self, terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && !no_color,
        }
    }
}

/// What a piece of text means; the palette knows how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Of little interest.
    Dim,
    /// All is well.
    Good,
    /// Somebody should know.
    Warning,
    /// It went wrong.
    Bad,
    /// A name.
    Name,
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    colored: bool,
}

impl Palette {
    /// Without colours.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { colored: false };

    /// `text` as `paint` looks.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colored {
            return text.to_owned();
        }
        let style = match paint {
            Paint::Dim => Style::new().dimmed(),
            Paint::Good => AnsiColor::Green.on_default(),
            Paint::Warning => AnsiColor::Yellow.on_default(),
            Paint::Bad => AnsiColor::Red.on_default().bold(),
            Paint::Name => AnsiColor::Cyan.on_default(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// Standard output and standard error.
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    palette: Palette,
    notes: Palette,
    quiet: bool,
}

impl Output {
    /// Looks at the terminal and at NO_COLOR. `quiet` drops notes.
    pub(crate) fn new(color: ColorChoice, quiet: bool) -> Self {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        let palette = |terminal| Palette { colored: color.colored(terminal, no_color) };
        Self {
            out: BufWriter::new(io::stdout()),
            palette: palette(io::stdout().is_terminal()),
            notes: palette(io::stderr().is_terminal()),
            quiet,
        }
    }

    /// The colours of standard output.
    pub(crate) fn palette(&self) -> Palette {
        self.palette
    }

    /// Returns true if a person sees standard output.
    pub(crate) fn is_on_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether the user wants no notes.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Adds a line to standard output. It may wait in a buffer until `flush`.
    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Adds a value as one line of JSON, with what could drive a terminal escaped.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(&crate::text::escape(&line))
    }

    /// Adds bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Lets the reader see what was added.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Tells a person, on standard error, how things go. Not with `--quiet`.
    pub(crate) fn note(&self, note: &str) {
        if !self.quiet {
            self.say(&self.notes.paint(Paint::Dim, note));
        }
    }

    /// Tells a person, on standard error, that something isn't as they may think. Not with `--quiet`.
    pub(crate) fn warning(&self, warning: &str) {
        if !self.quiet {
            self.say(&format!("{} {warning}", self.notes.paint(Paint::Warning, "note:")));
        }
    }

    /// A line that says what failed. Also with `--quiet`.
    pub(crate) fn error(&self, error: &str) {
        self.say(&format!("{} {error}", self.notes.paint(Paint::Bad, "poke:")));
    }

    fn say(&self, line: &str) {
        // Standard error may be closed; there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_and_no_color_is_honoured() {
        assert!(ColorChoice::Auto.colored(true, false));
        assert!(!ColorChoice::Auto.colored(true, true));
        assert!(!ColorChoice::Auto.colored(false, false));
        assert!(ColorChoice::Always.colored(false, true));
        assert!(!ColorChoice::Never.colored(true, false));
    }

    #[test]
    fn paint_ends_its_colour() {
        let painted = Palette { colored: true }.paint(Paint::Bad, "gap");
        assert!(painted.starts_with("\u{1b}[") && painted.ends_with("\u{1b}[0m"), "{painted:?}");
        assert_eq!(Palette::PLAIN.paint(Paint::Bad, "gap"), "gap");
    }
}
