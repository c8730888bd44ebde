//! The file: TOML, read to the end whatever is wrong with it.

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    mistake::{Place, hint},
    read::Reading,
    setting::Setting,
    table::domain_settings,
};
use crate::{
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
        self.read_section(&table, "", reading);
        domains
    }

    fn read_section(&self, section: &DeTable<'_>, prefix: &str, reading: &mut Reading) {
        for (name, value) in section {
            let key = format!("{prefix}{}", name.get_ref());
            let section = format!("{key}.");
            let place = self.place(name.span().start);
            if reading.settings.iter().any(|setting| setting.key == key) {
                reading.set(&key, place, |setting, config| setting.set_toml(config, value.get_ref()));
            } else if !reading.settings.iter().any(|setting| setting.key.starts_with(&section)) {
                let hint = hint(&key, reading.settings.iter().map(|setting| setting.key));
                reading.mistakes.add(place, format!("there is no setting {key}.{hint}"));
            } else if let DeValue::Table(table) = value.get_ref() {
                self.read_section(table, &section, reading);
            } else {
                reading.mistakes.add(place, format!("{key} must be a section, written [{key}]"));
            }
        }
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
        let mut domain = reading.config.each_domain;
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
            let result = match settings.iter().find(|setting| setting.key == key.get_ref()) {
                Some(setting) => setting.set_toml(&mut domain, value.get_ref()),
                None => {
                    let hint = hint(key.get_ref(), settings.iter().map(|setting| setting.key));
                    Err(format!("a domain has no setting {}.{hint}", key.get_ref()))
                }
            };
            if let Err(message) = result {
                reading.mistakes.add(place, message);
            } else if key.get_ref() == "retain_bytes" && domain.retention.bytes > reading.config.registry.budget {
                reading.mistakes.add(place, "retain_bytes must not be over retention.budget");
            }
        }
        domain
    }
}
