//! Classic Poke: to one customer, and to nobody else.

use poke_tests::{
    Config, Data, Event, Publisher, Server, Stream, after, latest, new_pokes, refusal, text,
    token::{Issuer, bearing},
    v1::{
        Audience, EndInterestRequest, GapReason, Interest, Outcome, Position, PublishRequest, SubscribeRequest,
        Subscription,
    },
};
use tonic::{Code, Status};

/// The key of the back end, and its hash.
const KEY: &str = "poke_backendAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const HASH: &str = "sha256:d420a84e5ab4a7a1ff3ac2960e26d599cc9134c4689901a194c8e8abbe427743";

/// LETTER is for customers, PLAYLIST for everyone. The back end publishes to both.
fn config() -> Config {
    let config = Config::without_domains().text("keys.backend", HASH).text("domains.LETTER.audience", "customer");
    let config = config.set("domains.LETTER.publishers", r#"[{ key = "backend" }]"#);
    config.set("domains.PLAYLIST.publishers", r#"[{ key = "backend" }]"#).text("domains.PLAYLIST.subscribers", "open")
}

fn letter(filter: &str) -> Interest {
    Interest { domain: "LETTER".into(), filter: filter.into(), audience: Audience::Customer.into() }
}

async fn try_subscribe(server: &Server, token: &str, wants: &[Subscription]) -> Result<Stream, Status> {
    let request = bearing(token, SubscribeRequest { subscriptions: wants.to_vec() });
    Stream::try_send(&mut server.connect().await, request).await
}

async fn subscribe(server: &Server, token: &str, wants: &[Subscription]) -> Stream {
    try_subscribe(server, token, wants).await.expect("Subscribe is accepted")
}

fn to(customer: &str, filter: &str, data: &str) -> PublishRequest {
    PublishRequest {
        domain: "LETTER".into(),
        filter: filter.into(),
        data: Some(text(data)),
        audience: Audience::Customer.into(),
        customer_id: customer.into(),
        ..Default::default()
    }
}

/// Publishes as the back end. Answers the position and how many streams got it.
async fn send(publisher: &mut Publisher, request: PublishRequest) -> (Position, i32) {
    let published = publisher.send(bearing(KEY, request)).await.expect("the back end may publish");
    (published.position.unwrap(), published.local_receiver_count.unwrap())
}

async fn end(publisher: &Publisher, customer: &str, filter: &str, data: Option<Data>) -> Position {
    let PublishRequest { domain, filter, audience, customer_id, .. } = to(customer, filter, "");
    let request = EndInterestRequest { domain, filter, audience, customer_id, data, ..Default::default() };
    publisher.client().end_interest(bearing(KEY, request)).await.unwrap().into_inner().position.unwrap()
}

#[tokio::test]
async fn a_customer_has_all_that_everyone_has_and_alone() {
    let issuer = Issuer::new("app");
    let server = Server::start(issuer.known(config(), true).text("stream.heartbeat_interval", "1s")).await;
    let [alice, bob] = ["alice", "bob"].map(|subject| issuer.token(subject));
    let mut publisher = server.publisher().await;
    let mut hers = subscribe(&server, &alice, &[new_pokes(letter("inbox"))]).await;
    let start = hers.live(Outcome::Fresh).await;
    let mut his = subscribe(&server, &bob, &[new_pokes(letter("inbox"))]).await;
    his.live(Outcome::Fresh).await;

    let (first, receivers) = send(&mut publisher, to("alice", "inbox", "1")).await;
    assert_eq!(receivers, 1, "two hold the filter, and one the interest");
    let poke = hers.poke().await;
    assert_eq!(
        (poke.audience(), poke.data, poke.position.as_ref()),
        (Audience::Customer, Some(text("1")), Some(&first))
    );
    assert_eq!((poke.domain.as_str(), poke.filter.as_str()), ("LETTER", "inbox"));
    let (second, _) = send(&mut publisher, to("alice", "inbox", "2")).await;
    assert_eq!(hers.data(1).await, ["2"]);
    // A quiet interest is lifted past the pokes to others by checkpoints.
    let (of_bob, _) = send(&mut publisher, to("bob", "inbox", "bob's")).await;
    let lifted = hers.until(|event| match event {
        Event::Heartbeat(beat) => beat.checkpoints.into_iter().find(|at| at.sequence >= of_bob.sequence),
        Event::Poke(poke) => panic!("not hers: {poke:?}"),
        _ => None,
    });
    let lifted = lifted.await;

    // Another of her devices resumes, or begins with the newest; neither sees what is his.
    let mut device = subscribe(&server, &alice, &[after(letter("inbox"), start.clone())]).await;
    device.live(Outcome::Recovered).await;
    assert_eq!(device.data(2).await, ["1", "2"]);
    let mut device = subscribe(&server, &alice, &[after(letter("inbox"), lifted)]).await;
    device.live(Outcome::Recovered).await;
    let mut newest = subscribe(&server, &alice, &[latest(letter("inbox"))]).await;
    newest.live(Outcome::Fresh).await;
    assert_eq!(newest.poke().await.position, Some(second));
    let foreign = Position { epoch: "another".into(), sequence: 1 };
    let mut lost = subscribe(&server, &alice, &[after(letter("inbox"), foreign)]).await;
    lost.live(Outcome::Gap).await;
    let Event::Gap(gap) = lost.next_but_heartbeat().await else { panic!("no gap") };
    assert_eq!((gap.reason(), gap.interest), (GapReason::EpochChanged, Some(letter("inbox"))));
    assert_eq!(lost.data(2).await, ["1", "2"]);

    // The end is hers as well: his interest of the same name goes on.
    let position = end(&publisher, "alice", "inbox", Some(text("bye"))).await;
    for stream in [&mut hers, &mut device, &mut newest] {
        let Event::Ended(ended) = stream.next_but_heartbeat().await else { panic!("not ended") };
        assert_eq!(
            (ended.interest, ended.position, ended.data),
            (Some(letter("inbox")), Some(position.clone()), Some(text("bye")))
        );
        assert_eq!(stream.end().await.code(), Code::Ok);
    }
    let refused = publisher.send(bearing(KEY, to("alice", "inbox", "late"))).await.expect_err("it has ended");
    assert_eq!(refusal(&refused).reason, "INTEREST_ENDED");
    let (_, receivers) = send(&mut publisher, to("bob", "inbox", "still")).await;
    assert_eq!((receivers, his.data(2).await), (1, vec!["bob's".into(), "still".into()]));
}

#[tokio::test]
async fn keys_of_idempotency_are_apart_for_each_customer() {
    let server = Server::start(Issuer::new("app").known(config(), true)).await;
    let mut publisher = server.publisher().await;
    for customer in ["alice", "bob"] {
        let keyed = || PublishRequest { idempotency_key: "once".into(), ..to(customer, "inbox", customer) };
        let first = publisher.send(bearing(KEY, keyed())).await.unwrap();
        let again = publisher.send(bearing(KEY, keyed())).await.unwrap();
        assert_eq!((first.duplicate, again.duplicate), (Some(false), Some(true)));
        assert_eq!(first.position, again.position);
    }
}

/// What a client could hope to be taken for another's interest.
fn crafted(victim: &str, filter: &str) -> Vec<Interest> {
    let separators = ["/", ":", "|", ".", " ", "\0", "\n", "\u{1f}", "\u{2028}", "%00", "\\0", ","];
    let joined = separators.iter().flat_map(|separator| {
        [format!("{victim}{separator}{filter}"), format!("{filter}{separator}{victim}"), format!("{separator}{filter}")]
    });
    let filters =
        joined.chain([filter.to_owned(), victim.to_owned(), format!("{filter} "), format!("{filter}\0{victim}")]);
    let audiences = [Audience::Unspecified as i32, Audience::Customer as i32, 2, -1];
    let domains = ["LETTER", "PLAYLIST", "LETTER\0", "LETTER/alice", "letter"];
    let mut interests = Vec::new();
    for filter in filters {
        for (domain, audience) in domains.iter().flat_map(|domain| audiences.map(|audience| (domain, audience))) {
            interests.push(Interest { domain: (*domain).to_owned(), filter: filter.clone(), audience });
        }
    }
    interests
}

#[tokio::test]
async fn no_interest_that_another_can_craft_is_a_customers() {
    let [issuer, staff] = ["app", "staff"].map(Issuer::new);
    let config = staff.known(issuer.known(config(), true), false).set("stream.max_interests", 1000);
    let server = Server::start(config.text("limits.streams_per_customer", "off")).await;
    let mut publisher = server.publisher().await;
    send(&mut publisher, to("alice", "inbox", "secret")).await;
    let attackers = [
        ("mallory", Some(issuer.token("mallory"))),
        ("whose name is long", Some(issuer.token("alice\u{2028}inbox"))),
        ("empty", Some(issuer.token(""))),
        (
            "with a claim of her name",
            Some(issuer.token_with(serde_json::json!({ "sub": "mallory", "customer_id": "alice" }))),
        ),
        ("of an issuer that names no customers", Some(staff.token("alice"))),
        ("the back end", Some(KEY.to_owned())),
        ("nobody", None),
    ];
    let mut streams = Vec::new();
    for (who, token) in attackers {
        let interests = crafted("alice", "inbox");
        for start in [new_pokes, latest, |interest| after(interest, Position { epoch: "x".into(), sequence: 0 })] {
            let wants: Vec<_> = interests.iter().cloned().map(start).collect();
            let stream = match &token {
                Some(token) => subscribe(&server, token, &wants).await,
                None => server.subscribe(wants).await,
            };
            streams.push((who, stream));
        }
    }
    // What they are told of their own positions leads nowhere either: the history is shared, and the interests are not.
    let (_, receivers) = send(&mut publisher, to("alice", "inbox", "secret")).await;
    assert_eq!(receivers, 0, "somebody holds her interest");
    let hers = letter("inbox");
    let everyones = PublishRequest {
        domain: "PLAYLIST".into(),
        filter: "inbox".into(),
        data: Some(text("public")),
        ..Default::default()
    };
    send(&mut publisher, everyones).await;
    for (who, stream) in &mut streams {
        stream
            .until(|event| match event {
                Event::Poke(poke) => {
                    assert_eq!(poke.data, Some(text("public")), "{who} got {poke:?}");
                    Some(())
                }
                Event::Subscribed(subscribed) if subscribed.interest.as_ref() == Some(&hers) => {
                    assert!(["mallory", "with a claim of her name"].contains(who), "{who} is no customer");
                    None
                }
                _ => None,
            })
            .await;
    }
}

#[tokio::test]
async fn with_several_issuers_a_customer_is_its_issuers_own() {
    let [one, two] = ["one", "two"].map(Issuer::new);
    let server = Server::start(two.known(one.known(config(), true), true)).await;
    let mut publisher = server.publisher().await;
    let wants = [new_pokes(letter("inbox"))];
    let mut streams = Vec::new();
    for token in [one.token("c"), two.token("c"), one.token("two:c"), two.token("one:c")] {
        let mut stream = subscribe(&server, &token, &wants).await;
        stream.live(Outcome::Fresh).await;
        streams.push(stream);
    }
    let ids = ["one:c", "two:c", "one:two:c", "two:one:c"];
    for id in ids {
        assert_eq!(send(&mut publisher, to(id, "inbox", id)).await.1, 1, "{id}");
    }
    for nobody in ["c", ":c", "one:", "one:c:", "ONE:c"] {
        assert_eq!(send(&mut publisher, to(nobody, "inbox", "x")).await.1, 0, "{nobody}");
    }
    for (stream, id) in streams.iter_mut().zip(ids) {
        assert_eq!(stream.data(1).await, [id]);
    }
}

#[tokio::test]
async fn no_reload_changes_what_a_customer_is_called() {
    let [one, two] = ["one", "two"].map(Issuer::new);
    let single = one.known(config(), true);
    let server = Server::start(single.clone()).await;
    let wants = [new_pokes(letter("inbox"))];
    let mut stream = subscribe(&server, &one.token("c"), &wants).await;
    stream.live(Outcome::Fresh).await;
    server.rewrite(&two.known(single, true));
    server.sighup();
    server.metric_becomes("poke_config_reload_failed_total", |failed| failed == 1.0).await;
    assert!(try_subscribe(&server, &two.token("c"), &wants).await.is_err());
    assert_eq!(send(&mut server.publisher().await, to("c", "inbox", "hers")).await.1, 1);
    assert_eq!(stream.data(1).await, ["hers"]);
}

#[tokio::test]
async fn who_is_no_customer_is_told_so_and_a_customer_may_not_publish() {
    let [app, staff] = ["app", "staff"].map(Issuer::new);
    let server = Server::start(staff.known(app.known(config(), true), false)).await;
    let wants = [new_pokes(letter("inbox"))];
    for bearer in [staff.token("alice"), KEY.to_owned(), app.token("a\nb"), app.token(&"x".repeat(257))] {
        let mut stream = subscribe(&server, &bearer, &wants).await;
        let Event::Rejected(rejected) = stream.next().await else { panic!("not rejected") };
        assert_eq!((rejected.code, rejected.reason.as_str()), (Code::Unauthenticated as i32, "CUSTOMER_REQUIRED"));
        assert_eq!(rejected.interest, Some(letter("inbox")));
    }
    let mut stream = server.subscribe(wants).await;
    let Event::Rejected(rejected) = stream.next().await else { panic!("not rejected") };
    assert_eq!((rejected.code, rejected.reason.as_str()), (Code::Unauthenticated as i32, "CREDENTIALS_REQUIRED"));
    let mut publisher = server.publisher().await;
    let refused = publisher.send(bearing(&app.token("alice"), to("alice", "inbox", "x"))).await;
    assert_eq!(refusal(&refused.unwrap_err()).reason, "NOT_A_PUBLISHER");
}

#[tokio::test]
async fn a_customer_has_so_many_streams_wherever_they_come_from() {
    let issuer = Issuer::new("app");
    let server = Server::start(issuer.known(config(), true).set("limits.streams_per_customer", 2)).await;
    let [alice, bob] = ["alice", "bob"].map(|subject| issuer.token(subject));
    let wants = [new_pokes(letter("inbox"))];
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(subscribe(&server, &alice, &wants).await);
    }
    let refused = refusal(&try_subscribe(&server, &issuer.token("alice"), &wants).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_STREAMS"));
    assert_eq!(refused.message, "the customer has reached the maximum number of streams");
    assert!(refused.retry.is_some());
    subscribe(&server, &bob, &wants).await;
    held.pop();
    poke_tests::eventually("a free place", async || try_subscribe(&server, &alice, &wants).await.ok()).await;
    assert!(server.metrics().await.sum_where("poke_streams_over_limit_total", "customer") >= 1.0);
}
