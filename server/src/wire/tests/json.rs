//! The JSON forms.

use super::*;

fn from_json(text: &str) -> Result<v1::PublishRequest, Error> {
    let mut faults = Faults::default();
    let request = UnaryRequest::from_json(text, &mut faults)?;
    faults.into_result().map(|()| request)
}

#[test]
fn json_takes_both_spellings_of_a_name() {
    assert_eq!(from_json(&publish_json()).unwrap(), publish());
    let snake = publish_json().replace("customerId", "customer_id").replace("idempotency_key", "idempotencyKey");
    assert_eq!(from_json(&snake).unwrap(), publish());
    let numbered = publish_json().replace("\"AUDIENCE_CUSTOMER\"", "1");
    assert_eq!(from_json(&numbered).unwrap(), publish());
    let escaped = publish_json().replace("domain", "d\\u006fmain");
    assert_eq!(from_json(&escaped).unwrap(), publish());
}

#[test]
fn in_json_null_is_data_and_elsewhere_absence() {
    assert_eq!(from_json("{}").unwrap(), v1::PublishRequest::default());
    assert_eq!(
        from_json(r#"{"domain":null,"audience":null,"customerId":null}"#).unwrap(),
        v1::PublishRequest::default()
    );
    assert_eq!(from_json(r#"{"data":null}"#).unwrap().data, Some(Data::null()));
    assert_eq!(from_json(r#"{"data":""}"#).unwrap().data, Some(Data::string("")));
    assert_eq!(from_json(r#"{"audience":7}"#).unwrap().audience, 7);
}

#[test]
fn json_names_every_mistake_at_once() {
    let error = from_json(r#"{"domain":1,"Filter":"f","data":9007199254740993,"audience":"ALL","domain":"D","x y":1}"#);
    let shown = connect(&error.unwrap_err());
    let violations: Vec<_> = shown["details"][1]["debug"]["fieldViolations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| (violation["field"].as_str().unwrap(), violation["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        violations,
        [
            ("domain", "INVALID_REQUEST"),
            ("data", "INVALID_DATA"),
            ("audience", "INVALID_AUDIENCE"),
            ("Filter", "UNSUPPORTED_FIELD"),
            ("", "UNSUPPORTED_FIELD"),
        ]
    );
    for (text, message) in [
        (r#"{"fliter":"f"}"#, "this server doesn't know the field fliter"),
        (r#"{"domain":"a","domain":"b"}"#, "domain must be given once"),
        (r#"{"customer_id":"a","customerId":"b"}"#, "customer_id must be given once"),
        (r#"{"audience":1.5}"#, "audience must be the name or the number of one"),
        (r#"{"filter":["f"]}"#, "filter must be a string"),
        (r#"{"filter":"\ud800"}"#, "filter must be a string"),
        (r#"{"domain" "D"}"#, "the request isn't a JSON object (line 1, column 11)"),
        ("[]", "the request isn't a JSON object (line 1, column 0)"),
        ("", "the request isn't a JSON object (line 1, column 0)"),
    ] {
        assert_eq!(from_json(text).unwrap_err().message(), message, "{text}");
    }
}

#[test]
fn json_never_repeats_what_could_harm() {
    let long = "n".repeat(65);
    for name in ["a\\nb", "<b> </b>", "\u{202e}x", &long] {
        let error = from_json(&format!("{{\"{name}\":1}}")).unwrap_err();
        assert_eq!(error.message(), "this server doesn't know a field of the request");
        assert_eq!(error.kind(), Kind::UnsupportedField);
    }
    let many: String = (0..10_000).map(|n| format!("\"secret{n}\":1,")).collect();
    let error = from_json(&format!("{{{many}\"z\":1}}")).unwrap_err();
    assert_eq!(error.message(), "the request has more than 64 fields");
    assert!(error.to_status().details().len() < 4096);
}

#[test]
fn data_that_no_poke_can_hold_is_refused_for_its_size_whatever_else_is_wrong() {
    let items = "1,".repeat(50_000);
    let error = from_json(&format!(r#"{{"fliter":"f","data":[{items}1]}}"#)).unwrap_err();
    assert!(matches!(error.kind(), Kind::PokeTooLarge { limit: 131_072, .. }), "{error}");
}

#[test]
fn the_log_does_not_hear_what_was_sent_either() {
    for text in [r#""hunter2""#, r#"{"domain":"hunter2" "filter":1}"#, "hunter2", r#"["hunter2"]"#] {
        let error = from_json(text).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("line 1") && !cause.contains("hunter2"), "{cause}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn the_end_of_an_interest_has_the_same_json() {
    let mut faults = Faults::default();
    let request = v1::EndInterestRequest::from_json(&publish_json(), &mut faults).unwrap();
    faults.into_result().unwrap();
    let v1::PublishRequest { domain, filter, data, audience, customer_id, idempotency_key } = publish();
    assert_eq!(request, v1::EndInterestRequest { domain, filter, data, audience, customer_id, idempotency_key });
    let position = Some(v1::Position { epoch: "e".into(), sequence: 3 });
    let shown = v1::EndInterestResponse { position }.to_json();
    assert_eq!(shown, r#"{"position":{"epoch":"e","sequence":"3"}}"#);
}

fn subscribe(text: &str) -> Result<v1::SubscribeRequest, Error> {
    StreamRequest::from_json(text)
}

#[test]
fn a_subscribe_in_json_has_every_start() {
    let text = r#"{"subscriptions":[
        {"interest":{"domain":"A","filter":"b"}},
        {"interest":{"domain":"A","filter":"c","audience":"AUDIENCE_CUSTOMER"},"after":{"epoch":"e","sequence":"7"}},
        {"interest":{"domain":"A","filter":"c","audience":7},"after":{"sequence":8}},
        {"interest":{"filter":"d"},"latest":{}},
        {}
    ]}"#;
    let interest = |domain: &str, filter: &str, audience| {
        Some(v1::Interest { domain: domain.into(), filter: filter.into(), audience })
    };
    let after =
        |epoch: &str, sequence| Some(v1::subscription::Start::After(v1::Position { epoch: epoch.into(), sequence }));
    let expected = [
        (interest("A", "b", 0), None),
        (interest("A", "c", 1), after("e", 7)),
        (interest("A", "c", 7), after("", 8)),
        (interest("", "d", 0), Some(v1::subscription::Start::Latest(v1::Latest {}))),
        (None, None),
    ];
    let subscriptions = expected.map(|(interest, start)| v1::Subscription { interest, start }).to_vec();
    assert_eq!(subscribe(text).unwrap(), v1::SubscribeRequest { subscriptions });
    for nothing in ["{}", r#"{"subscriptions":null}"#] {
        assert_eq!(subscribe(nothing).unwrap(), v1::SubscribeRequest::default());
    }
    let text = r#"{"subscriptions":[
        {"interest":{"domain":null,"filter":null,"audience":null},"after":{"epoch":null,"sequence":null},"latest":null}
    ]}"#;
    let start = after("", 0);
    let empty = v1::Subscription { interest: interest("", "", 0), start };
    assert_eq!(subscribe(text).unwrap(), v1::SubscribeRequest { subscriptions: vec![empty] }, "null is absence");
}

#[test]
fn a_subscribe_that_is_misspelt_is_told_so_without_its_values() {
    for (text, message) in [
        (r#"{"subscription":[]}"#, "this server doesn't know the field subscription"),
        (r#"{"subscriptions":[{"interest":{"fliter":"SECRET"}}]}"#, "this server doesn't know the field fliter"),
        (r#"{"subscriptions":"SECRET"}"#, "the request isn't a SubscribeRequest in JSON (line 1, column 25)"),
        (r#"{"subscriptions":[{"after":{},"latest":{}}]}"#, "a subscription has either after or latest"),
        (r#"{"subscriptions":[{"after":{"sequence":"SECRET"}}]}"#, "sequence must be a 64-bit integer"),
        ("[", "the request isn't a SubscribeRequest in JSON (line 1, column 1)"),
    ] {
        let shown = connect(&subscribe(text).unwrap_err()).to_string();
        assert!(shown.contains(message) && !shown.contains("SECRET"), "{text}: {shown}");
    }
}

fn in_json(event: v1::subscribe_response::Event) -> Value {
    let json = event_in_json(&frame::event(event));
    assert_eq!((json[0], json[1..5].to_vec()), (0, u32::try_from(json.len() - 5).unwrap().to_be_bytes().to_vec()));
    serde_json::from_slice(&json[5..]).unwrap()
}

#[test]
fn data_in_json_is_what_was_published() {
    let poke = |data| {
        let position = Some(v1::Position { epoch: "e".into(), sequence: i64::MAX });
        let poke = v1::Poke { domain: "D".into(), filter: "f".into(), data, position, ..Default::default() };
        in_json(v1::subscribe_response::Event::Poke(poke))
    };
    let expected =
        json!({"poke": {"domain": "D", "filter": "f", "position": {"epoch": "e", "sequence": "9223372036854775807"}}});
    assert_eq!(poke(None), expected);
    let deepest = |open: &str, close: &str| {
        let (open, close) = (open.repeat(MAX_DATA_DEPTH), close.repeat(MAX_DATA_DEPTH));
        serde_json::from_str(&format!("{open}0{close}")).unwrap()
    };
    for data in [
        json!(null),
        json!(""),
        json!("x"),
        json!("\0\u{1F600}\"\\"),
        json!([]),
        json!({}),
        json!({"a": [1.5, true, null, {"é": -7}]}),
        // Whole numbers come as they were published, as long as they are exact.
        json!([0, 1, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64, 9_007_199_254_740_992.0, 1e300, 5e-324]),
        deepest("[", "]"),
        deepest("{\"a\":", "}"),
    ] {
        let mut expected = expected.clone();
        expected["poke"]["data"] = data.clone();
        assert_eq!(poke(Some(Data::from_value(&data).unwrap())), expected);
    }
}

#[test]
fn every_event_has_a_form_in_json() {
    use v1::subscribe_response::Event;

    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 500_000_000 });
    let interest = Some(v1::Interest { domain: "D".into(), filter: "f".into(), audience: 1 });
    let place = Some(v1::Position { epoch: "e".into(), sequence: 7 });
    let shown = json!({"domain": "D", "filter": "f", "audience": "AUDIENCE_CUSTOMER"});
    let at = json!({"epoch": "e", "sequence": "7"});
    let limits = v1::Limits { max_interests: 100, retention_window: seconds(600), ..Default::default() };
    for (event, expected) in [
        (
            Event::Welcome(v1::Welcome {
                stream_id: "s".into(),
                heartbeat_interval: seconds(20),
                limits: Some(limits),
                reconnect_spread: Some(prost_types::Duration::default()),
            }),
            json!({"welcome": {
                "streamId": "s",
                "heartbeatInterval": "20.500s",
                "limits": {"maxInterests": 100, "retentionWindow": "600.500s"},
                "reconnectSpread": "0s",
            }}),
        ),
        (
            Event::Subscribed(v1::Subscribed { interest: interest.clone(), position: place.clone(), outcome: 2 }),
            json!({"subscribed": {"interest": shown, "position": at, "outcome": "OUTCOME_RECOVERED"}}),
        ),
        (
            Event::Rejected(v1::Rejected { code: 3, reason: "R".into(), ..Default::default() }),
            json!({"rejected": {"code": 3, "reason": "R"}}),
        ),
        (
            Event::Poke(v1::Poke {
                publish_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5_000_000 }),
                ..Default::default()
            }),
            json!({"poke": {"publishTime": "2023-11-14T22:13:20.005Z"}}),
        ),
        (
            Event::Gap(v1::Gap { interest, reason: 3, missed_count: Some(0), ..Default::default() }),
            json!({"gap": {"interest": shown, "reason": "GAP_REASON_LAGGED", "missedCount": "0"}}),
        ),
        (
            Event::Ended(v1::Ended { data: Some(Data::null()), position: place, ..Default::default() }),
            json!({"ended": {"data": null, "position": at}}),
        ),
        (
            Event::Ended(v1::Ended { data: Some(Data::string("")), ..Default::default() }),
            json!({"ended": {"data": ""}}),
        ),
        (Event::Ended(v1::Ended::default()), json!({"ended": {}})),
        (
            Event::Heartbeat(v1::Heartbeat { checkpoints: vec![v1::Position::default()] }),
            json!({"heartbeat": {"checkpoints": [{}]}}),
        ),
        (
            Event::Reconnect(v1::Reconnect { max_delay: seconds(1), reason: 1, ..Default::default() }),
            json!({"reconnect": {"maxDelay": "1.500s", "reason": "RECONNECT_REASON_DRAIN"}}),
        ),
        // A reason that this server doesn't know, passed on from another.
        (Event::Gap(v1::Gap { reason: 77, ..Default::default() }), json!({"gap": {"reason": 77}})),
    ] {
        assert_eq!(in_json(event), expected);
    }
}
