//! Tokens that hold and tokens that don't.

use super::*;

/// Made once by OpenSSL; its private key is gone.
const RSA_MODULUS: &str = concat!(
    "8iB9FIW05Xp3SnFilpxfQ8ToCV4_t1BK_k9ZwB9_pUaWEFalKQXBx_6WZxyi82HJVEkWGqnfBfrmKo9Tx8vZ0Yjt7_6A6fcrgH6Pe65Ip",
    "km3zVa5GsbsCR2xvVkvRHfUyx7nQDhFwApnSN2b0aOi_4KhYVTLX23I7wEhhDjKbGkAoYubFNPoqHKn_-1Dtp_IGmfevzwY-ytQR5CmJj",
    "09s0u4aTxLEbf_8uv5FQwRo3NSO5AmQQZITId7XjidqHFjS3yuTNdLXJyipmSBY0It02MgJ6p_ymo3H_qOUA0Nn8OZAp-fSM0i-urEEB9",
    "nXZu49KRxRwU80ChyjJ0uXnPfow",
);
/// Good until 2100.
const RS256: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoicG9rZSIsInN1YiI6",
    "ImFubiIsImV4cCI6NDEwMjQ0NDgwMH0.HfXJHff2FSqBL7ZmqDEAPM1KYhxKzvJpKCgm3AmTsbKBkeDxmf5892PbZ0wTfg2TD5g7ek7MD",
    "WPP4QJCSLeMdCyMqy96Uq4YNDENQVKWjTbVwcB2Lbbi6Wl4kB_XQJGLy2tVo350gBWBSA9kznjZDssUigXeqoPmRyVyuBl5n-av2-_h-q",
    "oK3tSqUT0EI404TjWD4OZJakRlCZWSRkNcD4aybruWC1qEzIV50SX0yi9W1_3G9-tD3T96mUxRGO1XmzCTxTbAAaI_0UL9XqlP_r_3RqG",
    "yuKj2i_9F6AVJl5vrgZc2UChPXSAYCQ_lDfa446zS4fYRNGQLVDrqZkoALg",
);
const PS256: &str = concat!(
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoicG9rZSIsInN1YiI6",
    "ImFubiIsImV4cCI6NDEwMjQ0NDgwMH0.2kvDbHKYmJZ7qOj-UqIIq_FnEabiiKiuFHxveJGK_-onrGZNpTDbCcPXCdT_OHsq6zIgxA9RC",
    "dIt5G3UPPiLn2rzV7wUre828gOEs-4R4tgmly2SEZtyP9I8o8nvgLBWFA2A7hIdoNYHpD5XgfVQpEK-txvnTzyWJSjJ0edEiwd2SO3t05",
    "FaAiJ2v9hH-T0AeklMDrN8B3U0q_eQ6zqPqVvfZMHsPZw_aaMz4xTcSFAbQMEACMek0nMQi33Gv6Auvr8CTf1-7rd7tTUqIrdp_Cq_Ken",
    "fMeLrWKxvQAABcL6AzlT3a1Uw7l6Jk0EDFjkmWh3NXDI65A__5D_L2e0RvQ",
);

fn rsa() -> Value {
    json!({"kty": "RSA", "kid": "rsa", "n": RSA_MODULUS, "e": "AQAB"})
}

fn settings(idp: &Idp) -> Settings {
    let mut issuer = issuer(key_file(&json!([idp.public("ec"), rsa()])));
    issuer.customers = true;
    Settings { issuers: [("app".to_owned(), issuer)].into(), ..Settings::default() }
}

#[tokio::test]
async fn a_good_token_is_known_by_its_subject_until_it_expires() {
    let idp = Idp::new();
    let server = run(&settings(&idp), &[]);
    for good in [
        json!({}),
        json!({"aud": ["other", "poke"]}),
        json!({"exp": now() as f64 + 600.5}),
        json!({"nbf": now() - 1, "iat": now()}),
        json!({"exp": u64::MAX}),
    ] {
        let caller = server.caller(&idp.token(&good)).await.unwrap_or_else(|kind| panic!("{good}: {kind:?}"));
        assert_eq!(caller.publisher(), "token app ann");
        assert_eq!(caller.customer().map(CustomerId::as_str), Some("ann"));
        assert!(!caller.is_anonymous());
    }
    let caller = server.caller(&idp.token(&json!({}))).await.unwrap();
    let left = caller.expires().unwrap() - tokio::time::Instant::now();
    assert!((590..=600).contains(&left.as_secs()), "{left:?}");
    assert_eq!(server.caller(&idp.token(&json!({"exp": u64::MAX}))).await.unwrap().expires(), None);
}

#[tokio::test]
async fn publishers_without_a_subject_are_told_apart_by_their_other_claims_and_stay_who_they_are() {
    let idp = Idp::new();
    let server = run(&settings(&idp), &[]);
    let publisher = async |claims| server.caller(&idp.token(&claims)).await.unwrap().publisher().into_owned();
    let of = |tenant: &str, exp: u64| json!({"sub": null, "tenant": tenant, "exp": now() + exp});
    let a = publisher(of("a", 100)).await;
    assert_eq!(a, publisher(of("a", 500)).await, "a renewed token is the same publisher's");
    assert_ne!(a, publisher(of("b", 100)).await);
    assert_ne!(a, publisher(json!({"sub": 1, "tenant": "a", "exp": now() + 100})).await);
}

#[tokio::test]
async fn a_token_whose_claims_are_wrong_is_refused() {
    let idp = Idp::new();
    let server = run(&settings(&idp), &[]);
    for bad in [
        json!({"exp": null}),
        json!({"exp": "never"}),
        json!({"exp": (now() + 600).to_string()}),
        json!({"exp": -1}),
        json!({"exp": [now() + 600]}),
        json!({"exp": {}}),
        json!({"exp": true}),
        json!({"nbf": now() + 60}),
        json!({"iat": now() + 60}),
        json!({"iat": 1e19}),
        json!({"nbf": "soon"}),
        json!({"nbf": [1]}),
        json!({"aud": "other"}),
        json!({"aud": []}),
        json!({"aud": {"poke": true}}),
        json!({"aud": ["other"]}),
        json!({"aud": null}),
        json!({"aud": "poke "}),
        json!({"iss": "https://issuer.example/"}),
        json!({"iss": "https://other.example"}),
        json!({"iss": null}),
        json!({"iss": ["https://issuer.example"]}),
    ] {
        assert_eq!(server.caller(&idp.token(&bad)).await.err(), Some(Kind::InvalidCredentials), "{bad}");
    }
    // This alone is told, so that a client knows that a new one will do.
    for late in [json!({"exp": now() - 1}), json!({"exp": 0})] {
        assert_eq!(server.caller(&idp.token(&late)).await.err(), Some(Kind::TokenExpired), "{late}");
    }
    // But not to one who can't prove that it was theirs.
    let forged = Idp::new().token(&json!({"exp": now() - 1}));
    assert_eq!(server.caller(&forged).await.err(), Some(Kind::InvalidCredentials));
}

#[tokio::test]
async fn a_token_that_the_issuers_key_did_not_sign_is_refused() {
    let idp = Idp::new();
    let server = run(&settings(&idp), &[]);
    let good = idp.token(&json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let hmac = |alg: ring::hmac::Algorithm, header: &Value, secret: &[u8]| {
        let message = unsigned(header, &claims(&json!({})));
        let tag = ring::hmac::sign(&ring::hmac::Key::new(alg, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let modulus = URL_SAFE_NO_PAD.decode(RSA_MODULUS).unwrap();
    let none = |alg: &str| format!("{}.", unsigned(&json!({"alg": alg, "kid": "ec"}), &claims(&json!({}))));
    let header = |header: Value| idp.sign(&header, &claims(&json!({})));
    let forger = Idp::new();
    for bad in [
        none("none"),
        none("None"),
        none("ES256"),
        format!("{message}."),
        message.to_owned(),
        format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{message}.{signature}=="),
        format!("{message}.{signature}."),
        format!("{good} {good}"),
        format!("{}.{signature}", unsigned(&json!({"alg": "ES256", "kid": "ec"}), &claims(&json!({"sub": "bob"})))),
        hmac(ring::hmac::HMAC_SHA256, &json!({"alg": "HS256", "kid": "rsa"}), &modulus),
        hmac(ring::hmac::HMAC_SHA256, &json!({"alg": "HS256", "kid": "rsa"}), RSA_MODULUS.as_bytes()),
        hmac(ring::hmac::HMAC_SHA512, &json!({"alg": "HS512"}), b""),
        header(json!({"alg": "ES256", "kid": "rsa"})),
        header(json!({"alg": "RS256", "kid": "ec"})),
        header(json!({"alg": "ES384", "kid": "ec"})),
        header(json!({"kid": "ec"})),
        header(json!({"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": false})),
        // Where the key is, is not for the token to say.
        forger.sign(&json!({"alg": "ES256", "jwk": forger.public("ec"), "kid": "ec"}), &claims(&json!({}))),
        forger.sign(&json!({"alg": "ES256", "jku": "https://evil.example", "kid": "ec"}), &claims(&json!({}))),
        // Allowed algorithms are few unless it is said otherwise.
        PS256.to_owned(),
        String::new(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "poke_".to_owned(),
        "x".repeat(10_000),
        ".".repeat(1000),
    ] {
        assert_eq!(server.caller(&bad).await.err(), Some(Kind::InvalidCredentials), "{bad}");
    }
    assert!(server.caller(&good).await.is_ok() && server.caller(RS256).await.is_ok());
}

#[tokio::test]
async fn the_log_is_told_why_credentials_are_refused_and_nothing_of_them() {
    let idp = Idp::new();
    let server = run(&settings(&idp), &[]);
    let bearer = |token: String| headers(&[&format!("Bearer {token}")]);
    let token = |change: Value| bearer(idp.token(&change));
    let signed = |header: Value| bearer(idp.sign(&header, &claims(&json!({}))));
    for (sent, why) in [
        (headers(&["Basic YW5uOnNlY3JldA=="]), "isn't `Bearer`"),
        (headers(&["Bearer a", "Bearer b"]), "several `authorization` headers"),
        (bearer("poke_secret".into()), "no key in [keys]"),
        (bearer("secret".into()), "neither an API key nor a JWT"),
        (token(json!({"iss": "https://secret.example"})), "no [issuers.NAME] has the `iss`"),
        (signed(json!({"alg": "ES384", "kid": "ec"})), "`alg` isn't one of"),
        (signed(json!({"alg": "ES256", "kid": "secret"})), "no key with the token's `kid`"),
        (bearer(Idp::new().token(&json!({}))), "signature isn't of the issuer's key"),
        (token(json!({"aud": "secret"})), "`aud` is none of"),
        (token(json!({"nbf": now() + 60})), "`nbf` is in the future"),
        (token(json!({"iat": now() + 60})), "`iat` is in the future"),
        (token(json!({"exp": now() - 1})), "`exp` has passed"),
        (token(json!({"exp": null})), "lacks one of the claims"),
        (token(json!({"exp": "secret"})), ""),
    ] {
        let error = server.auth.caller(&sent, None).await.err().unwrap_or_else(|| panic!("{why}"));
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(!cause.is_empty() && cause.contains(why) && !cause.contains("secret"), "{why}: {cause}");
    }
}

#[tokio::test]
async fn an_algorithm_holds_only_where_it_is_allowed() {
    let idp = Idp::new();
    let mut settings = settings(&idp);
    settings.issuers.get_mut("app").unwrap().algorithms = vec![jsonwebtoken::Algorithm::PS256];
    let server = run(&settings, &[]);
    assert!(server.caller(PS256).await.is_ok());
    for other in [RS256.to_owned(), idp.token(&json!({}))] {
        assert_eq!(server.caller(&other).await.err(), Some(Kind::InvalidCredentials));
    }
}

#[tokio::test]
async fn customers_of_two_issuers_are_two_and_others_are_none() {
    let (one, two, third) = (Idp::new(), Idp::new(), Idp::new());
    let mut settings = Settings::default();
    for (alias, idp, customers) in [("one", &one, true), ("two", &two, true), ("third", &third, false)] {
        let mut issuer = issuer(key_file(&json!([idp.public("ec")])));
        (issuer.issuer, issuer.customers) = (alias.into(), customers);
        settings.issuers.insert(alias.into(), issuer);
    }
    let server = run(&settings, &[]);
    for (alias, idp, customer) in
        [("one", &one, Some("one:ann")), ("two", &two, Some("two:ann")), ("third", &third, None)]
    {
        let caller = server.caller(&idp.token(&json!({"iss": alias}))).await.unwrap();
        assert_eq!(caller.customer().map(CustomerId::as_str), customer);
    }
    // When one of them goes, the other's customers have another id.
    let ann = server.caller(&one.token(&json!({"iss": "one"}))).await.unwrap();
    assert!(server.auth.still_knows(&ann).is_ok());
    // One issuer's token is no other's, whoever it says that it is from.
    assert!(server.caller(&one.token(&json!({"iss": "two"}))).await.is_err());
    for nobody in
        [json!({"iss": "one", "sub": null}), json!({"iss": "one", "sub": 7}), json!({"iss": "one", "sub": "a\nb"})]
    {
        assert_eq!(server.caller(&one.token(&nobody)).await.unwrap().customer(), None, "{nobody}");
    }
    settings.issuers.remove("two");
    server.auth.replace(&settings, [], None);
    assert!(server.auth.still_knows(&ann).is_err());
}

proptest::proptest! {
    #[test]
    fn nothing_that_is_sent_makes_a_panic_or_a_caller(bearer in "[ -~]{0,80}|[a-zA-Z0-9_-]{0,40}\\.[a-zA-Z0-9_-]{0,40}\\.[a-zA-Z0-9_-]{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = run(&settings(&Idp::new()), &[]);
            let refused = server.caller(&bearer).await.err();
            proptest::prop_assert_eq!(refused, Some(Kind::InvalidCredentials));
            Ok(())
        })?;
    }
}
