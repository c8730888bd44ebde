//! What a token lets its holder listen to.

use serde_json::Value;

use crate::interest::Interest;

/// The interests that a token names. A token without any grants none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    domain: String,
    filters: Filters,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Filters {
    Exactly(Vec<String>),
    Prefix(String),
}

impl Grants {
    /// Reads the claim: a list of `{"domain": "PLAYLIST", "filters": ["a", "b"]}` or `{"domain": "TEAM", "prefix": "7/"}`.
    /// An entry of another form grants nothing, so that one which a later server knows does no harm here.
    pub(super) fn read(claim: Option<&Value>) -> Self {
        Self(claim.and_then(Value::as_array).into_iter().flatten().filter_map(Grant::read).collect())
    }

    pub(super) fn cover(&self, interest: &Interest) -> bool {
        self.0.iter().any(|grant| grant.domain == interest.domain() && grant.filters.cover(interest.filter()))
    }
}

impl Grant {
    fn read(entry: &Value) -> Option<Self> {
        let entry = entry.as_object()?;
        let domain = entry.get("domain")?.as_str()?.to_owned();
        let filters = match (entry.get("filters"), entry.get("prefix")) {
            (Some(filters), None) => {
                Filters::Exactly(filters.as_array()?.iter().map(|f| f.as_str().map(Into::into)).collect::<Option<_>>()?)
            }
            (None, Some(prefix)) => Filters::Prefix(prefix.as_str()?.to_owned()),
            _ => return None,
        };
        // A member that isn't known may narrow the grant.
        (entry.len() == 2).then_some(Self { domain, filters })
    }
}

impl Filters {
    fn cover(&self, filter: &str) -> bool {
        match self {
            Self::Exactly(filters) => filters.iter().any(|granted| granted == filter),
            Self::Prefix(prefix) => filter.starts_with(prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;
    use crate::interest::Recipients;

    fn grants(claim: &Value, domain: &str, filter: &str) -> bool {
        Grants::read(Some(claim)).cover(&Interest::new(Recipients::Everyone, domain, filter).unwrap())
    }

    #[test]
    fn filters_are_exact_and_prefixes_are_bytes() {
        let claim = json!([{"domain": "A", "filters": ["x", "y"]}, {"domain": "B", "prefix": "team-7/"}]);
        assert!(grants(&claim, "A", "x") && grants(&claim, "A", "y") && grants(&claim, "B", "team-7/z"));
        for (domain, filter) in [("A", "xx"), ("A", "X"), ("B", "x"), ("B", "team-70"), ("C", "x"), ("a", "x")] {
            assert!(!grants(&claim, domain, filter), "{domain}/{filter}");
        }
        assert!(grants(&json!([{"domain": "A", "prefix": ""}]), "A", "anything"));
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        for claim in [
            json!("A"),
            json!({"domain": "A", "prefix": ""}),
            json!([{"domain": "A"}]),
            json!([{"domain": "A", "filters": "x"}]),
            json!([{"domain": "A", "filters": ["x", 1]}]),
            json!([{"domain": "A", "filters": ["x"], "prefix": ""}]),
            json!([{"domain": "A", "prefix": "", "until": "tomorrow"}]),
            json!([{"domain": ["A"], "prefix": ""}]),
            json!(["A", null, 1]),
        ] {
            assert!(!grants(&claim, "A", "x"), "{claim}");
        }
        assert_eq!(Grants::read(None), Grants::default());
    }
}
