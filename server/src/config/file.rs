//! The file: TOML, read to the end whatever is wrong with it.

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    mistake::{Place, hint},
    read::Reading,
    setting::Setting,
    table::{domain_settings, file_settings, issuer_settings, key_setting, removal, settings},
};
use crate::{
    auth::{IssuerSettings, Publishers},
    domain,
    interest::{Interest, Recipients},
};

/// The name of the section for every domain that has none of its own.
pub(super) const OTHERS: &str = "*";

/// A configuration file.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    /// What messages call it.
    pub(super) name: &'a str,
    /// What it says.
    pub(super) text: &'a str,
}

type Key<'a> = Spanned<DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> File<'a> {
    /// The place of byte `offset`.
    fn place(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().iter().take(offset);
        Place::Line { file: self.name.into(), line: 1 + before.filter(|b| **b == b'\n').count() }
    }

    /// Reads every setting but the domains', whose defaults other sources may change. Answers the domains' section.
    pub(super) fn read(&self, reading: &mut Reading) -> Option<Value<'a>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            reading.mistakes.add(self.place(offset), format!("not TOML: {}", error.message()));
        }
        let mut table = table.into_inner();
        let domains = table.remove("domains");
        let names = ["keys", "issuers"].map(|section| table.remove_entry(section));
        let settings =
            file_settings().into_iter().filter_map(|setting| Some((table.remove_entry(setting.key)?, setting)));
        let settings: Vec<_> = settings.collect();
        self.read_section(&table, "", reading);
        self.read_names(names, reading);
        for ((name, value), setting) in settings {
            let place = self.place(name.span().start);
            if let Err(message) = setting.set_toml(&mut reading.config, value.get_ref()) {
                reading.mistakes.add(place.clone(), message);
            }
            let strangers = reading.config.auth.admins.iter().filter_map(|admin| reading.config.auth.stranger(admin));
            strangers.for_each(|stranger| reading.mistakes.add(place.clone(), format!("admins: {stranger}")));
        }
        domains
    }

    fn read_section(&self, section: &DeTable<'_>, prefix: &str, reading: &mut Reading) {
        for (name, value) in section {
            let key = format!("{prefix}{}", name.get_ref());
            let section = format!("{key}.");
            let place = self.place(name.span().start);
            if reading.settings.iter().any(|setting| setting.key == key) {
                reading.set(&key, place, |setting, config| setting.set_toml(config, value.get_ref()));
            } else if let Some(message) = removal(&key) {
                reading.mistakes.add(place, message);
            } else if !reading.settings.iter().any(|setting| setting.key.starts_with(&section)) {
                let misplaced = if prefix.is_empty() { None } else { misplaced(name.get_ref()) };
                let hint = misplaced.unwrap_or_else(|| hint(&key, reading.settings.iter().map(|setting| setting.key)));
                reading.mistakes.add(place, format!("there is no setting {key}.{hint}"));
            } else if let DeValue::Table(table) = value.get_ref() {
                self.read_section(table, &section, reading);
            } else {
                reading.mistakes.add(place, format!("{key} must be a section, written [{key}]"));
            }
        }
    }

    /// Reads what only the file can say: who can prove what.
    fn read_names(&self, [keys, issuers]: [Option<(Key<'a>, Value<'a>)>; 2], reading: &mut Reading) {
        for (name, value) in self.named_section(keys, reading) {
            let mut hashes = Vec::new();
            if let Err(message) = key_setting().set_toml(&mut hashes, value.get_ref()) {
                let hint = misplaced(name.get_ref()).map(|hint| format!(".{hint}")).unwrap_or_default();
                reading.mistakes.add(self.place(name.span().start), message + &hint);
            }
            let others = &reading.config.auth.keys;
            if hashes.iter().any(|hash| others.values().flatten().any(|other| other == hash)) {
                let message = format!("keys.{}: another name has the same key", name.get_ref().escape_debug());
                reading.mistakes.add(self.place(name.span().start), message);
            }
            reading.config.auth.keys.insert(name.get_ref().to_string(), hashes);
        }
        for (name, value) in self.named_section(issuers, reading) {
            let issuer = self.read_issuer(&name, &value, reading);
            if reading.config.auth.issuers.values().any(|other| other.issuer == issuer.issuer) {
                let message =
                    format!("[issuers.{}]: another section has the same issuer", name.get_ref().escape_debug());
                reading.mistakes.add(self.place(name.span().start), message);
            }
            reading.config.auth.issuers.insert(name.get_ref().to_string(), issuer);
        }
    }

    /// The entries of a section whose names the user chooses, which are made like those of domains.
    fn named_section(&self, section: Option<(Key<'a>, Value<'a>)>, reading: &mut Reading) -> Vec<(Key<'a>, Value<'a>)> {
        let Some((name, value)) = section else { return Vec::new() };
        let section: &str = name.get_ref();
        let DeValue::Table(entries) = value.into_inner() else {
            reading
                .mistakes
                .add(self.place(name.span().start), format!("{section} must be a section, written [{section}]"));
            return Vec::new();
        };
        for (name, _) in &entries {
            if Interest::new(Recipients::Everyone, name.get_ref(), "any").is_err() {
                let message = format!("[{section}]: a name must be 1 to 64 characters of A-Z a-z 0-9 _ . -");
                reading.mistakes.add(self.place(name.span().start), message);
            }
        }
        entries.into_iter().collect()
    }

    fn read_issuer(&self, name: &Key<'_>, section: &Value<'_>, reading: &mut Reading) -> IssuerSettings {
        let mut issuer = IssuerSettings::default();
        let place = self.place(name.span().start);
        let DeValue::Table(table) = section.get_ref() else {
            reading.mistakes.add(place, format!("write the issuer as a section: [issuers.{}]", name.get_ref()));
            return issuer;
        };
        let settings = issuer_settings();
        for (key, value) in table {
            if let Err(message) = set("an issuer", &settings, &mut issuer, key.get_ref(), value.get_ref()) {
                reading.mistakes.add(self.place(key.span().start), message);
            }
        }
        if let Err(message) = issuer.check(&reading.config.auth.jwks) {
            reading.mistakes.add(place, format!("[issuers.{}]: {message}", name.get_ref().escape_debug()));
        }
        issuer
    }

    /// Reads the domains' section.
    pub(super) fn read_domains(&self, domains: &Value<'_>, reading: &mut Reading) {
        let DeValue::Table(table) = domains.get_ref() else {
            let place = self.place(domains.span().start);
            return reading.mistakes.add(place, "domains must be sections, written [domains.NAME]");
        };
        let settings = domain_settings();
        for (name, value) in table {
            let domain = self.read_domain(name, value, &settings, reading);
            let name: &str = name.get_ref();
            if name == OTHERS {
                reading.config.domains.others = Some(domain);
            } else {
                reading.config.domains.named.insert(name.into(), domain);
            }
        }
    }

    fn read_domain(
        &self,
        name: &Key<'_>,
        section: &Value<'_>,
        settings: &[Setting<domain::Settings>],
        reading: &mut Reading,
    ) -> domain::Settings {
        let mut domain = reading.config.each_domain.clone();
        let place = self.place(name.span().start);
        if name.get_ref() != OTHERS
            && let Err(error) = Interest::new(Recipients::Everyone, name.get_ref(), "any")
        {
            reading.mistakes.add(place.clone(), format!("[domains.{}]: {error}", name.get_ref().escape_debug()));
        }
        let DeValue::Table(table) = section.get_ref() else {
            reading.mistakes.add(place, format!("write the domain as a section: [domains.{}]", name.get_ref()));
            return domain;
        };
        for (key, value) in table {
            let place = self.place(key.span().start);
            if let Err(message) = set("a domain", settings, &mut domain, key.get_ref(), value.get_ref()) {
                reading.mistakes.add(place, message);
            } else if key.get_ref() == "publishers"
                && let Publishers::Listed(list) = &domain.access.publishers
            {
                let strangers = list.iter().filter_map(|publisher| reading.config.auth.stranger(&publisher.who));
                strangers.for_each(|stranger| reading.mistakes.add(place.clone(), format!("publishers: {stranger}")));
            } else if key.get_ref() == "retain_bytes" && domain.retention.bytes > reading.config.registry.budget {
                reading.mistakes.add(place, "retain_bytes must not be over retention.budget");
            }
        }
        domain
    }
}

/// Sets what the user calls `key` of `whose`.
fn set<C>(whose: &str, settings: &[Setting<C>], config: &mut C, key: &str, value: &DeValue<'_>) -> Result<(), String> {
    match settings.iter().find(|setting| setting.key == key) {
        Some(setting) => setting.set_toml(config, value),
        None => {
            let hint = misplaced(key).unwrap_or_else(|| hint(key, settings.iter().map(|setting| setting.key)));
            Err(format!("{whose} has no setting {key}.{hint}"))
        }
    }
}

/// Returns a hint, with a space in front, if `key` is a setting or section of the whole file: behind a `[table]`, which holds
/// every key up to the next one, it is in the wrong place.
fn misplaced(key: &str) -> Option<String> {
    let is_section = |name: &str| name.split_once('.').is_some_and(|(section, _)| section == key);
    let keys = settings().into_iter().chain(file_settings()).map(|setting| setting.key);
    let mut names = keys.chain(["domains", "keys", "issuers"]);
    let belongs_above = names.any(|name| name == key || is_section(name));
    belongs_above.then(|| " It is for the whole server: it stands above the first [table]".into())
}
