//! `--print-config`: a configuration as a file with comments, which reads back to the same.

use std::fmt::{self, Write};

use super::{
    Config,
    file::OTHERS,
    kind::quoted,
    setting::Setting,
    table::{domain_settings, file_settings, issuer_settings, key_setting, settings},
};

/// The width of comments.
const WIDTH: usize = 100;

impl Config {
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
