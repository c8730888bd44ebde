//! Who may do what.

use super::*;
use crate::interest::Recipients;

fn key(name: &str) -> (String, Settings) {
    let NewKey { key, hash } = NewKey::random();
    (key, Settings { keys: [(name.to_owned(), vec![hash])].into(), ..Settings::default() })
}

fn listed(who: Principal, publish: bool, end: bool) -> Access {
    Access { publishers: Publishers::Listed(vec![Publisher { who, publish, end }]), subscribers: Subscribers::Open }
}

fn listens(server: &Running, caller: &Caller, domain: &str, filter: &str) -> Option<Kind> {
    let interest = Interest::new(Recipients::Everyone, domain, filter).unwrap();
    server.auth.may_listen(caller, &interest).err().map(|error| error.kind())
}

fn publishes(server: &Running, caller: &Caller, domain: &str, right: Right) -> Option<Kind> {
    server.auth.may_publish(caller, domain, right).err().map(|error| error.kind())
}

#[tokio::test]
async fn a_key_publishes_where_it_is_listed_with_the_right_that_it_has() {
    let (key, settings) = key("back-end");
    let who = || Principal::Key("back-end".into());
    let server = run(
        &settings,
        &[
            ("BOTH", listed(who(), true, true)),
            ("PUBLISH", listed(who(), true, false)),
            ("END", listed(who(), false, true)),
            ("OTHERS", listed(Principal::Key("other".into()), true, true)),
            ("NOBODYS", Access::default()),
            ("OPEN", Access::open()),
        ],
    );
    let caller = server.caller(&key).await.unwrap();
    assert_eq!(caller.publisher(), "key back-end");
    for (domain, publish, end) in [
        ("BOTH", None, None),
        ("PUBLISH", None, Some(Kind::NotAPublisher)),
        ("END", Some(Kind::NotAPublisher), None),
        ("OTHERS", Some(Kind::NotAPublisher), Some(Kind::NotAPublisher)),
        ("NOBODYS", Some(Kind::NoPublishers), Some(Kind::NoPublishers)),
        ("OPEN", None, None),
        ("UNKNOWN", Some(Kind::UnknownDomain), Some(Kind::UnknownDomain)),
    ] {
        assert_eq!(publishes(&server, &caller, domain, Right::Publish), publish, "{domain}");
        assert_eq!(publishes(&server, &caller, domain, Right::End), end, "{domain}");
    }
    let stranger = Caller::default();
    assert_eq!(publishes(&server, &stranger, "BOTH", Right::Publish), Some(Kind::CredentialsRequired));
    assert_eq!(publishes(&server, &stranger, "NOBODYS", Right::Publish), Some(Kind::NoPublishers));
    assert_eq!(server.auth.may_administer(&caller).err().map(|error| error.kind()), Some(Kind::NotAnAdmin));
    for wrong in [&key[..47], &format!("{key}x"), &key.to_uppercase(), "poke_", &format!("xoke_{}", &key[5..])] {
        assert_eq!(server.caller(wrong).await.err(), Some(Kind::InvalidCredentials), "{wrong}");
    }
}

#[tokio::test]
async fn claims_match_exactly_and_as_deep_as_they_are_written() {
    let idp = Idp::new();
    let settings = Settings {
        issuers: [("aws".to_owned(), issuer(key_file(&json!([idp.public("ec")]))))].into(),
        ..Settings::default()
    };
    let account = ClaimMatch::OneOf(vec!["123456789012".into(), "210987654321".into()]);
    let nested = ClaimMatch::Object([("aws_account".to_owned(), account.clone())].into());
    let who = |claims: [(String, ClaimMatch); 1]| Principal::Token { issuer: "aws".into(), claims: claims.into() };
    let server = run(
        &settings,
        &[
            ("FLAT", listed(who([("account".to_owned(), account)]), true, true)),
            ("NESTED", listed(who([("https://sts.amazonaws.com/".to_owned(), nested)]), true, true)),
        ],
    );
    for (claims, flat, nested) in [
        (json!({"account": "123456789012"}), true, false),
        (json!({"account": "210987654321"}), true, false),
        (json!({"account": ["x", "123456789012"]}), true, false),
        (json!({"account": "1234567890123"}), false, false),
        (json!({"account": 123456789012_u64}), false, false),
        (json!({"account": [["123456789012"]]}), false, false),
        (json!({"account": {"account": "123456789012"}}), false, false),
        (json!({"https://sts.amazonaws.com/": {"aws_account": "123456789012", "x": 1}}), false, true),
        (json!({"https://sts.amazonaws.com/": "123456789012"}), false, false),
        (json!({}), false, false),
    ] {
        let caller = server.caller(&idp.token(&claims)).await.unwrap();
        assert_eq!(publishes(&server, &caller, "FLAT", Right::Publish).is_none(), flat, "{claims}");
        assert_eq!(publishes(&server, &caller, "NESTED", Right::Publish).is_none(), nested, "{claims}");
    }
}

#[tokio::test]
async fn listening_needs_what_the_domain_asks_for() {
    let idp = Idp::new();
    let (key, mut settings) = key("service");
    settings.issuers.insert("app".into(), issuer(key_file(&json!([idp.public("ec")]))));
    let access = |subscribers| Access { publishers: Publishers::default(), subscribers };
    let server = run(
        &settings,
        &[
            ("OPEN", access(Subscribers::Open)),
            ("KNOWN", access(Subscribers::Authenticated)),
            ("GRANTED", access(Subscribers::Grant)),
        ],
    );
    let granted =
        json!({"poke": [{"domain": "GRANTED", "filters": ["mine"]}, {"domain": "GRANTED", "prefix": "team/"}]});
    let (anyone, service) = (Caller::default(), server.caller(&key).await.unwrap());
    let (ann, bob) =
        (server.caller(&idp.token(&granted)).await.unwrap(), server.caller(&idp.token(&json!({}))).await.unwrap());
    for (caller, domain, filter, refused) in [
        (&anyone, "OPEN", "x", None),
        (&anyone, "KNOWN", "x", Some(Kind::CredentialsRequired)),
        (&anyone, "GRANTED", "mine", Some(Kind::CredentialsRequired)),
        (&service, "KNOWN", "x", None),
        (&service, "GRANTED", "mine", Some(Kind::NotGranted)),
        (&bob, "KNOWN", "x", None),
        (&bob, "GRANTED", "mine", Some(Kind::NotGranted)),
        (&ann, "GRANTED", "mine", None),
        (&ann, "GRANTED", "team/x", None),
        (&ann, "GRANTED", "other", Some(Kind::NotGranted)),
        (&ann, "UNKNOWN", "mine", Some(Kind::UnknownDomain)),
    ] {
        assert_eq!(listens(&server, caller, domain, filter), refused, "{domain}/{filter}");
        assert_eq!(listens(&server, &caller.as_listener(), domain, filter), refused, "{domain}/{filter}");
    }
}

#[tokio::test]
async fn one_header_one_scheme_and_none_where_nobody_is_known() {
    let (key, settings) = key("service");
    let server = run(&settings, &[]);
    let ask = async |values: &[&str]| server.auth.caller(&headers(values), None).await.map_err(|error| error.kind());
    assert!(ask(&[]).await.unwrap().is_anonymous());
    assert!(!ask(&[&format!("bearer {key}")]).await.unwrap().is_anonymous());
    for wrong in [&key, &format!("Basic {key}"), "Bearer", "Bearer ", &format!("Bearer{key}")] {
        assert_eq!(ask(&[wrong]).await.err(), Some(Kind::InvalidCredentials), "{wrong}");
    }
    let bearer = format!("Bearer {key}");
    assert_eq!(ask(&[&bearer, "Bearer other"]).await.err(), Some(Kind::InvalidCredentials));
    let open = Auth::open();
    assert!(open.caller(&headers(&["Bearer whatever"]), None).await.unwrap().is_anonymous());
}

#[tokio::test]
async fn new_rules_hold_at_once_and_withdrawn_callers_are_unknown() {
    let idp = Idp::new();
    let (key, mut settings) = key("service");
    settings.issuers.insert("app".into(), issuer(key_file(&json!([idp.public("ec")]))));
    let server = run(&settings, &[("A", Access::open())]);
    let (service, ann) = (server.caller(&key).await.unwrap(), server.caller(&idp.token(&json!({}))).await.unwrap());
    let knows = |caller: &Caller| server.auth.still_knows(caller).is_ok();
    assert!(knows(&service) && knows(&ann) && knows(&Caller::default()));
    server.auth.replace(&settings, [("B", &Access::open())], None);
    assert!(knows(&service) && knows(&ann), "what hasn't changed stays");
    assert_eq!(listens(&server, &ann, "A", "x"), Some(Kind::UnknownDomain));
    assert_eq!(listens(&server, &ann, "B", "x"), None);
    assert!(server.caller(&idp.token(&json!({}))).await.is_ok(), "its keys are still known");
    let NewKey { hash, .. } = NewKey::random();
    settings.keys.insert("service".into(), vec![hash]);
    settings.issuers.get_mut("app").unwrap().audience = vec!["else".into()];
    server.auth.replace(&settings, [("B", &Access::open())], None);
    assert!(!knows(&service) && !knows(&ann) && server.caller(&key).await.is_err());
    // While one key replaces another both hold, under one name.
    settings.keys.get_mut("service").unwrap().push(KeyHash::of(&key));
    server.auth.replace(&settings, [("B", &Access::open())], None);
    assert!(knows(&service) && server.caller(&key).await.unwrap().publisher() == "key service");
}
