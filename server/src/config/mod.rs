//! The configuration: a TOML file, over it the environment, over that flags.
//!
//! `table` describes each setting once; reading, `--help`, `--print-config` and every message come from there.

mod address;
mod caution;
mod file;
mod invocation;
mod kind;
mod log_level;
mod mistake;
mod origin;
mod principals;
mod print;
mod read;
mod setting;
mod source;
mod table;

use std::{collections::BTreeMap, time::Duration};

pub use self::{
    address::{Address, AddressError},
    invocation::{Invocation, Task, Usage},
    log_level::LogLevel,
    mistake::{Mistake, Mistakes, Place},
    origin::{Origin, OriginError, is_loopback},
    print::Bound,
    source::Source,
};
use crate::{auth, connection::tls, domain, limits::Limits, registry, stream};

/// Everything that can be set. `default()` is what holds without a file, the environment and flags.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// How connections are encrypted.
    pub tls: tls::Settings,
    /// Where operators look.
    pub admin: Admin,
    /// Who can prove what.
    pub auth: auth::Settings,
    /// A stream's life.
    pub stream: stream::Settings,
    /// What is kept of the past over all domains.
    pub registry: registry::Settings,
    /// What holds for a domain that says nothing of its own.
    pub each_domain: domain::Settings,
    /// What clients may take.
    pub limits: Limits,
    /// How the server goes away.
    pub drain: Drain,
    /// Which pages may call from a browser.
    pub cors: Cors,
    /// The page for people.
    pub console: Console,
    /// Whether gRPC reflection is served.
    pub reflection: bool,
    /// What is logged, and how.
    pub log: Log,
    /// Which domains there are.
    pub domains: Domains,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            tls: tls::Settings::default(),
            admin: Admin::default(),
            auth: auth::Settings::default(),
            stream: stream::Settings::default(),
            registry: registry::Settings::default(),
            each_domain: domain::Settings::default(),
            limits: Limits::default(),
            drain: Drain::default(),
            cors: Cors::default(),
            console: Console::default(),
            reflection: true,
            log: Log::default(),
            domains: Domains::default(),
        }
    }
}

impl Config {
    /// Reads a configuration file alone, without environment and flags. Messages call it `name`.
    ///
    /// # Errors
    /// With every mistake in it.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, Mistakes> {
        let text = poke_proto::text::without_mark(text);
        read::read(read::Sources { file: Some(file::File { name, text }), ..Default::default() })
    }

    /// What holds without a file: every domain is open to everyone, and every page on this machine may call. Only
    /// loopback is served then.
    #[must_use]
    pub fn dev() -> Self {
        let mut config = Self::default();
        config.cors.origins = vec![Origin::Loopback];
        config.console.enabled = true;
        // Who measures or plays on their own machine mustn't find a bound of production.
        (config.each_domain.rates.publisher, config.each_domain.rates.domain) = (None, None);
        config.domains.others = Some(config.each_domain.opened());
        config
    }
}

/// What it says, at work.
impl Config {
    /// Its domains.
    #[must_use]
    pub(crate) fn open_domains(&self) -> domain::Domains {
        let domains = domain::Domains::configured(self.domains.named());
        match &self.domains.others {
            Some(others) => domains.with_others(others),
            None => domains,
        }
    }

    /// Bytes of everything that has a budget.
    fn budgets(&self) -> usize {
        let budgets = [self.registry.budget, self.registry.ends_budget, self.limits.request_bytes];
        budgets.into_iter().fold(0, usize::saturating_add)
    }

    /// Who may do what.
    #[must_use]
    pub(crate) fn open_auth(&self) -> auth::Auth {
        let auth = auth::Auth::new(&self.auth, self.domains.access(), self.domains.others_access());
        auth.remembering(self.admin.remembering)
    }
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// The addresses; at least one.
    pub addresses: Vec<Address>,
    /// How long to wait for an address that another process has.
    pub wait: Duration,
}

impl Default for Listen {
    fn default() -> Self {
        Self { addresses: vec![Address::Tcp(([127, 0, 0, 1], 8080).into())], wait: Duration::ZERO }
    }
}

/// Where operators look.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// The plaintext port of `/healthz`, `/readyz`, `/metrics` and `/revoke`.
    pub listen: Option<Address>,
    /// What is remembered of revoked tokens.
    pub remembering: auth::Remembering,
}

impl Default for Admin {
    fn default() -> Self {
        let listen = Some(Address::Tcp(([127, 0, 0, 1], 8081).into()));
        Self { listen, remembering: auth::Remembering::default() }
    }
}

/// How the server goes away.
#[derive(Clone, Debug, PartialEq)]
pub struct Drain {
    /// How long it still accepts connections after readiness went off.
    pub grace: Duration,
    /// Number of streams that are asked to move in a second.
    pub rate: usize,
    /// Longest time over which clients' moves are spread.
    pub window: Duration,
    /// When it exits, whatever hangs.
    pub deadline: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { grace: Duration::ZERO, rate: 1000, window: Duration::from_secs(20), deadline: Duration::from_secs(28) }
    }
}

/// Which pages may call from a browser.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cors {
    /// Their origins.
    pub origins: Vec<Origin>,
}

/// The page for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Console {
    /// Whether it is served.
    pub enabled: bool,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// What is logged at all.
    pub level: LogLevel,
    /// Maximum number of bytes of lines that wait to be written.
    pub buffer: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: LogLevel::default(), buffer: 1 << 20 }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Which domains there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Domains {
    /// By name.
    pub named: BTreeMap<String, domain::Settings>,
    /// What holds for every other name; `None` refuses them with UNKNOWN_DOMAIN. In the file its name is `*`.
    pub others: Option<domain::Settings>,
}

impl Domains {
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &domain::Settings)> {
        self.named.iter().map(|(name, domain)| (name.as_str(), domain))
    }

    pub(crate) fn access(&self) -> impl Iterator<Item = (&str, &auth::Access)> {
        self.named().map(|(name, domain)| (name, &domain.access))
    }

    pub(crate) fn others_access(&self) -> Option<&auth::Access> {
        self.others.as_ref().map(|others| &others.access)
    }
}
