//! The configuration of a server under test.

use std::{collections::BTreeMap, fmt::Display};

/// A server's configuration file, built a key at a time; the last value of a key holds. Everything not set is the server's own default; ports are
/// always free ones on loopback.
#[derive(Clone, Debug)]
pub struct Config {
    /// Values in TOML, by dotted key.
    settings: BTreeMap<String, String>,
    address: String,
    admin: String,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The default limits; every domain is open to everyone.
    #[must_use]
    pub fn new() -> Self {
        Self::without_domains().open("\"*\"")
    }

    /// The default limits, and no domain at all.
    #[must_use]
    pub fn without_domains() -> Self {
        Self { settings: BTreeMap::new(), address: "127.0.0.1:0".into(), admin: "127.0.0.1:0".into() }
    }

    /// Opens a domain to everyone.
    #[must_use]
    pub fn open(self, domain: &str) -> Self {
        let (publishers, subscribers) =
            (format!("domains.{domain}.publishers"), format!("domains.{domain}.subscribers"));
        self.text(&publishers, "anyone").text(&subscribers, "open")
    }

    /// Sets a key, in the dotted form of TOML, to a number, a boolean or a table.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        self.settings.insert(key.into(), value.to_string());
        self
    }

    /// Sets a key to a string; durations are strings such as `"2s"`.
    #[must_use]
    pub fn text(self, key: &str, value: &str) -> Self {
        self.set(key, format_args!("{value:?}"))
    }

    /// Listens on this address in place of a free port, as a server that replaces another one does.
    #[must_use]
    pub fn listen(mut self, address: impl Display) -> Self {
        self.address = address.to_string();
        self
    }

    /// Serves operators on this address in place of a free port.
    #[must_use]
    pub fn admin(mut self, address: impl Display) -> Self {
        self.admin = address.to_string();
        self
    }

    pub(crate) fn addresses(&self) -> [&str; 4] {
        ["--listen.addresses", &self.address, "--admin.listen", &self.admin]
    }

    pub(crate) fn file(&self) -> String {
        self.settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }
}
