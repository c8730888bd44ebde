//! What holds on this server: its bounds with their reasons, and its domains with who may do what, in words.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;

use super::snapshot::Subject;
use crate::{
    auth::{Access, Auth, ClaimMatch, Principal, Publisher, Publishers, Subscribers},
    config::{Bound, Config},
    domain::{Audience, Domain, Domains},
    frame::MAX_POKE_BYTES,
};

/// What holds, and where that is looked up: domains and rights can be replaced while the server runs.
pub(super) struct Settings {
    bounds: Vec<Bound>,
    window: Duration,
    domains: Arc<Domains>,
    auth: Arc<Auth>,
}

impl Settings {
    pub(super) fn new(config: &Config, domains: Arc<Domains>, auth: Arc<Auth>) -> Self {
        Self { bounds: config.bounds(), window: config.registry.window, domains, auth }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Picture<'a> {
    max_poke_bytes: usize,
    max_data_depth: usize,
    window_seconds: f64,
    bounds: &'a [Bound],
    domains: Vec<DomainPicture>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DomainPicture {
    /// Nothing for all that have no section of their own.
    name: Option<String>,
    audience: &'static str,
    /// Of each interest.
    retained_pokes: usize,
    retained_bytes: usize,
    /// Pokes and ends a second; nothing for any number.
    publisher_rate: Option<u32>,
    rate: Option<u32>,
    publishers: Vec<String>,
    subscribers: &'static str,
}

impl Subject for Settings {
    type Picture<'a> = Picture<'a>;

    fn picture(&self) -> Picture<'_> {
        let domain = |(name, domain): (Option<String>, Arc<Domain>)| {
            // Between two steps of a reload one may have gone.
            let access = self.auth.access(name.as_deref())?;
            Some(DomainPicture::new(name, &domain, &access))
        };
        Picture {
            max_poke_bytes: MAX_POKE_BYTES,
            max_data_depth: poke_proto::MAX_DATA_DEPTH,
            window_seconds: self.window.as_secs_f64(),
            bounds: &self.bounds,
            domains: self.domains.all().into_iter().filter_map(domain).collect(),
        }
    }
}

impl DomainPicture {
    fn new(name: Option<String>, domain: &Domain, access: &Access) -> Self {
        let (retention, rates) = (domain.allowance.retention(), domain.rates);
        Self {
            name,
            audience: match domain.audience {
                Audience::Everyone => "everyone",
                Audience::Customer => "customer",
            },
            retained_pokes: retention.pokes,
            retained_bytes: retention.bytes,
            publisher_rate: rates.publisher.map(Into::into),
            rate: rates.domain.map(Into::into),
            publishers: publishers(&access.publishers),
            subscribers: subscribers(domain.audience, access.subscribers),
        }
    }
}

fn publishers(publishers: &Publishers) -> Vec<String> {
    match publishers {
        Publishers::Anyone => vec!["whoever reaches the server".into()],
        Publishers::Listed(list) if list.is_empty() => vec!["nobody".into()],
        Publishers::Listed(list) => list.iter().map(publisher).collect(),
    }
}

fn publisher(publisher: &Publisher) -> String {
    let who = match &publisher.who {
        Principal::Key(name) => format!("the key {name}"),
        Principal::Token { issuer, claims } => format!("tokens of {issuer} with {}", all("", claims)),
        Principal::Certificate(name) => format!("the certificate {name}"),
    };
    match (publisher.publish, publisher.end) {
        (true, false) => format!("{who}, to publish only"),
        (false, true) => format!("{who}, to end only"),
        _ => who,
    }
}

fn all(prefix: &str, claims: &BTreeMap<String, ClaimMatch>) -> String {
    let claim = |(name, wanted): (&String, &ClaimMatch)| match wanted {
        ClaimMatch::OneOf(values) => format!("{prefix}{name} = {}", values.join(" or ")),
        ClaimMatch::Object(members) => all(&format!("{prefix}{name}."), members),
    };
    claims.iter().map(claim).collect::<Vec<_>>().join(" and ")
}

fn subscribers(audience: Audience, subscribers: Subscribers) -> &'static str {
    match (audience, subscribers) {
        (Audience::Customer, Subscribers::Grant) => "the customer, by a token that names the interest",
        (Audience::Customer, _) => "the customer, by its token",
        (Audience::Everyone, Subscribers::Open) => "everyone",
        (Audience::Everyone, Subscribers::Authenticated) => "who has a key, a token or a certificate",
        (Audience::Everyone, Subscribers::Grant) => "who has a token that names the interest",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    fn picture(toml: &str) -> Value {
        let config = Config::from_toml("poke.toml", toml).unwrap();
        let (domains, auth) = (Arc::new(config.open_domains()), Arc::new(config.open_auth()));
        serde_json::to_value(Settings::new(&config, domains, auth).picture()).unwrap()
    }

    #[test]
    fn rights_are_told_in_words_and_no_hash_is() {
        let hash = format!("sha256:{}", "a".repeat(64));
        let picture = picture(&format!(
            r#"
[keys]
back-end = "{hash}"
[issuers.aws]
issuer = "i"
audience = "a"
jwks_url = "https://i.example/"
[domains.B]
rate = 7
publishers = [
  {{ key = "back-end", rights = ["publish"] }},
  {{ issuer = "aws", claims = {{ sts = {{ account = ["1", "2"] }}, role = "x" }}, rights = ["end"] }},
  {{ certificate = "spiffe://example/back-end" }},
]
subscribers = "grant"
[domains.A]
audience = "customer"
[domains."*"]
publishers = "anyone"
subscribers = "open"
"#
        ));
        let domains = picture["domains"].as_array().unwrap();
        assert_eq!([0, 1, 2].map(|n| domains[n]["name"].clone()), [json!("A"), json!("B"), Value::Null]);
        assert_eq!(
            domains[1]["publishers"],
            json!([
                "the key back-end, to publish only",
                "tokens of aws with role = x and sts.account = 1 or 2, to end only",
                "the certificate spiffe://example/back-end"
            ])
        );
        assert_eq!((&domains[1]["rate"], &domains[1]["publisherRate"]), (&json!(7), &json!(1000)));
        assert_eq!(domains[0]["publishers"], json!(["nobody"]));
        assert_eq!(domains[0]["subscribers"], "the customer, by its token");
        assert_eq!(domains[2]["subscribers"], "everyone");
        assert!(!picture.to_string().contains("aaaa"));
    }

    #[test]
    fn each_bound_has_its_value_and_its_reason() {
        let picture = picture("[limits]\nstreams = 7\n[domains.A]\n");
        let bounds = picture["bounds"].as_array().unwrap();
        let streams = bounds.iter().find(|bound| bound["name"] == "limits.streams").unwrap();
        assert_eq!(streams["value"], "7");
        assert!(streams["reason"].as_str().unwrap().contains("TOO_MANY_STREAMS"));
        assert!(bounds.iter().all(|bound| !bound["name"].as_str().unwrap().starts_with("tls.")));
    }
}
