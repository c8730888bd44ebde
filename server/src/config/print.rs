//! `--print-config`: a configuration as a file with comments, which reads back to the same.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{
    Config,
    file::OTHERS,
    kind::quoted,
    setting::Setting,
    table::{domain_settings, file_settings, issuer_settings, key_setting, settings},
};

/// One bound, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// The setting's name in the file.
    pub name: &'static str,
    /// What it is set to, as it is written there, without quotes.
    pub value: String,
    /// What it does, and why its default is what it is.
    pub reason: &'static str,
}

/// The sections with bounds in them. The others say where and who.
const BOUNDS: [&str; 5] = ["limits.", "rates.", "retention.", "stream.", "drain."];

/// The width of comments.
const WIDTH: usize = 100;

impl Config {
    /// Everything that bounds what clients may do.
    #[must_use]
    pub fn bounds(&self) -> Vec<Bound> {
        let settings = settings().into_iter();
        let bounds = settings.filter(|setting| BOUNDS.iter().any(|section| setting.key.starts_with(section)));
        let shown = |setting: Setting<Self>| {
            let value = setting.show(self).trim_matches('"').to_owned();
            Bound { name: setting.key, value, reason: setting.help }
        };
        bounds.map(shown).collect()
    }

    /// The configuration as TOML with comments. Reads back to the same.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut file = String::new();
        write_config(&mut file, self).expect("a String takes every write");
        file
    }
}

fn write_config(file: &mut String, config: &Config) -> fmt::Result {
    let settings = settings();
    // TOML takes keys without a section only before the first section.
    for setting in settings.iter().filter(|setting| !setting.key.contains('.')) {
        write_setting(file, setting.key, setting, config)?;
    }
    for setting in file_settings() {
        write_setting(file, setting.key, &setting, config)?;
    }
    let mut current = "";
    for setting in &settings {
        let Some((section, name)) = setting.key.split_once('.') else { continue };
        if section != current {
            writeln!(file, "[{section}]")?;
            current = section;
        }
        write_setting(file, name, setting, config)?;
    }
    if !config.auth.keys.is_empty() {
        writeln!(file, "[keys]")?;
    }
    for (name, hashes) in &config.auth.keys {
        write_setting(file, &quoted(name), &key_setting(), hashes)?;
    }
    for (name, issuer) in &config.auth.issuers {
        writeln!(file, "[issuers.{}]", quoted(name))?;
        for setting in issuer_settings() {
            write_setting(file, setting.key, &setting, issuer)?;
        }
    }
    let others = config.domains.others.iter().map(|domain| (OTHERS, domain));
    let named = config.domains.named.iter().map(|(name, domain)| (name.as_str(), domain));
    for (name, domain) in named.chain(others) {
        writeln!(file, "[domains.{}]", quoted(name))?;
        for setting in domain_settings() {
            write_setting(file, setting.key, &setting, domain)?;
        }
    }
    Ok(())
}

fn write_setting<C>(file: &mut String, name: &str, setting: &Setting<C>, config: &C) -> fmt::Result {
    for text in [setting.help.to_owned(), format!("Must be {}.", setting.form())] {
        let mut width = 1;
        file.push('#');
        for word in text.split(' ') {
            if width + word.len() >= WIDTH {
                file.push_str("\n#");
                width = 1;
            }
            write!(file, " {word}")?;
            width += 1 + word.len();
        }
        file.push('\n');
    }
    writeln!(file, "{name} = {}\n", setting.show(config))
}
