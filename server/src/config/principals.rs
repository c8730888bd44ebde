//! Kinds of values that name people and programs: who may publish, who may administer, and their keys.

use std::collections::BTreeMap;

use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::kind::{Kind, Wrong};
use crate::auth::{ClaimMatch, KeyHash, Principal, Publisher, Publishers};

/// How one of them is written.
const PRINCIPAL: &str = "{ key = NAME }, { issuer = NAME, claims = { CLAIM = VALUE } } or { certificate = NAME }";

/// Who may publish.
pub(super) struct PublisherList;

impl Kind<Publishers> for PublisherList {
    fn form(&self) -> String {
        format!("\"anyone\" or a list of {PRINCIPAL}, with rights = [\"publish\"] or [\"end\"] for one of both")
    }

    fn read(&self, text: &str) -> Result<Publishers, Wrong> {
        if text == "anyone" { Ok(Publishers::Anyone) } else { Err(Wrong) }
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<Publishers, Wrong> {
        match value {
            DeValue::Array(entries) => {
                entries.iter().map(|entry| publisher(entry.get_ref())).collect::<Result<_, _>>().map(Publishers::Listed)
            }
            other => self.read(other.as_str().ok_or(Wrong)?),
        }
    }

    fn write(&self, publishers: &Publishers) -> String {
        match publishers {
            Publishers::Anyone => "\"anyone\"".into(),
            Publishers::Listed(list) => Value::Array(list.iter().map(publisher_to_toml).collect()).to_string(),
        }
    }
}

/// A list of them, such as who may administer.
pub(super) struct PrincipalList;

impl Kind<Vec<Principal>> for PrincipalList {
    fn form(&self) -> String {
        format!("a list of {PRINCIPAL}")
    }

    fn read(&self, _: &str) -> Result<Vec<Principal>, Wrong> {
        Err(Wrong)
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<Vec<Principal>, Wrong> {
        let entries = value.as_array().ok_or(Wrong)?;
        entries.iter().map(|entry| principal(entry.get_ref().as_table().ok_or(Wrong)?, &[])).collect()
    }

    fn write(&self, principals: &Vec<Principal>) -> String {
        Value::Array(principals.iter().map(|principal| Value::Table(to_toml(principal))).collect()).to_string()
    }
}

/// The hashes of an API key: one, or several while one replaces the other.
pub(super) struct KeyHashes;

impl Kind<Vec<KeyHash>> for KeyHashes {
    fn form(&self) -> String {
        "what `poke-server key new` prints, \"sha256:\" and 64 hexadecimal digits, or a list of those".into()
    }

    fn read(&self, text: &str) -> Result<Vec<KeyHash>, Wrong> {
        text.parse().map(|hash| vec![hash]).map_err(|_| Wrong)
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<Vec<KeyHash>, Wrong> {
        strings(value)?.iter().map(|text| text.parse().map_err(|_| Wrong)).collect()
    }

    fn write(&self, hashes: &Vec<KeyHash>) -> String {
        Value::Array(hashes.iter().map(|hash| Value::String(hash.to_string())).collect()).to_string()
    }
}

fn publisher(entry: &DeValue<'_>) -> Result<Publisher, Wrong> {
    let entry = entry.as_table().ok_or(Wrong)?;
    let who = principal(entry, &["rights"])?;
    let Some(rights) = entry.get("rights") else { return Ok(Publisher { who, publish: true, end: true }) };
    let rights = strings(rights.get_ref())?;
    if rights.iter().any(|right| !["publish", "end"].contains(&right.as_str())) {
        return Err(Wrong);
    }
    let has = |right: &str| rights.iter().any(|given| given == right);
    Ok(Publisher { who, publish: has("publish"), end: has("end") })
}

/// Reads one of them, which may have these further members.
fn principal(entry: &DeTable<'_>, further: &[&str]) -> Result<Principal, Wrong> {
    let text = |name: &str| entry.get(name).map(|value| value.get_ref().as_str().map(str::to_owned).ok_or(Wrong));
    let known = |names: &[&str]| {
        let mut members = entry.keys().map(|name| &**name.get_ref());
        members.all(|name| names.contains(&name) || further.contains(&name))
    };
    match (text("key").transpose()?, text("issuer").transpose()?, text("certificate").transpose()?) {
        (Some(name), None, None) if known(&["key"]) => Ok(Principal::Key(name)),
        (None, Some(issuer), None) if known(&["issuer", "claims"]) => {
            // Without a claim whoever has any token of the issuer would be meant, customers included.
            let claims = claims(entry.get("claims").and_then(|claims| claims.get_ref().as_table()).ok_or(Wrong)?)?;
            Ok(Principal::Token { issuer, claims })
        }
        (None, None, Some(name)) if known(&["certificate"]) && !name.is_empty() => {
            // URIs are compared as they are written, DNS names in lower case.
            Ok(Principal::Certificate(if name.contains(':') { name } else { name.to_ascii_lowercase() }))
        }
        _ => Err(Wrong),
    }
}

fn claims(table: &DeTable<'_>) -> Result<BTreeMap<String, ClaimMatch>, Wrong> {
    if table.is_empty() {
        return Err(Wrong);
    }
    let claim = |value: &DeValue<'_>| match value {
        DeValue::Table(table) => claims(table).map(ClaimMatch::Object),
        other => strings(other).map(ClaimMatch::OneOf),
    };
    let named = |name: &str| if name.is_empty() { Err(Wrong) } else { Ok(name.to_owned()) };
    table.iter().map(|(name, value)| Ok((named(name.get_ref())?, claim(value.get_ref())?))).collect()
}

/// A string, or a list of at least one.
fn strings(value: &DeValue<'_>) -> Result<Vec<String>, Wrong> {
    match value {
        DeValue::String(text) => Ok(vec![text.to_string()]),
        DeValue::Array(values) if !values.is_empty() => {
            values.iter().map(|value| value.get_ref().as_str().map(str::to_owned).ok_or(Wrong)).collect()
        }
        _ => Err(Wrong),
    }
}

fn publisher_to_toml(publisher: &Publisher) -> Value {
    let mut table = to_toml(&publisher.who);
    let rights = [("publish", publisher.publish), ("end", publisher.end)];
    let rights = rights.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned());
    table.insert("rights".into(), Value::Array(rights.map(Value::String).collect()));
    Value::Table(table)
}

fn to_toml(principal: &Principal) -> Table {
    let (name, value) = match principal {
        Principal::Key(name) => ("key", name),
        Principal::Token { issuer, .. } => ("issuer", issuer),
        Principal::Certificate(name) => ("certificate", name),
    };
    let mut table = Table::from_iter([(name.to_owned(), Value::String(value.clone()))]);
    if let Principal::Token { claims, .. } = principal {
        table.insert("claims".into(), claims_to_toml(claims));
    }
    table
}

fn claims_to_toml(claims: &BTreeMap<String, ClaimMatch>) -> Value {
    let claim = |claim: &ClaimMatch| match claim {
        ClaimMatch::OneOf(values) => Value::Array(values.iter().cloned().map(Value::String).collect()),
        ClaimMatch::Object(members) => claims_to_toml(members),
    };
    Value::Table(claims.iter().map(|(name, wanted)| (name.clone(), claim(wanted))).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::{
        Config, Mistakes,
        file::File,
        read::{Sources, read},
    };

    fn from_file(text: &str) -> Result<Config, Mistakes> {
        read(Sources { file: Some(File { name: "poke.toml", text }), ..Sources::default() })
    }

    fn hash(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    #[test]
    fn keys_issuers_and_rights_are_printed_as_they_were_read() {
        let (a, b, c) = (hash("a"), hash("b"), hash("c"));
        let text = format!(
            r#"
admins = [{{ key = "ops" }}, {{ certificate = "Ops.Example" }}]
[keys]
ops = "{c}"
back-end = ["{a}", "{b}"]
[issuers."login.x"]
issuer = "https://login.example.com"
audience = "poke"
jwks_url = "https://login.example.com/jwks.json"
algorithms = ["ES256", "EdDSA"]
customers = true
[domains.A]
subscribers = "grant"
publishers = [
  {{ key = "back-end", rights = "end" }},
  {{ issuer = "login.x", claims = {{ "https://sts.example/" = {{ account = ["1", "2"] }} }}, rights = ["publish"] }},
  {{ certificate = "spiffe://Example/Back-End" }},
]
[domains.B]
publishers = "anyone"
subscribers = "open"
"#
        );
        let config = from_file(&text).unwrap();
        let printed = config.to_toml();
        assert_eq!(from_file(&printed), Ok(config), "{printed}");
        assert!(printed.contains("ops.example") && printed.contains("spiffe://Example/Back-End"), "{printed}");
    }

    #[test]
    fn one_key_has_one_name() {
        let twice = format!("[keys]\nk = '{0}'\nl = ['{1}', '{0}']\n", hash("a"), hash("b"));
        let mistakes = from_file(&twice).unwrap_err().to_string();
        assert!(mistakes.contains("keys.l: another name has the same key"), "{mistakes}");
    }

    #[test]
    fn what_is_no_principal_is_refused_with_what_would_be() {
        let of = |publishers: &str| {
            let keys = format!("[keys]\nk = '{}'\n", hash("a"));
            let issuer = "[issuers.i]\nissuer = 'i'\naudience = 'a'\njwks_url = 'https://i.example/'\n";
            from_file(&format!("{keys}{issuer}[domains.A]\npublishers = {publishers}\n"))
        };
        for good in ["[]", "[{ key = 'k' }]", "[{ issuer = 'i', claims = { c = 'v' } }]", "'anyone'"] {
            assert!(of(good).is_ok(), "{good}");
        }
        for wrong in [
            "'everyone'",
            "true",
            "['k']",
            "[{}]",
            "[{ key = 1 }]",
            "[{ key = 'k', issuer = 'i' }]",
            "[{ key = 'k', claims = { c = 'v' } }]",
            "[{ key = 'k', right = ['end'] }]",
            "[{ key = 'k', rights = [] }]",
            "[{ key = 'k', rights = ['admin'] }]",
            "[{ issuer = 'i' }]",
            "[{ issuer = 'i', claims = {} }]",
            "[{ issuer = 'i', claims = { c = 1 } }]",
            "[{ issuer = 'i', claims = { c = [] } }]",
            "[{ issuer = 'i', claims = { c = {} } }]",
            "[{ issuer = 'i', claims = { '' = 'v' } }]",
            "[{ certificate = '' }]",
        ] {
            let mistakes = of(wrong).unwrap_err().to_string();
            assert!(mistakes.contains("publishers must be \"anyone\" or a list of"), "{wrong}: {mistakes}");
        }
        for stranger in ["[{ key = 'x' }]", "[{ issuer = 'x', claims = { c = 'v' } }]"] {
            let mistakes = of(stranger).unwrap_err().to_string();
            assert!(mistakes.starts_with("poke.toml:8: publishers: there is no "), "{stranger}: {mistakes}");
        }
    }

    #[test]
    fn an_issuer_says_all_that_is_needed_and_nothing_that_is_dangerous() {
        let of = |lines: &str| from_file(&format!("[issuers.i]\n{lines}\n[domains.A]\n"));
        let url = "issuer = 'i'\naudience = 'a'\njwks_url = 'https://i.example/'";
        assert!(of(url).is_ok());
        assert!(of(&url.replace("https://i.example/", "http://127.0.0.1:1/")).is_ok());
        for (lines, why) in [
            (url.replace("issuer = 'i'", ""), "issuer is missing"),
            (url.replace("audience = 'a'", ""), "audience is missing"),
            (url.replace("jwks_url = 'https://i.example/'", ""), "jwks_url or jwks_file is missing"),
            (format!("{url}\njwks_file = 'x'"), "either jwks_url or jwks_file"),
            (url.replace("https:", "http:"), "must be an https URL"),
            (url.replace("https:", "file:"), "must be"),
            (url.replace("'a'", "''"), "audience must be a list of names"),
            (url.replace("'a'", "['a', '']"), "audience must be a list of names"),
            (url.replace("issuer = 'i'", "issuer = ''"), "issuer must be the issuer's name"),
            (format!("{url}\ncustomer_claim = ''"), "customer_claim must be a claim's name"),
            (format!("{url}\ngrants_claim = ' '"), "grants_claim must be a claim's name"),
            (format!("{url}\nalgorithms = []"), "algorithms must name at least one"),
            (format!("{url}\nalgorithms = ['HS256']"), "algorithms must be a list of"),
            (format!("{url}\nalgorithms = ['none']"), "algorithms must be a list of"),
            (format!("{url}\nalgoritms = ['ES256']"), "an issuer has no setting algoritms. Did you mean algorithms?"),
            (format!("{url}\n[issuers.j]\n{url}"), "another section has the same issuer"),
        ] {
            let mistakes = of(&lines).unwrap_err().to_string();
            assert!(mistakes.contains(why), "{lines}: {mistakes}");
        }
    }
}
