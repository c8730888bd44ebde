//! Why a command fails: one line for a person, and an exit code for a script.

use std::{fmt, io, process::ExitCode};

use crate::text;

/// The exit codes. `--help` documents them; scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something that no other code covers.
    Unexpected = 1,
    /// The command line, the data, or a profile is wrong. Nothing was sent.
    Usage = 2,
    /// The server said no.
    Refused = 3,
    /// There is no server, or it isn't serving.
    Unreachable = 4,
    /// The time was up first.
    Timeout = 5,
    /// The interest has ended.
    Ended = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Ends the command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Says `message` and exits with `exit`.
    Said { exit: Exit, message: String },
    /// Exits with `exit`; what there is to say has been said.
    Silent(Exit),
    /// Whoever read the output has gone: `poke subscribe … | head -1`. That is how pipes end, and no error.
    PipeClosed,
}

impl Failure {
    /// A failure with one line that names what to do. What comes from outside in it is escaped here.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self::Said { exit, message: text::escape(&message.to_string()).into_owned() }
    }

    /// The caller's mistake.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Names the place in the input before the message.
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        match self {
            Self::Said { exit, message } => Self::Said { exit, message: format!("{place}: {message}") },
            other => other,
        }
    }

    /// Adds what the user can do.
    pub(crate) fn hint(self, hint: impl fmt::Display) -> Self {
        match self {
            Self::Said { exit, message } => Self::Said { exit, message: format!("{message}; {hint}") },
            other => other,
        }
    }

    /// Whether the server may have done what was asked and couldn't say so.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self, Self::Said { exit: Exit::Unreachable | Exit::Timeout, .. })
    }

    /// The line to print, if there is one.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Said { message, .. } => Some(message),
            Self::Silent(_) | Self::PipeClosed => None,
        }
    }

    /// The process's exit code.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Said { exit, .. } | Self::Silent(exit) => ExitCode::from(*exit as u8),
            Self::PipeClosed => ExitCode::SUCCESS,
        }
    }
}

/// Only writing to standard output fails with a bare `io::Error`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::PipeClosed;
        }
        Self::new(Exit::Unexpected, format_args!("can't write the output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        let failure = Failure::usage("server says \u{1b}[2J\nhello");
        assert_eq!(failure.message(), Some(r"server says \u001b[2J\nhello"));
    }

    #[test]
    fn a_closed_pipe_is_silent_success() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure, Failure::PipeClosed);
        assert_eq!(failure.message(), None);
        assert_eq!(failure.code(), ExitCode::SUCCESS);
    }
}
