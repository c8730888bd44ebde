//! Reads all sources, the later over the earlier, and collects every mistake.

use std::collections::HashMap;

use super::{
    Address, Config, Mistakes, Place,
    file::File,
    mistake::hint,
    setting::{Setting, flag, variable},
    table::{removal, removed_settings, settings},
};
use crate::{
    connection::tls::{Flaw, Flaws},
    limits::Bound,
};

/// How the names of environment variables begin.
pub(super) const VARIABLE_PREFIX: &str = "POKE_SERVER_";

/// What was given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sources<'a> {
    /// Without it the server runs in dev mode.
    pub(super) file: Option<File<'a>>,
    /// Names and values of environment variables; those of others are passed over.
    pub(super) variables: &'a [(String, String)],
    /// Names, without dashes in front, and values of flags.
    pub(super) flags: &'a [(String, String)],
}

/// A configuration that is being read.
pub(super) struct Reading {
    pub(super) settings: Vec<Setting<Config>>,
    pub(super) config: Config,
    pub(super) mistakes: Mistakes,
    /// Where each value that isn't a default comes from.
    places: HashMap<&'static str, Place>,
}

/// Reads `sources`.
pub(super) fn read(sources: Sources<'_>) -> Result<Config, Mistakes> {
    let config = if sources.file.is_some() { Config::default() } else { Config::dev() };
    let mut reading = Reading { settings: settings(), config, mistakes: Mistakes::default(), places: HashMap::new() };
    let domains = sources.file.and_then(|file| file.read(&mut reading));
    reading.read_variables(sources.variables);
    reading.read_flags(sources.flags);
    match (sources.file, domains) {
        (Some(file), Some(domains)) => file.read_domains(&domains, &mut reading),
        (Some(file), None) => {
            let nobody = "there are no domains, so nothing could be published. Name them: [domains.NAME]";
            reading.mistakes.add(Place::File(file.name.into()), nobody);
        }
        (None, _) => {
            reading.config.domains.others = Some(reading.config.each_domain.opened());
            reading.check_dev();
        }
    }
    reading.check();
    reading.check_tls();
    reading.mistakes.into_result().map(|()| reading.config)
}

impl Reading {
    /// Sets `key`, which must be one of `settings`, by `set`.
    pub(super) fn set(
        &mut self,
        key: &str,
        place: Place,
        set: impl FnOnce(&Setting<Config>, &mut Config) -> Result<(), String>,
    ) {
        let Some(setting) = self.settings.iter().find(|setting| setting.key == key) else { return };
        match set(setting, &mut self.config) {
            Ok(()) => {
                self.places.insert(setting.key, place);
            }
            Err(message) => self.mistakes.add(place, message),
        }
    }

    fn read_variables(&mut self, variables: &[(String, String)]) {
        let names: HashMap<_, _> = self.settings.iter().map(|setting| (setting.variable(), setting.key)).collect();
        for (name, value) in variables.iter().filter(|(name, _)| is_ours(name)) {
            let place = Place::Variable(name.clone());
            if let Some(key) = names.get(name) {
                self.set(key, place, |setting, config| setting.set(config, value));
            } else if let Some(message) = removed_settings().find(|key| variable(key) == *name).and_then(removal) {
                self.mistakes.add(place, message);
            } else {
                let hint = hint(name, names.keys().map(String::as_str));
                self.mistakes.add(place, format!("there is no such setting.{hint}"));
            }
        }
    }

    fn read_flags(&mut self, flags: &[(String, String)]) {
        let names: HashMap<_, _> = self.settings.iter().map(|setting| (setting.flag(), setting.key)).collect();
        for (name, value) in flags {
            if let Some(key) = names.get(name) {
                self.set(key, Place::Flag(name.clone()), |setting, config| setting.set(config, value));
            } else if let Some(message) = removed_settings().find(|key| flag(key) == *name).and_then(removal) {
                self.mistakes.add(Place::Flag(name.clone()), message);
            }
        }
    }

    /// Without a file every domain is open, so no other machine may reach the server.
    fn check_dev(&mut self) {
        if !self.config.listen.addresses.iter().all(Address::is_local) {
            let message = "without a configuration file every domain is open to everyone, so only loopback and UNIX \
                           sockets are served. To listen elsewhere, name your domains in a file: --config FILE";
            self.mistake(&["listen.addresses"], message);
        }
    }

    /// What no single value shows.
    fn check(&mut self) {
        let Config { drain, limits, registry, each_domain, .. } = self.config.clone();
        self.check_addresses();
        if drain.grace + drain.window > drain.deadline {
            let keys = ["drain.deadline", "drain.window", "drain.grace"];
            self.mistake(&keys, "drain.deadline must be at least drain.grace and drain.window together");
        }
        if let Bound::Bytes(bytes) = limits.memory
            && bytes <= self.config.budgets()
        {
            let message = "limits.memory must be over retention.budget, retention.ends_budget and limits.request_bytes \
                           together, or full budgets would have everything refused";
            let keys = ["limits.memory", "retention.budget", "retention.ends_budget", "limits.request_bytes"];
            self.mistake(&keys, message);
        }
        if each_domain.retention.bytes > registry.budget {
            let message = "retention.bytes must not be over retention.budget";
            self.mistake(&["retention.bytes", "retention.budget"], message);
        }
    }

    /// That each address can be listened on, as far as the others are concerned.
    fn check_addresses(&mut self) {
        let Config { listen, admin, .. } = self.config.clone();
        if listen.addresses.is_empty() {
            self.mistake(&["listen.addresses"], "listen.addresses must name at least one address");
        }
        for (i, address) in listen.addresses.iter().enumerate() {
            if listen.addresses[..i].contains(address) && address.overlaps(address) {
                self.mistake(&["listen.addresses"], &format!("listen.addresses names {address} twice"));
            } else if let Some(other) = listen.addresses[..i].iter().find(|other| other.overlaps(address)) {
                let message = format!("listen.addresses: {other} and {address} take the same connections");
                self.mistake(&["listen.addresses"], &message);
            }
            if let Some(operators) = admin.listen.as_ref().filter(|operators| operators.overlaps(address)) {
                let message =
                    format!("admin.listen ({operators}) must not take the connections of listen.addresses ({address})");
                self.mistake(&["admin.listen", "listen.addresses"], &message);
            }
        }
    }

    /// Reads the files of TLS: what is wrong with them shows before anything is served.
    fn check_tls(&mut self) {
        if let Err(Flaws(flaws)) = self.config.tls.check() {
            for Flaw { setting, message } in flaws {
                self.mistake(&[setting], &message);
            }
        }
    }

    /// A mistake in how `keys` go together. Its place is that of the first of them that was set.
    fn mistake(&mut self, keys: &[&str], message: &str) {
        let place = keys.iter().find_map(|key| self.places.get(key)).cloned().unwrap_or(Place::Default);
        self.mistakes.add(place, message);
    }
}

/// Whether an environment variable is meant for us. Kubernetes sets variables that begin alike in every pod beside a
/// service called `poke-server`: POKE_SERVER_SERVICE_HOST, POKE_SERVER_PORT_8080_TCP_ADDR and so on.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(VARIABLE_PREFIX).is_some_and(|rest| !rest.starts_with("SERVICE_") && !rest.starts_with("PORT"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;
    use crate::domain::Audience;

    fn from_file(text: &str) -> Result<Config, Mistakes> {
        read(Sources { file: Some(File { name: "poke.toml", text }), ..Sources::default() })
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    }

    fn mistakes(result: Result<Config, Mistakes>) -> Vec<String> {
        result.unwrap_err().to_string().lines().map(Into::into).collect()
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_line() {
        let text = r#"
listen.addresses = ["localhost:8080"]
reflexion = true
[stream]
heartbeat_interval = "2h"
max_interest = 5
max_age = 3600
[limits]
connections = "many"
[drain]
deadline = "5s"
[domains."a/b"]
[domains.PLAYLIST]
audience = "nobody"
retain_poke = 1
"#;
        assert_eq!(
            mistakes(from_file(text)),
            [
                "poke.toml:2: listen.addresses must be a list of an IP address and a port (127.0.0.1:8080, \
                 [::]:8080) or unix:/path",
                "poke.toml:3: there is no setting reflexion. Did you mean reflection?",
                "poke.toml:5: stream.heartbeat_interval must be a duration from 1s to 1m",
                "poke.toml:6: there is no setting stream.max_interest. Did you mean stream.max_interests?",
                "poke.toml:7: stream.max_age must be a duration from 1s to 30d",
                "poke.toml:9: limits.connections must be a whole number from 1 to 10000000",
                "poke.toml:11: drain.deadline must be at least drain.grace and drain.window together",
                "poke.toml:12: [domains.a/b]: domain must be 1 to 64 characters of A-Z a-z 0-9 _ . -",
                "poke.toml:14: audience must be \"everyone\" or \"customer\"",
                "poke.toml:15: a domain has no setting retain_poke. Did you mean retain_pokes?",
            ]
        );
    }

    #[test]
    fn a_value_that_can_never_work_is_refused_with_what_does() {
        let of = |text: &str| mistakes(from_file(&format!("{text}\n[domains.A]\n"))).remove(0);
        let origins = of("cors.origins = ['https://app.example.com', 'https://*.example.com']");
        assert!(
            origins.ends_with("or \"*\". * stands for every page, and only by itself: name each host"),
            "{origins}"
        );
        let long = format!("unix:/{}", "x".repeat(120));
        let socket = of(&format!("listen.addresses = '{long}'"));
        assert!(socket.contains(". The path of this UNIX socket has 121 bytes"), "{socket}");
        let flags = pairs(&[("admin.listen", "unix:@poke"), ("cors.origins", "https://a.example/")]);
        let flagged = mistakes(read(Sources { flags: &flags, ..Sources::default() }));
        assert!(flagged[0].ends_with("name a path, such as unix:/run/poke.sock"), "{flagged:?}");
        assert!(flagged[1].ends_with("Browsers send no more than https://a.example"), "{flagged:?}");
        let key = of("tls.key = '-----BEGIN PRIVATE KEY-----'");
        assert!(key.ends_with("This is the content of a file: write it to one, and name that"), "{key}");
    }

    #[test]
    fn a_setting_of_the_whole_file_that_stands_in_a_table_is_told_where_it_belongs() {
        let place = "It is for the whole server: it stands above the first [table]";
        let hash = format!("sha256:{}", "a".repeat(64));
        for (file, line, what) in [
            ("[domains.A]\nadmins = []\n".to_owned(), 2, "a domain has no setting admins"),
            ("[domains.A]\ncors.origins = ['*']\n".to_owned(), 2, "a domain has no setting cors"),
            ("[domains.A]\n[limits]\nreflection = false\n".to_owned(), 3, "there is no setting limits.reflection"),
            (format!("[domains.A]\n[keys]\nk = '{hash}'\nadmins = [{{ key = 'k' }}]\n"), 4, "key must be what"),
        ] {
            let [mistake] = mistakes(from_file(&file)).try_into().unwrap();
            assert!(mistake.starts_with(&format!("poke.toml:{line}: {what}")) && mistake.ends_with(place), "{mistake}");
        }
        assert!(mistakes(from_file("[domains.A]\nlisten = 1\n"))[0].ends_with(place));
    }

    #[test]
    fn a_word_that_is_nearly_right_is_found() {
        let said = "log.level must be a level such as \"info\", or \"info,poke_server::connection=debug\"";
        for wrong in ["debugg", "info,h2=debugg", "deubg,h2=info"] {
            let flags = pairs(&[("log.level", wrong)]);
            let found = mistakes(read(Sources { flags: &flags, ..Sources::default() }));
            assert_eq!(found, [format!("--log.level: {said}. Did you mean debug?")], "{wrong}");
        }
        assert_eq!(mistakes(from_file("log.level = 'loud'\n[domains.A]\n")), [format!("poke.toml:1: {said}")]);
        assert_eq!(
            mistakes(from_file("log.format = 'jsn'\n[domains.A]\n")),
            ["poke.toml:1: log.format must be \"auto\" or \"human\" or \"json\". Did you mean json?"]
        );
    }

    #[test]
    fn broken_toml_does_not_hide_the_rest() {
        let found = mistakes(from_file("[stream]\nmax_age = \n[limits]\nconnections = 0\n[domains.A]\n"));
        assert!(found.iter().any(|m| m.starts_with("poke.toml:2: not TOML: ")), "{found:?}");
        assert!(found.iter().any(|m| m.starts_with("poke.toml:4: limits.connections must be")), "{found:?}");
    }

    #[test]
    fn flags_go_over_the_environment_over_the_file() {
        let text = "[stream]\nmax_age = '1m'\nmax_interests = 1\nreplay_bytes = '1MiB'\n[domains.A]\n";
        let config = read(Sources {
            file: Some(File { name: "poke.toml", text }),
            variables: &pairs(&[("POKE_SERVER_STREAM_MAX_AGE", "2m"), ("POKE_SERVER_STREAM_MAX_INTERESTS", "2")]),
            flags: &pairs(&[("stream.max-age", "3m")]),
        })
        .unwrap();
        assert_eq!(config.stream.max_age, Duration::from_secs(180));
        assert_eq!(config.stream.max_interests, 2);
        assert_eq!(config.stream.replay_bytes, 1 << 20);
    }

    #[test]
    fn a_domain_takes_what_it_does_not_say_from_retention_wherever_that_was_set() {
        let config = read(Sources {
            file: Some(File { name: "poke.toml", text: "[domains.A]\naudience = 'customer'\n[domains.'*']\n" }),
            variables: &pairs(&[("POKE_SERVER_RETENTION_POKES", "7")]),
            flags: &[],
        })
        .unwrap();
        assert_eq!(config.domains.named["A"].audience, Audience::Customer);
        assert_eq!(config.domains.named["A"].retention.pokes, 7);
        assert_eq!(config.domains.others.unwrap().audience, Audience::Everyone);
    }

    #[test]
    fn without_a_file_only_this_machine_is_served() {
        let variables = pairs(&[("POKE_SERVER_LISTEN_ADDRESSES", "127.0.0.1:1,0.0.0.0:8080")]);
        let found = mistakes(read(Sources { variables: &variables, ..Sources::default() }));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("POKE_SERVER_LISTEN_ADDRESSES: without a configuration file"), "{found:?}");
        assert_eq!(read(Sources::default()).unwrap(), Config::dev());
    }

    #[test]
    fn settings_that_do_not_go_together_are_blamed_on_what_was_set() {
        let text = "listen.addresses = ['[::1]:1', '[::1]:1']\nretention.budget = '1MiB'\nretention.bytes = '2MiB'\n\
                    limits.memory = '1MiB'\n[domains.A]\n";
        let found = mistakes(read(Sources {
            file: Some(File { name: "poke.toml", text }),
            variables: &[],
            flags: &pairs(&[("drain.grace", "20s")]),
        }));
        let places: Vec<_> = found.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
        assert_eq!(places, ["poke.toml:1", "poke.toml:3", "poke.toml:4", "--drain.grace"]);
        let free = pairs(&[("listen.addresses", "127.0.0.1:0,127.0.0.1:0")]);
        assert!(read(Sources { flags: &free, ..Sources::default() }).is_ok());
    }

    #[test]
    fn a_setting_that_was_removed_is_named_wherever_it_is_still_set() {
        let message = "limits.requests_per_connection has been removed: limits.streams_per_connection is now the limit \
                       for all requests of a connection. Delete it";
        let found = mistakes(read(Sources {
            file: Some(File { name: "poke.toml", text: "[limits]\nrequests_per_connection = 200\n[domains.A]\n" }),
            variables: &pairs(&[("POKE_SERVER_LIMITS_REQUESTS_PER_CONNECTION", "200")]),
            flags: &pairs(&[("limits.requests-per-connection", "200")]),
        }));
        let places = ["poke.toml:2", "POKE_SERVER_LIMITS_REQUESTS_PER_CONNECTION", "--limits.requests-per-connection"];
        assert_eq!(found, places.map(|place| format!("{place}: {message}")));
    }

    #[test]
    fn a_bound_on_memory_leaves_room_for_the_budgets() {
        let text = "[retention]\nbudget = '300MiB'\n[limits]\nmemory = '396MiB'\n[domains.A]\n";
        let found = mistakes(from_file(text));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("poke.toml:4: limits.memory must be over retention.budget"), "{found:?}");
        let text = text.replace("396MiB", "397MiB");
        assert_eq!(from_file(&text).unwrap().limits.memory, Bound::Bytes(397 << 20));
        for (word, bound) in [("auto", Bound::Auto), ("off", Bound::Off)] {
            let flags = pairs(&[("limits.memory", word)]);
            assert_eq!(read(Sources { flags: &flags, ..Sources::default() }).unwrap().limits.memory, bound);
        }
        assert!(mistakes(from_file("limits.memory = 'of'\n[domains.A]\n"))[0].contains("\"auto\" or \"off\""));
    }

    #[test]
    fn the_files_of_tls_are_read_and_blamed_on_what_named_them() {
        let text = "[tls]\nkey = '/nowhere/key.pem'\nmin_version = '1.1'\n[domains.A]\n";
        let found = mistakes(read(Sources {
            file: Some(File { name: "poke.toml", text }),
            variables: &[],
            flags: &pairs(&[("tls.certificate", "/nowhere/cert.pem")]),
        }));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("poke.toml:2: /nowhere/key.pem can't be read: "), "{found:?}");
        assert_eq!(found[1], "poke.toml:3: tls.min_version must be \"1.2\" or \"1.3\"");
        assert!(found[2].starts_with("--tls.certificate: /nowhere/cert.pem can't be read: "), "{found:?}");
        let alone = mistakes(from_file("tls.certificate = 'cert.pem'\n[domains.A]\n"));
        assert_eq!(alone, ["poke.toml:1: tls.certificate needs tls.key, the certificate's private key"]);
    }

    #[test]
    fn addresses_do_not_stand_in_each_others_way() {
        let wrong = |listen: &str, admin: &str| {
            let flags = pairs(&[("listen.addresses", listen), ("admin.listen", admin)]);
            let file = File { name: "poke.toml", text: "[domains.A]" };
            read(Sources { file: Some(file), flags: &flags, ..Sources::default() })
                .map_or_else(|e| e.to_string(), |_| String::new())
        };
        assert_eq!(wrong("127.0.0.1:1,[::1]:1,unix:/a", "127.0.0.1:2"), "");
        assert_eq!(wrong("127.0.0.1:0,127.0.0.1:0", "127.0.0.1:0"), "");
        assert_eq!(
            wrong("127.0.0.1:1,127.0.0.1:1", "off"),
            "--listen.addresses: listen.addresses names 127.0.0.1:1 twice"
        );
        assert_eq!(
            wrong("0.0.0.0:1,[::]:1", "off"),
            "--listen.addresses: listen.addresses: 0.0.0.0:1 and [::]:1 take the same connections"
        );
        assert_eq!(
            wrong("[::]:1", "127.0.0.1:1"),
            "--admin.listen: admin.listen (127.0.0.1:1) must not take the connections of listen.addresses ([::]:1)"
        );
    }

    #[test]
    fn no_domain_retains_more_than_all_may() {
        let text = "retention.budget = '2MiB'\n[domains.A]\nretain_bytes = '3MiB'\n[domains.B]\nretain_bytes = '2MiB'\n\
                    [domains.'*']\nretain_bytes = '4MiB'\n";
        let message = "retain_bytes must not be over retention.budget";
        assert_eq!(mistakes(from_file(text)), [format!("poke.toml:3: {message}"), format!("poke.toml:7: {message}")]);
    }

    #[test]
    fn a_variable_that_sets_nothing_is_a_mistake_unless_kubernetes_made_it() {
        let variables = pairs(&[
            ("PATH", "/bin"),
            ("POKE_SERVER_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("POKE_SERVER_SERVICE_HOST", "10.0.0.1"),
            ("POKE_SERVER_STREAM_MAXAGE", "1m"),
        ]);
        assert_eq!(
            mistakes(read(Sources { variables: &variables, ..Sources::default() })),
            ["POKE_SERVER_STREAM_MAXAGE: there is no such setting. Did you mean POKE_SERVER_STREAM_MAX_AGE?"]
        );
    }

    #[test]
    fn names_of_variables_and_flags_are_unique_and_not_kubernetes_own() {
        let settings = settings();
        let variables: std::collections::HashSet<_> = settings.iter().map(Setting::variable).collect();
        assert_eq!(variables.len(), settings.len());
        assert!(variables.iter().all(|name| is_ours(name)));
    }

    #[test]
    fn what_is_printed_reads_back_to_the_same() {
        let rich = "[log]\nlevel = 'info,poke_server=debug'\n[domains.A]\naudience = 'customer'\n[domains.'a.b']\n\
                    retain_pokes = 3\nrate = 7\nburst = '1500ms'\n[limits]\nmemory = 'off'\nstreams_per_address = 9\n\
                    streams_per_customer = 'off'\n[cors]\norigins = ['*', 'https://a.example']\n[admin]\nlisten = 'off'\n";
        for config in [Config::dev(), from_file(rich).unwrap()] {
            assert_eq!(from_file(&config.to_toml()), Ok(config));
        }
    }
}
