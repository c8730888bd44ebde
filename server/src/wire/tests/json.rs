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
            ("Filter", "INVALID_REQUEST"),
            ("", "INVALID_REQUEST"),
        ]
    );
    for (text, message) in [
        (r#"{"fliter":"f"}"#, "fliter isn't a field of this request"),
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
        assert_eq!(error.message(), "a name that isn't a field of this request");
        assert_eq!(error.kind(), Kind::InvalidRequest);
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
    assert_eq!(subscribe("{}").unwrap(), v1::SubscribeRequest::default());
}

#[test]
fn a_subscribe_that_is_misspelt_is_told_so_without_its_values() {
    for (text, message) in [
        (r#"{"subscription":[]}"#, "subscription isn't a field of this request"),
        (r#"{"subscriptions":[{"interest":{"fliter":"SECRET"}}]}"#, "fliter isn't a field of this request"),
        (r#"{"subscriptions":"SECRET"}"#, "the request isn't a SubscribeRequest in JSON (line 1, column 25)"),
        (r#"{"subscriptions":[{"after":{},"latest":{}}]}"#, "a subscription has either after or latest"),
        (r#"{"subscriptions":[{"after":{"sequence":"SECRET"}}]}"#, "sequence must be a 64-bit integer"),
        ("[", "the request isn't a SubscribeRequest in JSON (line 1, column 1)"),
    ] {
        let shown = connect(&subscribe(text).unwrap_err()).to_string();
        assert!(shown.contains(message) && !shown.contains("SECRET"), "{text}: {shown}");
    }
}

#[test]
fn an_event_in_json_is_proto_json() {
    let event = |event| {
        let json = event_in_json(&frame::event(event));
        assert_eq!((json[0], json[1..5].to_vec()), (0, u32::try_from(json.len() - 5).unwrap().to_be_bytes().to_vec()));
        serde_json::from_slice::<Value>(&json[5..]).unwrap()
    };
    let poke = |data| {
        let position = Some(v1::Position { epoch: "e".into(), sequence: i64::MAX });
        let poke = v1::Poke { domain: "D".into(), filter: "f".into(), data, position, ..Default::default() };
        event(v1::subscribe_response::Event::Poke(poke))
    };
    let expected =
        json!({"poke": {"domain": "D", "filter": "f", "position": {"epoch": "e", "sequence": "9223372036854775807"}}});
    assert_eq!(poke(None), expected);
    for data in
        [json!(null), json!(""), json!("x"), json!([]), json!({"a": [1.5, true, null, {"é": 9007199254740991.0}]})]
    {
        let mut expected = expected.clone();
        expected["poke"]["data"] = data.clone();
        assert_eq!(poke(Some(Data::from_value(&data).unwrap())), expected);
    }
    let heartbeat = v1::Heartbeat { checkpoints: vec![v1::Position::default()] };
    assert_eq!(event(v1::subscribe_response::Event::Heartbeat(heartbeat)), json!({"heartbeat": {"checkpoints": [{}]}}));
    let reconnect = v1::Reconnect {
        max_delay: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
        reason: v1::ReconnectReason::Drain.into(),
        ..Default::default()
    };
    let expected = json!({"reconnect": {"maxDelay": "1.500s", "reason": "RECONNECT_REASON_DRAIN"}});
    assert_eq!(event(v1::subscribe_response::Event::Reconnect(reconnect)), expected);
}
