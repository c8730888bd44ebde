//! One setting: its key, its kind, where its value lives, and why its default is what it is.

use poke_proto::text;
use toml::de::DeValue;

use super::kind::{Kind, Wrong};

/// A setting of `C`.
pub(super) struct Setting<C> {
    /// Its name in the file, with its sections. The names of its variable and its flag follow from it.
    pub(super) key: &'static str,
    /// What it does, and the reason of its default.
    pub(super) help: &'static str,
    field: Box<dyn Field<C>>,
}

/// Describes a setting. `place` finds its value.
pub(super) fn setting<C: Clone + 'static, T: 'static>(
    key: &'static str,
    kind: impl Kind<T> + 'static,
    place: fn(&mut C) -> &mut T,
    help: &'static str,
) -> Setting<C> {
    Setting { key, help, field: Box::new(Placed { kind, place }) }
}

impl<C> Setting<C> {
    /// `POKE_SERVER_STREAM_MAX_AGE` for `stream.max_age`.
    pub(super) fn variable(&self) -> String {
        variable(self.key)
    }

    /// `stream.max-age` for `stream.max_age`.
    pub(super) fn flag(&self) -> String {
        flag(self.key)
    }

    /// What a value looks like.
    pub(super) fn form(&self) -> String {
        self.field.form()
    }

    /// Its value in `config`, as TOML.
    pub(super) fn show(&self, config: &C) -> String {
        self.field.show(config)
    }

    /// Sets it from the environment or a flag. The error is the message for the user.
    pub(super) fn set(&self, config: &mut C, text: &str) -> Result<(), String> {
        self.check(self.field.set(config, text::without_mark(text)))
    }

    /// Sets it from the file. The error is the message for the user.
    pub(super) fn set_toml(&self, config: &mut C, value: &DeValue<'_>) -> Result<(), String> {
        self.check(self.field.set_toml(config, value))
    }

    fn check(&self, set: Result<(), String>) -> Result<(), String> {
        set.map_err(|hint| {
            let stop = if hint.is_empty() { "" } else { "." };
            format!("{} must be {}{stop}{hint}", self.key, self.form())
        })
    }
}

/// Returns the name of a setting's environment variable.
pub(super) fn variable(key: &str) -> String {
    format!("{}{}", super::read::VARIABLE_PREFIX, key.replace('.', "_").to_ascii_uppercase())
}

/// Returns the name of a setting's flag, without the dashes before it.
pub(super) fn flag(key: &str) -> String {
    key.replace('_', "-")
}

/// A setting's kind and place, with the type of its value forgotten.
trait Field<C> {
    fn form(&self) -> String;
    fn show(&self, config: &C) -> String;
    /// The error is a hint, or empty.
    fn set(&self, config: &mut C, text: &str) -> Result<(), String>;
    fn set_toml(&self, config: &mut C, value: &DeValue<'_>) -> Result<(), String>;
}

struct Placed<C, T, K> {
    kind: K,
    place: fn(&mut C) -> &mut T,
}

impl<C: Clone, T, K: Kind<T>> Field<C> for Placed<C, T, K> {
    fn form(&self) -> String {
        self.kind.form()
    }

    /// Clones, since one place serves for reading and for writing. Only help and `--print-config` show values.
    fn show(&self, config: &C) -> String {
        self.kind.write((self.place)(&mut config.clone()))
    }

    fn set(&self, config: &mut C, text: &str) -> Result<(), String> {
        *(self.place)(config) = self.kind.read(text).map_err(|Wrong| self.kind.hint(text))?;
        Ok(())
    }

    fn set_toml(&self, config: &mut C, value: &DeValue<'_>) -> Result<(), String> {
        *(self.place)(config) = self.kind.read_toml(value).map_err(|Wrong| self.kind.hint_toml(value))?;
        Ok(())
    }
}
