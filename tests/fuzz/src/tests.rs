//! Inputs that are nearly right: whatever they are, they come to one good change or two from what is accepted.

use poke_proto::{Data, v1::PublishRequest};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{Publication, bearer, call, config, publish, valid_token, wire};

/// A change of bytes.
#[derive(Clone, Debug)]
enum Spoiling {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index, u8),
}

impl Spoiling {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            _ if bytes.is_empty() => {}
            Self::Flip(at, bits) => *at.get_mut(bytes) ^= bits,
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Repeat(from, to, times) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[from.min(to)..from.max(to)].repeat(usize::from(*times));
                bytes.splice(from..from, part);
            }
        }
    }
}

fn spoiling() -> impl Strategy<Value = Spoiling> {
    prop_oneof![
        (any::<Index>(), 1_u8..).prop_map(|(at, bits)| Spoiling::Flip(at, bits)),
        any::<Index>().prop_map(Spoiling::Cut),
        (any::<Index>(), vec(any::<u8>(), 1..12)).prop_map(|(at, more)| Spoiling::Insert(at, more)),
        (any::<Index>(), any::<Index>(), 1_u8..20).prop_map(|(from, to, times)| Spoiling::Repeat(from, to, times)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no other", |number| number.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(28, 60, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect()))
        ]
    })
}

/// What no error may repeat.
const SECRET: &str = "QZX-do-not-repeat-this";

fn publication() -> impl Strategy<Value = Publication> {
    let names = (
        prop_oneof![Just("PLAYLIST".to_owned()), "[A-Za-z0-9_.-]{1,64}", any::<String>()],
        prop_oneof![".{1,40}", any::<String>(), "[a-z]{250,260}"],
        prop_oneof![Just(String::new()), "[ -~]{1,128}", any::<String>()],
    );
    (names, prop::option::of(value()), any::<u8>(), any::<bool>()).prop_map(|(names, data, protocol, gzip)| {
        let (domain, filter, idempotency_key) = names;
        let data = data.and_then(|data| Data::from_value(&data).ok());
        let request = PublishRequest { domain, filter, data, idempotency_key, ..Default::default() };
        Publication { request, protocol, gzip }
    })
}

/// Lines of a configuration file, sound ones and others, in any order.
fn lines() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        "(stream|limits|retention|drain|log|tls|rates|jwks|cors|listen|admin)\\.[a-z_]{1,20}",
        Just("stream.max_age".to_owned()),
        Just("limits.connections".to_owned()),
        Just("retention.budget".to_owned()),
        Just("listen.addresses".to_owned()),
        Just("cors.origins".to_owned()),
        Just("reflection".to_owned()),
        Just("log.level".to_owned()),
    ];
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        "\"[0-9]{1,6}(ms|s|m|h|d|B|KiB|MiB|GiB)\"",
        "\"(off|on|info|debug|h2=trace|127\\.0\\.0\\.1:0|unix:/x|\\*|https://a\\.example)\"",
        "\\[(\"[a-z:/.0-9*]{0,20}\",?){0,3}\\]",
        any::<String>().prop_map(|text| format!("{text:?}")),
    ];
    let section = prop_oneof![
        Just("[domains.PLAYLIST]".to_owned()),
        Just("[domains.\"*\"]".to_owned()),
        "\\[domains\\.[a-z\"/*]{1,8}\\]",
        Just("[keys]".to_owned()),
        "\\[issuers\\.[a-z]{1,4}\\]",
        Just("audience = \"customer\"".to_owned()),
        Just("publishers = [\"key:a\"]".to_owned()),
        "[a-z_]{1,12} = [\"a-z0-9{}=,]{0,20}",
    ];
    let line = prop_oneof![(key, value).prop_map(|(key, value)| format!("{key} = {value}")), section];
    vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_request_has_an_answer_and_no_error_repeats_it(
        mut publication in publication(), spoilings in vec(spoiling(), 0..3), marked in any::<[bool; 3]>(),
    ) {
        // A control character, a length, a character beyond ASCII: each makes a field with the secret in it wrong.
        let request = &mut publication.request;
        if marked[0] { request.domain = format!("{SECRET}/{}", request.domain) }
        if marked[1] { request.filter = format!("{SECRET}\n{}", request.filter) }
        if marked[2] { request.idempotency_key = format!("{SECRET}\u{e9}{}", request.idempotency_key) }
        let answer = publish(&publication, |body| spoilings.iter().for_each(|spoiling| spoiling.apply(body)));
        if spoilings.is_empty() && marked.contains(&true) {
            prop_assert!(!answer.accepted);
        }
        if !answer.accepted {
            prop_assert!(!answer.said.contains(SECRET), "{}", answer.said);
        }
    }

    #[test]
    fn a_sound_request_is_accepted_in_every_protocol(
        filter in "[a-z]{1,40}", data in prop::option::of(value()), protocol in 0_u8..5, gzip in any::<bool>(),
    ) {
        let data = data.and_then(|data| Data::from_value(&data).ok());
        let request = PublishRequest { domain: "PLAYLIST".into(), filter, data, ..Default::default() };
        let answer = publish(&Publication { request, protocol, gzip }, |_| ());
        prop_assert!(answer.accepted, "{}", answer.said);
    }

    #[test]
    fn any_bytes_are_answered(input in vec(prop_oneof![any::<u8>(), 0_u8..0x34], 0..300)) {
        call(&input);
        wire(&input);
        bearer(&input);
    }

    #[test]
    fn spoiled_data_is_refused_or_read_by_everyone(value in value(), spoilings in vec(spoiling(), 1..4)) {
        if let Ok(data) = Data::from_value(&value) {
            let mut bytes = data.as_bytes().to_vec();
            spoilings.iter().for_each(|spoiling| spoiling.apply(&mut bytes));
            wire(&bytes);
        }
    }

    #[test]
    fn any_configuration_is_printed_so_that_it_reads_back_or_refused_in_words(
        lines in lines(), spoilings in vec(spoiling(), 0..2),
    ) {
        let mut bytes = lines.into_bytes();
        spoilings.iter().for_each(|spoiling| spoiling.apply(&mut bytes));
        config(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_token_holds_until_a_byte_of_it_is_another(claims in value(), spoiling in spoiling()) {
        let claims = json!({"more": claims});
        let token = valid_token(&json!({}), &claims);
        let holds = bearer(format!("Bearer {token}").as_bytes());
        prop_assert!(holds);
        let mut spoiled = token.clone().into_bytes();
        spoiling.apply(&mut spoiled);
        // Spaces around a token aren't part of it; and base64 without padding has no second form here.
        let same = spoiled == token.as_bytes() || spoiled.trim_ascii() == token.as_bytes();
        prop_assert_eq!(bearer(&[b"Bearer ", &spoiled[..]].concat()), same);
    }

    #[test]
    fn what_a_header_says_of_itself_is_not_believed(
        algorithm in prop_oneof!["none|None|NONE|HS256|HS384|HS512|RS256|ES256|PS256|EdDSA", ".{0,8}"],
        kid in prop::option::of("k|.{0,10}"), claims in value(),
    ) {
        let token = valid_token(&json!({"alg": algorithm, "kid": kid}), &claims);
        let names_all = algorithm == "EdDSA" && kid.as_deref().is_none_or(|kid| kid == "k");
        let token_holds = bearer(format!("Bearer {token}").as_bytes());
        prop_assert!(!token_holds || names_all, "{token}");
    }
}

#[test]
fn some_configurations_are_accepted() {
    assert!(config("[domains.\"*\"]\n"));
    assert!(config("reflection = false\n[domains.PLAYLIST]\naudience = \"customer\"\n"));
    assert!(!config(""));
}
