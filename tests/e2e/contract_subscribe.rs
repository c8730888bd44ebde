//! What the contract promises about a stream and its interests.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use poke_tests::{
    Config, Event, PATIENCE, Server, Stream, interest, new_pokes, refusal, text,
    v1::{Audience, Interest, Outcome, Position, Subscription, subscription::Start},
};
use tonic::Code;

#[tokio::test]
async fn headers_and_welcome_come_at_once_without_any_traffic() {
    let server = Server::start(Config::new()).await;
    let mut client = server.connect().await;
    // The first call pays for what is made lazily.
    drop(Stream::open(&mut client, [new_pokes(interest("warm"))]).await);
    let mut fastest = PATIENCE;
    for _ in 0..10 {
        let start = Instant::now();
        drop(Stream::open(&mut client, [new_pokes(interest("quiet"))]).await);
        fastest = fastest.min(start.elapsed());
    }
    // Of ten, because one can be delayed by whatever else the machine does.
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}

#[tokio::test]
async fn the_welcome_names_the_stream_and_the_limits() {
    let server = Server::start(Config::new()).await;
    let first = server.subscribe([new_pokes(interest("a"))]).await;
    let second = server.subscribe([new_pokes(interest("a"))]).await;
    let welcome = first.welcome();
    assert!(!welcome.stream_id.is_empty());
    assert_ne!(welcome.stream_id, second.welcome().stream_id);
    let limits = welcome.limits.as_ref().expect("limits");
    assert_eq!((limits.max_interests, limits.max_poke_bytes, limits.max_data_depth), (500, 131_072, 24));
    assert_eq!(limits.retention_window.as_ref().expect("a window").seconds, 600);
    assert_eq!(welcome.heartbeat_interval.as_ref().expect("an interval").seconds, 20);
    assert_eq!(welcome.reconnect_spread.as_ref().expect("a spread").seconds, 5);
}

#[tokio::test]
async fn interests_are_answered_in_the_order_of_the_request() {
    let server = Server::start(Config::new()).await;
    let filters: Vec<_> = (0..50).map(|i| format!("filter {}", (i * 37) % 50)).collect();
    let mut stream = server.subscribe(filters.iter().map(|filter| new_pokes(interest(filter)))).await;
    for filter in &filters {
        let subscribed = stream.subscribed().await;
        assert_eq!(subscribed.interest, Some(interest(filter)));
        assert_eq!(subscribed.outcome(), Outcome::Fresh);
    }
}

#[tokio::test]
async fn nothing_of_an_interest_arrives_before_its_subscribed_and_everything_after_it_does() {
    let server = Server::start(Config::new()).await;
    let ours = interest("busy");
    let mut publisher = server.publisher().await;
    let publishing = tokio::spawn({
        let ours = ours.clone();
        async move {
            for i in 0..3000 {
                publisher.poke(&ours, &i.to_string()).await;
            }
        }
    });
    // Each stream starts somewhere in the middle, and from there on holds all the numbers.
    for _ in 0..20 {
        let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
        let start = stream.live(Outcome::Fresh).await;
        let first = stream.poke().await;
        assert!(first.position.expect("a position").sequence > start.sequence);
        let number = |data: Option<poke_tests::Data>| -> i64 {
            data.unwrap().to_value().unwrap().as_str().unwrap().parse().unwrap()
        };
        let mut last = number(first.data);
        while last < 2999 && last % 20 != 0 {
            let next = number(stream.poke().await.data);
            assert_eq!(next, last + 1);
            last = next;
        }
        if last == 2999 {
            break;
        }
    }
    publishing.await.unwrap();
}

#[tokio::test]
async fn on_one_stream_the_pokes_of_an_interest_have_rising_positions_whoever_publishes() {
    let server = Server::start(Config::new()).await;
    let ours = interest("many hands");
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
        stream.live(Outcome::Fresh).await;
        streams.push(stream);
    }
    let mut hands = Vec::new();
    for hand in 0..4 {
        let mut publisher = server.publisher().await;
        let ours = ours.clone();
        hands.push(tokio::spawn(async move {
            for i in 0..50 {
                publisher.poke(&ours, &format!("{hand} {i}")).await;
            }
        }));
    }
    let mut orders = Vec::new();
    for stream in &mut streams {
        let mut order = Vec::new();
        let mut last = 0;
        for _ in 0..200 {
            let poke = stream.poke().await;
            let sequence = poke.position.unwrap().sequence;
            assert!(sequence > last);
            last = sequence;
            order.push(poke.data.unwrap().to_value().unwrap().as_str().unwrap().to_owned());
        }
        orders.push(order);
    }
    for hand in hands {
        hand.await.unwrap();
    }
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]), "every subscriber sees the same order");
    for hand in 0..4 {
        let of_hand: Vec<_> = orders[0].iter().filter(|data| data.starts_with(&format!("{hand} "))).collect();
        assert_eq!(of_hand, (0..50).map(|i| format!("{hand} {i}")).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn of_two_subscriptions_with_the_same_interest_the_first_wins() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("twice");
    publisher.poke(&ours, "before").await;
    let mut stream = server
        .subscribe([poke_tests::latest(ours.clone()), new_pokes(ours.clone()), new_pokes(interest("other"))])
        .await;
    assert_eq!(stream.subscribed().await.interest, Some(ours.clone()));
    publisher.poke(&ours, "after").await;
    publisher.poke(&interest("other"), "end").await;
    let mut seen = Vec::new();
    let mut others = 0;
    while seen.last().is_none_or(|last| last != "end") {
        match stream.next_but_heartbeat().await {
            Event::Subscribed(subscribed) => {
                assert_eq!(subscribed.interest, Some(interest("other")), "each interest is answered once");
                others += 1;
            }
            Event::Poke(poke) => seen.push(poke.data.unwrap().to_value().unwrap().as_str().unwrap().to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(others, 1);
    seen.retain(|data| data != "end");
    assert_eq!(seen, ["before", "after"], "one delivery each");
}

#[tokio::test]
async fn as_many_interests_as_there_may_be_fit_with_the_longest_names_and_positions() {
    let server = Server::start(Config::new().set("stream.max_interests", 1000)).await;
    let longest = |i: usize| Subscription {
        interest: Some(Interest { domain: "D".repeat(64), filter: format!("{i:0>256}"), audience: 0 }),
        start: Some(Start::After(Position { epoch: "e".repeat(64), sequence: i64::MAX })),
    };
    let mut stream = server.subscribe((0..1000).map(longest)).await;
    for _ in 0..1000 {
        stream.live(Outcome::Gap).await;
        assert!(matches!(stream.next_but_heartbeat().await, Event::Gap(_)));
    }
}

#[tokio::test]
async fn each_of_a_thousand_interests_of_a_stream_gets_its_pokes_and_its_end() {
    const MANY: usize = 1000;
    let config = Config::new().set("stream.max_interests", MANY).text("rates.publisher", "off");
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let name = |i: usize| interest(&i.to_string());
    let mut stream = server.subscribe((0..MANY).map(|i| new_pokes(name(i)))).await;
    for i in 0..MANY {
        assert_eq!(stream.subscribed().await.interest, Some(name(i)));
    }
    // One after the other, and all of them while nobody reads.
    for i in (0..MANY).step_by(61) {
        publisher.poke(&name(i), "one").await;
        assert_eq!(stream.poke().await.filter, i.to_string());
    }
    for i in 0..MANY {
        publisher.poke(&name(i), "all").await;
    }
    let mut poked = HashSet::new();
    for _ in 0..MANY {
        assert!(poked.insert(stream.poke().await.filter), "one delivery each");
    }
    for i in 0..MANY {
        publisher.end(&name(i), None).await;
    }
    let mut ended = HashSet::new();
    for _ in 0..MANY {
        ended.insert(
            stream.until(|event| if let Event::Ended(ended) = event { ended.interest } else { None }).await.filter,
        );
    }
    assert_eq!(ended.len(), MANY);
    assert_eq!(stream.ends_next().await.code(), Code::Ok);
}

#[tokio::test]
async fn duplicates_do_not_count_towards_the_limit_of_interests() {
    let server = Server::start(Config::new()).await;
    let twice = (0..200).map(|i| new_pokes(interest(&(i % 100).to_string())));
    let mut stream = server.subscribe(twice).await;
    for i in 0..100 {
        assert_eq!(stream.subscribed().await.interest, Some(interest(&i.to_string())));
    }
}

#[tokio::test]
async fn filters_are_compared_byte_for_byte() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    // Case, composed and decomposed, white space, and what looks like a wildcard.
    let filters = ["abc", "ABC", "é", "e\u{301}", " abc", "abc ", "*", "a*", "🎵", "%61bc", "\\n"];
    let mut stream = server.subscribe(filters.map(|filter| new_pokes(interest(filter)))).await;
    for _ in filters {
        stream.live(Outcome::Fresh).await;
    }
    for filter in filters {
        publisher.poke(&interest(filter), filter).await;
        let poke = stream.poke().await;
        assert_eq!((poke.filter.as_str(), poke.data), (filter, Some(text(filter))), "one event, for the right filter");
    }
    publisher.poke(&interest("Abc"), "nobody's").await;
    publisher.poke(&interest("abc"), "last").await;
    assert_eq!(stream.data(1).await, ["last"]);
}

#[tokio::test]
async fn domains_are_apart() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let score = Interest { domain: "SCORE".into(), ..interest("7") };
    let mut stream = server.subscribe([new_pokes(score.clone())]).await;
    stream.live(Outcome::Fresh).await;
    publisher.poke(&interest("7"), "playlist").await;
    publisher.poke(&Interest { domain: "score".into(), ..interest("7") }, "lower case").await;
    publisher.poke(&score, "score").await;
    assert_eq!(stream.data(1).await, ["score"]);
}

#[tokio::test]
async fn a_malformed_interest_is_rejected_while_the_others_go_on() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let long = "x".repeat(257);
    let bad = [
        (Interest { domain: String::new(), ..interest("f") }, "INVALID_DOMAIN"),
        (Interest { domain: "A B".into(), ..interest("f") }, "INVALID_DOMAIN"),
        (Interest { domain: "x".repeat(65), ..interest("f") }, "INVALID_DOMAIN"),
        (interest(""), "INVALID_FILTER"),
        (interest(&long), "INVALID_FILTER"),
        (interest("line\nbreak"), "INVALID_FILTER"),
        (interest("nul\0"), "INVALID_FILTER"),
        (interest("\u{1b}[31m"), "INVALID_FILTER"),
        (interest("\u{2028}"), "INVALID_FILTER"),
        (interest("\u{202e}txt"), "INVALID_FILTER"),
        (Interest { audience: 99, ..interest("f") }, "INVALID_AUDIENCE"),
    ];
    let good = interest("good");
    let all = bad.iter().map(|(interest, _)| interest.clone()).chain([good.clone()]);
    let mut stream = server.subscribe(all.map(new_pokes)).await;
    for (interest, reason) in &bad {
        let Event::Rejected(rejected) = stream.next_but_heartbeat().await else { panic!("not rejected: {reason}") };
        assert_eq!((rejected.code, rejected.reason.as_str()), (Code::InvalidArgument as i32, *reason));
        assert_eq!(rejected.retry_delay, None, "it is final");
        assert!(rejected.message.len() < 1000);
        let named = rejected.interest.expect("the interest, as requested");
        assert!(named.domain.len() <= 64 && named.filter.len() <= 256, "cut to its limits");
        assert!(interest.domain.starts_with(&named.domain) && interest.filter.starts_with(&named.filter));
    }
    stream.live(Outcome::Fresh).await;
    publisher.poke(&good, "x").await;
    assert_eq!(stream.data(1).await, ["x"]);
}

#[tokio::test]
async fn an_interest_of_a_customer_is_rejected_without_a_verified_customer() {
    let server = Server::start(Config::new().open("MINE").text("domains.MINE.audience", "customer")).await;
    let customer = Interest { domain: "MINE".into(), audience: Audience::Customer as i32, ..interest("7") };
    let mut stream = server.subscribe([new_pokes(customer), new_pokes(interest("open"))]).await;
    let Event::Rejected(rejected) = stream.next_but_heartbeat().await else { panic!("not rejected") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (Code::Unauthenticated as i32, "CUSTOMER_REQUIRED"));
    stream.live(Outcome::Fresh).await;
}

#[tokio::test]
async fn when_every_interest_is_finally_rejected_the_stream_closes_with_ok() {
    let server = Server::start(Config::new()).await;
    let mut stream = server.subscribe([new_pokes(interest("")), new_pokes(interest("\n"))]).await;
    for _ in 0..2 {
        let Event::Rejected(_) = stream.next().await else { panic!("not rejected") };
    }
    assert_eq!(stream.end().await.code(), Code::Ok);
}

#[tokio::test]
async fn an_empty_list_fails_the_call() {
    let server = Server::start(Config::new()).await;
    let nothing = Subscription { interest: None, start: None };
    for list in [vec![], vec![nothing.clone()], vec![new_pokes(interest("a")), nothing]] {
        let status = Stream::try_open(&mut server.connect().await, list).await.expect_err("no interest");
        let refused = refusal(&status);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_SUBSCRIPTIONS"));
        assert!(refused.fields.iter().all(|field| field.starts_with("subscriptions")), "{:?}", refused.fields);
    }
}

#[tokio::test]
async fn over_the_limit_of_interests_the_call_fails_naming_the_limit_and_leaves_nothing_behind() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let limit = 500;
    let of = |count: usize| (0..count).map(|i| new_pokes(interest(&i.to_string()))).collect::<Vec<_>>();

    let status = Stream::try_open(&mut server.connect().await, of(limit + 1)).await.expect_err("one too many");
    let refused = refusal(&status);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "TOO_MANY_INTERESTS"));
    assert!(refused.message.contains("500"), "{}", refused.message);
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert_eq!(details.error_info().expect("it has one").metadata["limit"], "500");
    assert_eq!(publisher.publish(&interest("0"), text("x")).await.local_receiver_count, Some(0));

    let mut stream = server.subscribe(of(limit)).await;
    for _ in 0..limit {
        stream.live(Outcome::Fresh).await;
    }
}

#[tokio::test]
async fn a_request_over_64_kib_for_a_hundred_interests_is_refused() {
    let server = Server::start(Config::new().set("stream.max_interests", 100)).await;
    // 300 distinct interests would be too many, but the request is refused by its size before anybody counts.
    let large = (0..300).map(|i| new_pokes(interest(&format!("{i:0>250}"))));
    let status = Stream::try_open(&mut server.connect().await, large).await.expect_err("too large");
    let refused = refusal(&status);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "REQUEST_TOO_LARGE"));
}

#[tokio::test]
async fn cancelling_one_of_two_streams_on_a_channel_leaves_the_other() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("shared channel");
    let mut client = server.connect().await;
    let mut stays = Stream::open(&mut client, [new_pokes(ours.clone())]).await;
    let mut goes = Stream::open(&mut client, [new_pokes(ours.clone())]).await;
    stays.live(Outcome::Fresh).await;
    goes.live(Outcome::Fresh).await;
    server.metric_becomes("poke_streams_open", |streams| streams == 2.0).await;

    drop(goes);
    server.metric_becomes("poke_streams_open", |streams| streams == 1.0).await;
    assert_eq!(publisher.publish(&ours, text("x")).await.local_receiver_count, Some(1));
    assert_eq!(stays.data(1).await, ["x"]);
}
