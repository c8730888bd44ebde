//! What a valid configuration may not be meant to say.

use super::{Address, Config, file::OTHERS};
use crate::{
    auth::{Publishers, Subscribers},
    connection::tls::ClientCertificates,
    domain::{self, Audience},
};

impl Config {
    /// Returns a sentence for each thing that is allowed, but is probably a mistake. Blocks, because it reads the certificate.
    #[must_use]
    pub fn cautions(&self) -> Vec<String> {
        let others = self.domains.others.iter().map(|domain| (OTHERS, domain));
        let named = self.domains.named.iter().map(|(name, domain)| (name.as_str(), domain));
        let of_domains = named.chain(others).flat_map(|(name, domain)| self.cautions_of(name, domain));
        let others = self.caution_of_memory(self.limits.memory.bytes()).into_iter().chain(self.caution_of_console());
        let others = others.chain(self.tls.caution());
        of_domains.chain(others).collect()
    }

    fn caution_of_console(&self) -> Option<String> {
        // Without a file, where all is open to this machine, so is that.
        let is_open = self.domains.others.as_ref() == Some(&self.each_domain.opened());
        let nobody = self.auth.admins.is_empty() && !is_open;
        (self.console.enabled && nobody).then(|| {
            "console.enabled: nobody may see the server's state in it, as nobody administers. List who does: admins"
                .into()
        })
    }

    fn caution_of_memory(&self, bound: Option<usize>) -> Option<String> {
        let budgets = self.budgets();
        let bound = bound.filter(|bound| *bound <= budgets)?;
        let [bound, budgets] = [bound, budgets].map(|bytes| bytes >> 20);
        Some(format!(
            "limits.memory is {bound} MiB here, and the budgets come to {budgets} MiB: once they are full everything new \
             is refused. Lower retention.budget"
        ))
    }

    fn cautions_of(&self, name: &str, domain: &domain::Settings) -> Vec<String> {
        let mut cautions = Vec::new();
        let section = format!("[domains.{name}]");
        if domain.access.publishers.is_nobody() {
            cautions.push(format!("{section}: nobody may publish to it. List who may: publishers"));
        }
        if domain.access.publishers == Publishers::Anyone
            && let Some(address) = self.listen.addresses.iter().find(|address| !Address::is_local(address))
        {
            cautions.push(format!("{section}: whoever reaches {address} may publish to it"));
        }
        if domain.audience == Audience::Customer {
            if !self.auth.issuers.values().any(|issuer| issuer.customers) {
                let message = "nobody may listen to it, as no issuer of tokens names customers: [issuers.NAME] with \
                               customers = true";
                cautions.push(format!("{section}: {message}"));
            }
            return cautions;
        }
        match domain.access.subscribers {
            Subscribers::Grant if self.auth.issuers.is_empty() => {
                cautions.push(format!(
                    "{section}: nobody may listen to it, as there are no issuers of tokens: [issuers.NAME]"
                ));
            }
            Subscribers::Authenticated if !self.knows_anyone() => {
                let message = "no caller can authenticate, so nobody can subscribe. Add [keys], issuers of tokens, \
                               [issuers.NAME], or say subscribers = \"open\"";
                cautions.push(format!("{section}: {message}"));
            }
            _ => {}
        }
        cautions
    }

    fn knows_anyone(&self) -> bool {
        let certificates = self.tls.client_certificates != ClientCertificates::Off;
        certificates || !self.auth.keys.is_empty() || !self.auth.issuers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Access;

    #[test]
    fn budgets_that_are_more_than_the_machine_has_are_told() {
        let config = Config::default();
        assert_eq!(config.budgets(), 352 << 20);
        let caution = config.caution_of_memory(Some(300 << 20)).unwrap_or_default();
        assert!(caution.contains("is 300 MiB here, and the budgets come to 352 MiB"), "{caution}");
        assert_eq!([Some(353 << 20), None].map(|bound| config.caution_of_memory(bound)), [None, None]);
    }

    #[test]
    fn a_console_that_shows_nothing_to_anyone_is_told() {
        let told = |config: &Config| config.cautions().iter().any(|caution| caution.starts_with("console.enabled"));
        assert!(!told(&Config::dev()) && !told(&Config::default()));
        let mut config = Config::default();
        config.console.enabled = true;
        assert!(told(&config));
        config.auth.admins = vec![crate::auth::Principal::Key("ops".into())];
        assert!(!told(&config));
    }

    #[test]
    fn what_nobody_can_use_and_what_anybody_can_is_told() {
        let mut config = Config { domains: Default::default(), ..Config::default() };
        config.domains.named.insert("A".into(), domain::Settings::default());
        assert_eq!(config.cautions().len(), 2, "{:?}", config.cautions());
        let letters = domain::Settings { audience: Audience::Customer, access: Access::open(), ..Default::default() };
        config.domains.named.insert("B".into(), letters);
        assert!(config.cautions().iter().any(|caution| caution.contains("no issuer of tokens names customers")));
        config.domains.named.remove("B");
        config.domains.others = Config::dev().domains.others;
        assert_eq!(config.cautions().len(), 2, "on this machine all may be open");
        config.listen.addresses = vec![Address::Tcp(([0, 0, 0, 0], 8080).into())];
        assert!(config.cautions().iter().any(|caution| caution.contains("[domains.*]: whoever reaches 0.0.0.0:8080")));
    }
}
