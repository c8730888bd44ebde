//! What a configuration is read from, again and again while the server runs.

use std::{fs, path::PathBuf};

use poke_proto::text;
use sha2::{Digest as _, Sha256};

use super::{
    Config, Domains, Mistakes, Place,
    file::{File, OTHERS},
    read::{Sources, read},
    table::{domain_settings, settings},
};
use crate::{changes::Fingerprint, domain};

/// A configuration file, and what was given over it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub(super) path: PathBuf,
    pub(super) variables: Vec<(String, String)>,
    pub(super) flags: Vec<(String, String)>,
}

impl Source {
    /// Reads the configuration, with all the files that it names. Blocks.
    ///
    /// # Errors
    /// With every mistake in it.
    pub fn read(&self) -> Result<Config, Mistakes> {
        let name = self.path.display().to_string();
        let unreadable = |error: &dyn std::fmt::Display| {
            let mut mistakes = Mistakes::default();
            mistakes.add(Place::File(name.clone()), format!("can't be read: {error}"));
            mistakes
        };
        let bytes = fs::read(&self.path).map_err(|error| unreadable(&error))?;
        let text = text::decode(&bytes).map_err(|error| unreadable(&error))?;
        let file = Some(File { name: &name, text });
        read(Sources { file, variables: &self.variables, flags: &self.flags })
    }

    /// Equal for equal contents of the file. Blocks.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        match fs::read(&self.path) {
            Ok(bytes) => hash.update(bytes),
            Err(error) => hash.update(error.to_string()),
        }
        hash.finalize().into()
    }
}

impl Config {
    /// Takes from `new` what can be replaced while the server runs. What can't stays as it is, so that the next
    /// comparison is with what runs, and not with what a file has said meanwhile.
    pub(crate) fn take(&mut self, new: Self) {
        let Domains { mut named, mut others } = std::mem::replace(&mut self.domains, new.domains);
        let keep = |domain: &mut domain::Settings, old: Option<domain::Settings>| {
            if let Some(old) = old {
                *domain = domain::Settings { access: std::mem::take(&mut domain.access), ..old };
            }
        };
        self.domains.named.iter_mut().for_each(|(name, domain)| keep(domain, named.remove(name)));
        self.domains.others.iter_mut().for_each(|domain| keep(domain, others.take()));
        self.auth = new.auth;
    }

    /// What differs in `new` and is read at the start alone. The rest can be replaced while the server runs.
    #[must_use]
    pub fn needs_restart(&self, new: &Self) -> Vec<String> {
        let settings = settings();
        let differ = settings.iter().filter(|setting| setting.show(self) != setting.show(new));
        // How keys are fetched goes with their issuers.
        let mut waiting: Vec<_> =
            differ.map(|setting| setting.key.to_owned()).filter(|key| !key.starts_with("jwks.")).collect();
        let named = new.domains.named().map(|(name, new)| (name, self.domains.named.get(name), new));
        let others = new.domains.others.as_ref().map(|new| (OTHERS, self.domains.others.as_ref(), new));
        for (name, old, domain) in named.chain(others) {
            let Some(old) = old else { continue };
            let differ = domain_settings().into_iter().filter(|setting| setting.show(old) != setting.show(domain));
            let differ = differ.filter(|setting| !["publishers", "subscribers"].contains(&setting.key));
            waiting.extend(differ.map(|setting| format!("domains.{name}.{}", setting.key)));
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_has_to_wait_for_a_restart_is_told() {
        let read =
            |text: &str| read(Sources { file: Some(File { name: "poke.toml", text }), ..Sources::default() }).unwrap();
        let old = read("[stream]\nmax_age = '1h'\n[domains.A]\n[domains.'*']\n");
        let new = "[stream]\nmax_age = '2h'\n[domains.A]\naudience = 'customer'\nsubscribers = 'open'\n[domains.B]\n\
                   retain_pokes = 1\n[domains.'*']\nretain_pokes = 1\n[jwks]\nrefresh = '1m'\n";
        assert_eq!(old.needs_restart(&read(new)), ["stream.max_age", "domains.A.audience", "domains.*.retain_pokes"]);
        assert!(old.needs_restart(&old).is_empty());
    }

    #[test]
    fn what_waits_is_told_until_the_file_says_again_what_runs() {
        let read =
            |text: &str| read(Sources { file: Some(File { name: "poke.toml", text }), ..Sources::default() }).unwrap();
        let first = "[domains.A]\nretain_pokes = 1\n[domains.'*']\nburst = '1s'\n";
        let (mut running, start) = (read(first), read(first));
        let waiting = ["domains.A.retain_pokes", "domains.*.burst"];
        for changed in [
            "[domains.A]\nretain_pokes = 2\n[domains.'*']\nburst = '2s'\n",
            // Another change, by which the first isn't forgotten.
            "[domains.A]\nretain_pokes = 2\nsubscribers = 'open'\n[domains.'*']\nburst = '2s'\n[domains.B]\n",
        ] {
            assert_eq!(running.needs_restart(&read(changed)), waiting);
            running.take(read(changed));
        }
        assert!(running.domains.named.contains_key("B"), "what can be replaced is");
        assert!(running.needs_restart(&read(first)).is_empty(), "it is back at what runs");
        running.take(read(first));
        assert_eq!(running.domains, start.domains);
    }
}
