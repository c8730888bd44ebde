//! Bad input of every field and shape gets the documented code, details and message; other streams never notice.

use poke_tests::{
    Config, Publisher, Server, Stream, interest, latest, new_pokes, refusal, request, text,
    v1::{Audience, EndInterestRequest, Interest, Outcome, PublishRequest, poke_service_client::PokeServiceClient},
};
use tonic::Code;

/// A valid request to spoil.
fn fine() -> PublishRequest {
    request(&interest("fine"), Some(text("x")))
}

/// Everything that can be wrong with a Publish, with the code, the reason and the field that the contract names.
fn bad_publishes() -> Vec<(PublishRequest, Code, &'static str, &'static str)> {
    use Code::InvalidArgument;
    let domain = |domain: &str| PublishRequest { domain: domain.into(), ..fine() };
    let filter = |filter: &str| PublishRequest { filter: filter.into(), ..fine() };
    let customer = Audience::Customer as i32;
    let to = |audience, id: &str| PublishRequest { audience, customer_id: id.into(), ..fine() };
    let key = |key: &str| PublishRequest { idempotency_key: key.into(), ..fine() };
    vec![
        (domain(""), InvalidArgument, "INVALID_DOMAIN", "domain"),
        (domain(&"d".repeat(65)), InvalidArgument, "INVALID_DOMAIN", "domain"),
        (domain("A B"), InvalidArgument, "INVALID_DOMAIN", "domain"),
        (domain("PLAYLIST\n"), InvalidArgument, "INVALID_DOMAIN", "domain"),
        (domain("ÄÖ"), InvalidArgument, "INVALID_DOMAIN", "domain"),
        (filter(""), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter(&"f".repeat(257)), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter(&"é".repeat(129)), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter(&"f".repeat(100_000)), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\0b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\nb"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{1b}[2Jb"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{7f}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{9f}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{2028}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{2029}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{61c}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{200e}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{202e}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (filter("a\u{2067}b"), InvalidArgument, "INVALID_FILTER", "filter"),
        (to(99, ""), InvalidArgument, "INVALID_AUDIENCE", "audience"),
        (to(-1, ""), InvalidArgument, "INVALID_AUDIENCE", "audience"),
        (to(0, "customer"), InvalidArgument, "INVALID_CUSTOMER", "customer_id"),
        (to(customer, ""), InvalidArgument, "INVALID_CUSTOMER", "customer_id"),
        (to(customer, "a\nb"), InvalidArgument, "INVALID_CUSTOMER", "customer_id"),
        (to(customer, &"c".repeat(257)), InvalidArgument, "INVALID_CUSTOMER", "customer_id"),
        (key(&"k".repeat(129)), InvalidArgument, "INVALID_IDEMPOTENCY_KEY", "idempotency_key"),
        (key("ké"), InvalidArgument, "INVALID_IDEMPOTENCY_KEY", "idempotency_key"),
        (key("a\u{7}b"), InvalidArgument, "INVALID_IDEMPOTENCY_KEY", "idempotency_key"),
    ]
}

#[tokio::test]
async fn bad_input_gets_its_code_reason_and_field_and_is_never_echoed() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let mut bystander = server.subscribe([new_pokes(interest("fine"))]).await;
    bystander.live(Outcome::Fresh).await;
    for (bad, code, reason, field) in bad_publishes() {
        let status = publisher.send(bad.clone()).await.expect_err(reason);
        let refused = refusal(&status);
        assert_eq!((refused.code, refused.reason.as_str()), (code, reason), "{status:?}");
        assert_eq!(refused.fields, [field], "{reason}");
        assert_eq!(refused.retry, None, "{reason}: a retry can't help");
        for input in [&bad.domain, &bad.filter, &bad.customer_id, &bad.idempotency_key] {
            // The fields that are fine may be words of the message.
            let odd = input.len() > 8 || !input.is_ascii() || input.contains(char::is_control);
            assert!(!odd || !refused.message.contains(input.as_str()), "{reason}: the input is echoed");
        }
    }
    publisher.poke(&interest("fine"), "untouched").await;
    assert_eq!(bystander.data(1).await, ["untouched"], "other streams never notice");
    assert!(server.metrics().await.sum_where("poke_publish_refused_total", "invalid_argument") >= 20.0);
}

#[tokio::test]
async fn several_mistakes_are_named_together() {
    let server = Server::start(Config::new()).await;
    let all = PublishRequest {
        domain: "a b".into(),
        filter: "\n".into(),
        data: Some(poke_tests::Data::default()),
        audience: Audience::Customer as i32,
        customer_id: "\0".into(),
        idempotency_key: "ü".into(),
    };
    let mut publisher = server.publisher().await;
    let mut fields = refusal(&publisher.send(all.clone()).await.expect_err("all is wrong")).fields;
    fields.sort();
    assert_eq!(fields, ["customer_id", "data", "domain", "filter", "idempotency_key"]);
    let unknown = PublishRequest { audience: 9, ..all };
    let mut fields = refusal(&publisher.send(unknown).await.expect_err("all is wrong")).fields;
    fields.sort();
    assert_eq!(fields, ["audience", "data", "domain", "filter", "idempotency_key"]);
    // Never more than eight, as the details have to stay small.
    let misspelt: String = (0..20).map(|n| format!(r#","f{n}":1"#)).collect();
    let url = format!("{}/poke.v1.PokeService/Publish", server.url());
    let answer = poke_tests::http::post(&url, "application/json", format!(r#"{{"domain":""{misspelt}}}"#)).await;
    assert_eq!(answer.json()["details"][1]["debug"]["fieldViolations"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn no_input_can_forge_a_line_of_the_log() {
    let config = Config::new().text("log.level", "trace,h2=info,hyper=info,hyper_util=info");
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let forged = "x\nFORGED \u{1b}[31mERROR\u{1b}[0m line \u{2028} FORGED";
    for bad in [
        PublishRequest { domain: forged.into(), ..fine() },
        PublishRequest { filter: forged.into(), ..fine() },
        PublishRequest { customer_id: forged.into(), ..fine() },
        PublishRequest { idempotency_key: forged.into(), ..fine() },
    ] {
        publisher.send(bad).await.expect_err("it is malformed");
    }
    // Valid, and shown nowhere raw: data is the users'.
    publisher.publish(&interest("C:\\new\\x1b[31m"), text(forged)).await;
    drop(server.subscribe([new_pokes(interest(forged)), latest(interest("C:\\new\\x1b[31m"))]).await);
    server.metric_becomes("poke_streams_open", |streams| streams == 0.0).await;
    for line in server.log() {
        assert!(!line.starts_with("FORGED") && !line.contains('\u{1b}') && !line.contains('\u{2028}'), "{line:?}");
    }
}

#[tokio::test]
async fn a_domain_that_is_not_configured_is_unknown() {
    let server = Server::start(Config::without_domains().open("SCORE")).await;
    let mut publisher = server.publisher().await;
    let refused = refusal(&publisher.send(fine()).await.expect_err("PLAYLIST isn't configured"));
    assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "UNKNOWN_DOMAIN"));
    assert!(!refused.message.contains("PLAYLIST"));
    let score = Interest { domain: "SCORE".into(), ..interest("7") };
    let mut stream = server.subscribe([new_pokes(interest("7")), new_pokes(score.clone())]).await;
    let poke_tests::Event::Rejected(rejected) = stream.next().await else { panic!("not rejected") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (Code::NotFound as i32, "UNKNOWN_DOMAIN"));
    stream.live(Outcome::Fresh).await;
    publisher.poke(&score, "1:0").await;
    assert_eq!(stream.data(1).await, ["1:0"]);
}

#[tokio::test]
async fn naming_the_audience_that_a_domain_is_not_for_is_refused() {
    let config = Config::new().open("MINE").text("domains.MINE.audience", "customer");
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let customer = Audience::Customer as i32;
    let to_customer = PublishRequest { audience: customer, customer_id: "c-1".into(), ..fine() };
    let to_everyone = PublishRequest { domain: "MINE".into(), ..fine() };
    for wrong in [to_customer, to_everyone] {
        let refused = refusal(&publisher.send(wrong).await.expect_err("the other audience"));
        assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "WRONG_AUDIENCE"));
    }
    let mine = Interest { domain: "MINE".into(), ..interest("7") };
    let mut stream = server.subscribe([new_pokes(mine), new_pokes(interest("open"))]).await;
    let poke_tests::Event::Rejected(rejected) = stream.next().await else { panic!("not rejected") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (Code::FailedPrecondition as i32, "WRONG_AUDIENCE"));
    stream.live(Outcome::Fresh).await;
}

#[tokio::test]
async fn where_no_issuer_names_customers_nobody_listens_to_a_customers_domain_and_the_operator_is_told() {
    let server = Server::start(Config::new().open("MINE").text("domains.MINE.audience", "customer")).await;
    let mine = Interest { domain: "MINE".into(), audience: Audience::Customer as i32, ..interest("7") };
    let mut stream = server.subscribe([new_pokes(mine)]).await;
    let poke_tests::Event::Rejected(rejected) = stream.next().await else { panic!("not rejected") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (Code::Unauthenticated as i32, "CUSTOMER_REQUIRED"));
    assert_eq!(stream.end().await.code(), Code::Ok);
    let log = server.log();
    let says = |words: [&str; 2]| log.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(says(["\"WARN\"", "[domains.MINE]: nobody may listen to it"]), "the operator is told: {log:#?}");
    assert!(says(["\"message\":\"started\"", &server.url()]), "and where it listens: {log:#?}");
}

#[tokio::test]
async fn the_server_holds_so_many_streams_and_no_more() {
    let server = Server::start(Config::new().set("limits.streams", 2)).await;
    let mut client = server.connect().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(Stream::open(&mut client, [new_pokes(interest("x"))]).await);
    }
    let status = Stream::try_open(&mut client, [new_pokes(interest("x"))]).await.expect_err("a third");
    let refused = refusal(&status);
    assert!(refused.message.starts_with("the server has reached"), "{}", refused.message);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_STREAMS"));
    assert!(refused.retry.is_some());
    // The place of one that leaves is free.
    held.pop();
    poke_tests::eventually("a free place", async || {
        Stream::try_open(&mut client, [new_pokes(interest("x"))]).await.ok().map(drop)
    })
    .await;
}

/// The frames of a client that is full by SETTINGS: it waits, as HTTP/2 has it, and its stream opens when another has left.
#[tokio::test]
async fn on_a_connection_that_has_all_its_streams_the_next_one_waits_and_is_not_refused() {
    let server = Server::start(Config::new().set("limits.streams_per_connection", 3)).await;
    let mut client = server.connect().await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Stream::open(&mut client, [new_pokes(interest("x"))]).await);
    }
    let mut waits = tokio::spawn(async move { Stream::open(&mut client, [new_pokes(interest("x"))]).await });
    // Another connection has room, for streams and for calls.
    let mut other = server.subscribe([new_pokes(interest("x"))]).await;
    other.live(Outcome::Fresh).await;
    server.publisher().await.poke(&interest("x"), "from another connection").await;
    assert_eq!(other.data(1).await, ["from another connection"]);
    assert!(!waits.is_finished());
    held.pop();
    poke_tests::within("the stream that waited", &mut waits).await.expect("it opens").live(Outcome::Fresh).await;
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("poke_requests_refused_total"), 0.0, "a client that keeps to SETTINGS is refused nothing");
    assert_eq!(metrics.sum("poke_subscribe_refused_total"), 0.0);
}

#[tokio::test]
async fn one_request_with_too_large_headers_harms_no_other_on_its_connection() {
    let server = Server::start(Config::new()).await;
    let channel = server.channel().await;
    let mut stream = Stream::open(&mut PokeServiceClient::new(channel.clone()), [new_pokes(interest("x"))]).await;
    stream.live(Outcome::Fresh).await;
    let mut publisher = Publisher::new(channel);
    for kib in [17, 40, 70, 200] {
        let mut large = tonic::Request::new(request(&interest("x"), Some(text("too large"))));
        large.metadata_mut().insert("x-large", "v".repeat(kib << 10).parse().unwrap());
        let status = publisher.send(large).await.expect_err("too large");
        let refused = refusal(&status);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "HEADERS_TOO_LARGE"), "{kib}");
        publisher.poke(&interest("x"), &kib.to_string()).await;
        assert_eq!(stream.data(1).await, [kib.to_string()]);
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum_where("poke_requests_refused_total", "header_bytes"), 4.0);
    assert_eq!(metrics.sum("poke_connections_opened_total"), 1.0);
}

#[tokio::test]
async fn a_stream_that_was_told_to_move_does_not_count_against_the_limits() {
    let config = Config::new().set("limits.streams", 1).text("stream.max_age", "1s").text("stream.move_timeout", "60s");
    let server = Server::start(config).await;
    let mut old = server.subscribe([new_pokes(interest("x"))]).await;
    old.asked_to_move().await;
    let mut new = server.subscribe([new_pokes(interest("x"))]).await;
    new.live(Outcome::Fresh).await;
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let server = Server::start(Config::new()).await;
    for path in ["/poke.v1.PokeService/Nudge", "/poke.v2.PokeService/Publish", "/nothing.at.All/X"] {
        let codec = tonic_prost::ProstCodec::<PublishRequest, PublishRequest>::default();
        let mut grpc = tonic::client::Grpc::new(server.channel().await);
        grpc.ready().await.unwrap();
        let answer = grpc.unary(tonic::Request::new(fine()), http::uri::PathAndQuery::from_static(path), codec);
        let refused = refusal(&answer.await.expect_err(path));
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Unimplemented, "UNKNOWN_METHOD"), "{path}");
    }
}

#[tokio::test]
async fn ends_that_can_not_be_kept_are_refused_for_now() {
    let config = Config::new().text("retention.ends_budget", "1MiB");
    let server = Server::start(config).await;
    let mut client = server.connect().await;
    let mut full = None;
    for i in 0..100 {
        let request = EndInterestRequest {
            domain: "PLAYLIST".into(),
            filter: i.to_string(),
            data: Some(text(&"x".repeat(100_000))),
            ..Default::default()
        };
        if let Err(status) = client.end_interest(request).await {
            full = Some(status);
            break;
        }
    }
    let refused = refusal(&full.expect("10 MB of ends don't fit into 1 MiB"));
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "BACKPLANE_UNAVAILABLE"));
    assert_eq!(refused.retry, Some(std::time::Duration::from_secs(30)), "room comes as ends expire, not in a second");
    for _ in 0..50 {
        let request = EndInterestRequest { domain: "PLAYLIST".into(), filter: "one more".into(), ..Default::default() };
        client.end_interest(request).await.expect_err("still full");
    }
    server.metric_becomes("poke_ends_bytes", |bytes| bytes >= f64::from(1 << 20)).await;
    let warnings = server.log().iter().filter(|line| line.contains("retention.ends_budget")).count();
    assert!((1..=5).contains(&warnings), "{warnings} warnings of more than 50 refusals");
    server.publisher().await.poke(&interest("another"), "pokes are taken").await;
}
