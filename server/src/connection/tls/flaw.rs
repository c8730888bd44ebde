//! What is wrong with the files of TLS.

use std::fmt;

use poke_proto::text;

/// One thing that is wrong, and the setting that it is to be blamed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The setting's key, for example `tls.key`.
    pub setting: &'static str,
    /// What is wrong, with the file's path.
    pub message: String,
}

/// Everything that is wrong: at least one flaw. Shown on one line, with what may be a secret in a path masked.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Flaws(pub Vec<Flaw>);

impl Flaws {
    pub(super) fn add(&mut self, setting: &'static str, message: impl Into<String>) {
        self.0.push(Flaw { setting, message: message.into() });
    }

    pub(super) fn one(setting: &'static str, message: String) -> Self {
        Self(vec![Flaw { setting, message }])
    }

    /// The value, or what is wrong with it added to the rest.
    pub(super) fn join<T>(&mut self, result: Result<T, Self>) -> Option<T> {
        result.map_err(|flaws| self.0.extend(flaws.0)).ok()
    }

    /// The value, or a note of what is wrong with it.
    pub(super) fn note<T>(&mut self, setting: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(setting, message)).ok()
    }
}

impl fmt::Display for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Flaw { setting, message }) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{setting}: {}", text::masked(message))?;
        }
        Ok(())
    }
}
