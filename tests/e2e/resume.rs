//! What the contract promises to those who come back.

use poke_tests::{
    Config, Event, Server, Stream, after, interest, latest, new_pokes, text,
    v1::{GapReason, Interest, Outcome, Position},
};

#[tokio::test]
async fn everything_retained_after_the_position_comes_and_then_everything_new() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("resume");
    publisher.poke(&ours, "1").await;
    let seen = publisher.poke(&ours, "2").await;
    publisher.poke(&ours, "3").await;
    publisher.poke(&interest("other"), "not ours").await;
    publisher.poke(&ours, "4").await;

    let mut stream = server.subscribe([after(ours.clone(), seen.clone())]).await;
    assert_eq!(stream.live(Outcome::Recovered).await, seen);
    publisher.poke(&ours, "5").await;
    assert_eq!(stream.data(3).await, ["3", "4", "5"]);
}

#[tokio::test]
async fn one_who_has_seen_everything_recovers_without_a_gap() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("caught up");
    let seen = publisher.poke(&ours, "1").await;
    let mut stream = server.subscribe([after(ours.clone(), seen.clone())]).await;
    assert_eq!(stream.live(Outcome::Recovered).await, seen);
    publisher.poke(&ours, "2").await;
    assert_eq!(stream.data(1).await, ["2"]);
}

#[tokio::test]
async fn the_position_of_subscribed_is_a_place_to_resume_from() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("never poked");
    publisher.poke(&interest("other"), "moves the head").await;
    let head = server.subscribe([new_pokes(ours.clone())]).await.live(Outcome::Fresh).await;
    publisher.poke(&ours, "missed").await;
    let mut stream = server.subscribe([after(ours.clone(), head)]).await;
    stream.live(Outcome::Recovered).await;
    assert_eq!(stream.data(1).await, ["missed"]);
}

#[tokio::test]
async fn a_poke_between_the_replay_and_the_live_part_arrives_exactly_once() {
    let server = Server::start(Config::new().set("retention.pokes", 10_000)).await;
    let ours = interest("seam");
    let mut publisher = server.publisher().await;
    let mut position = publisher.poke(&ours, "0").await;
    let publishing = tokio::spawn({
        let ours = ours.clone();
        async move {
            for i in 1..=2000 {
                publisher.poke(&ours, &i.to_string()).await;
            }
        }
    });
    // Comes back again and again, each time after a few pokes, while they are being published.
    let mut expected = 1;
    while expected <= 2000 {
        let mut stream = server.subscribe([after(ours.clone(), position)]).await;
        position = stream.live(Outcome::Recovered).await;
        for _ in 0..15.min(2001 - expected) {
            let poke = stream.poke().await;
            assert_eq!(poke.data, Some(text(&expected.to_string())));
            position = poke.position.unwrap();
            expected += 1;
        }
    }
    publishing.await.unwrap();
}

#[tokio::test]
async fn latest_gives_the_newest_retained_poke_and_then_everything_new() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("latest");
    publisher.poke(&ours, "old").await;
    let newest = publisher.poke(&ours, "newest").await;

    let mut stream = server.subscribe([latest(ours.clone())]).await;
    let start = stream.live(Outcome::Fresh).await;
    assert!(start.sequence < newest.sequence, "it starts just before the newest");
    publisher.poke(&ours, "new").await;
    assert_eq!(stream.data(2).await, ["newest", "new"]);
}

#[tokio::test]
async fn latest_without_a_retained_poke_gives_new_ones() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("nothing yet");
    let mut stream = server.subscribe([latest(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    publisher.poke(&ours, "new").await;
    assert_eq!(stream.data(1).await, ["new"]);
}

#[tokio::test]
async fn a_fresh_start_replays_nothing() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("fresh");
    let old = publisher.poke(&ours, "old").await;
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    assert!(stream.live(Outcome::Fresh).await.sequence >= old.sequence, "it starts at the head");
    publisher.poke(&ours, "new").await;
    assert_eq!(stream.data(1).await, ["new"]);
}

/// Subscribes from a position that can't be honoured, and checks that the answer is a gap, what is retained after it,
/// and live pokes.
async fn expect_gap(server: &Server, ours: &Interest, position: Position, reason: GapReason) -> Stream {
    let mut stream = server.subscribe([after(ours.clone(), position.clone())]).await;
    let start = stream.live(Outcome::Gap).await;
    let Event::Gap(gap) = stream.next().await else { panic!("the gap is the interest's next event") };
    assert_eq!(gap.reason(), reason, "after {position:?}");
    assert_eq!(gap.interest.as_ref(), Some(ours));
    assert_eq!(gap.missed_count, None, "the count is for LAGGED alone");
    assert_eq!(gap.position, Some(start), "what isn't lost follows the gap");
    stream
}

#[tokio::test]
async fn an_unknown_foreign_garbled_or_future_position_is_a_gap_and_then_live() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("positions");
    let real = publisher.poke(&ours, "retained").await;
    let of = |epoch: &str, sequence| Position { epoch: epoch.into(), sequence };
    let long = "x".repeat(5000);
    let positions = [
        of("", 0),
        of("", 7),
        of("another", real.sequence),
        of("\u{202e}\n\0", 1),
        of(&long, 1),
        of(&real.epoch, i64::MAX),
        of(&real.epoch, real.sequence + 1_000_000),
        of(&real.epoch, -1),
        of(&real.epoch, i64::MIN),
        of(&real.epoch.to_uppercase().replace(|c: char| c.is_ascii_digit(), "z"), real.sequence),
    ];
    for (i, position) in positions.into_iter().enumerate() {
        // The sequence of a known epoch below zero stands for nothing that was ever retained; the reason may be either.
        let known = position.epoch == real.epoch && position.sequence < 0;
        let mut stream = server.subscribe([after(ours.clone(), position.clone())]).await;
        let start = stream.live(Outcome::Gap).await;
        let Event::Gap(gap) = stream.next().await else { panic!("no gap after {position:?}") };
        assert_eq!(gap.position, Some(start));
        if !known {
            assert_eq!(gap.reason(), GapReason::EpochChanged, "after {position:?}");
        }
        // All that is retained past the gap follows it: a client that moved here sees what came before it did.
        let live = format!("live {i}");
        publisher.poke(&ours, &live).await;
        stream.until(|event| matches!(event, Event::Poke(poke) if poke.data == Some(text(&live))).then_some(())).await;
    }
}

#[tokio::test]
async fn after_a_gap_for_another_epoch_everything_retained_follows() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("moved");
    publisher.poke(&ours, "1").await;
    publisher.poke(&ours, "2").await;
    let foreign = Position { epoch: "the old server".into(), sequence: 99 };
    let mut stream = expect_gap(&server, &ours, foreign, GapReason::EpochChanged).await;
    assert_eq!(stream.data(2).await, ["1", "2"]);
    publisher.poke(&ours, "3").await;
    assert_eq!(stream.data(1).await, ["3"]);
}

#[tokio::test]
async fn a_position_older_than_what_is_retained_is_a_gap_and_the_retained_follow() {
    let server = Server::start(Config::new().set("retention.pokes", 3)).await;
    let mut publisher = server.publisher().await;
    let ours = interest("evicted");
    let first = publisher.poke(&ours, "0").await;
    let mut positions = Vec::new();
    for i in 1..=5 {
        positions.push(publisher.poke(&ours, &i.to_string()).await);
    }
    let mut stream = expect_gap(&server, &ours, first, GapReason::Evicted).await;
    assert_eq!(stream.data(3).await, ["3", "4", "5"]);
    // After the last one that was let go, nothing is missing.
    let mut stream = server.subscribe([after(ours.clone(), positions[1].clone())]).await;
    stream.live(Outcome::Recovered).await;
    assert_eq!(stream.data(3).await, ["3", "4", "5"]);
}

#[tokio::test]
async fn pokes_are_kept_for_the_window_and_a_position_before_it_is_a_gap() {
    let server = Server::start(Config::new().text("retention.window", "1s")).await;
    let mut publisher = server.publisher().await;
    let ours = interest("window");
    let first = publisher.poke(&ours, "0").await;
    publisher.poke(&ours, "1").await;
    // Until it has passed, the position is honoured.
    poke_tests::eventually("the window to pass", async || {
        let mut stream = server.subscribe([after(ours.clone(), first.clone())]).await;
        (stream.subscribed().await.outcome() == Outcome::Gap).then_some(())
    })
    .await;
    let mut stream = expect_gap(&server, &ours, first, GapReason::Evicted).await;
    publisher.poke(&ours, "2").await;
    assert_eq!(stream.data(1).await, ["2"]);
}

#[tokio::test]
async fn a_replay_over_its_bound_is_a_gap_and_never_silence() {
    let config = Config::new().set("retention.pokes", 1000).text("retention.bytes", "64MiB");
    let server = Server::start(config.text("stream.replay_bytes", "1MiB")).await;
    let mut publisher = server.publisher().await;
    let ours = interest("long replay");
    let first = publisher.poke(&ours, "0").await;
    let large = "x".repeat(100_000);
    let mut last = first.clone();
    for _ in 0..30 {
        last = publisher.poke(&ours, &large).await;
    }
    let mut stream = expect_gap(&server, &ours, first, GapReason::Evicted).await;
    let mut replayed = 0;
    loop {
        let poke = stream.poke().await;
        replayed += 1;
        if poke.position.as_ref() == Some(&last) {
            break;
        }
    }
    assert!((5..=11).contains(&replayed), "{replayed} pokes of 100 KB for 1 MiB");
    publisher.poke(&ours, "live").await;
    assert_eq!(stream.data(1).await, ["live"]);
}

#[tokio::test]
async fn the_newest_poke_of_each_interest_comes_whatever_the_bound_on_replays() {
    let server = Server::start(Config::new().text("stream.replay_bytes", "1MiB")).await;
    let mut publisher = server.publisher().await;
    let interests: Vec<_> = (0..100).map(|n| interest(&format!("large {n}"))).collect();
    let large = "x".repeat(130_000);
    let mut oldest = None;
    for ours in &interests {
        for n in 0..2 {
            let position = publisher.poke(ours, &format!("{n}{large}")).await;
            oldest.get_or_insert(position);
        }
    }
    // 13 MB of newest pokes, and one interest that takes of the bound what it can get.
    let resumed = interests.iter().take(1).map(|ours| after(ours.clone(), oldest.clone().unwrap()));
    let mut stream = server.subscribe(resumed.chain(interests.iter().skip(1).cloned().map(latest))).await;
    stream.live(Outcome::Recovered).await;
    for _ in 1..100 {
        stream.live(Outcome::Fresh).await;
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let poke = stream.poke().await;
        assert!(poke.data.unwrap().to_json().unwrap().starts_with("\"1x"), "the newest");
        assert!(seen.insert(poke.filter), "once");
    }
}

#[tokio::test]
async fn each_interest_of_a_stream_starts_where_it_was_asked_to() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let (a, b, c, d) = (interest("a"), interest("b"), interest("c"), interest("d"));
    let seen = publisher.poke(&a, "a1").await;
    for (interest, data) in [(&a, "a2"), (&b, "b1"), (&b, "b2"), (&c, "c1"), (&d, "d1")] {
        publisher.poke(interest, data).await;
    }
    let foreign = Position { epoch: "?".into(), sequence: 1 };
    let mut stream = server
        .subscribe([after(a.clone(), seen), latest(b.clone()), new_pokes(c.clone()), after(d.clone(), foreign)])
        .await;
    publisher.poke(&c, "c2").await;
    let mut outcomes = Vec::new();
    let mut pokes = Vec::new();
    while pokes.len() < 4 {
        match stream.next_but_heartbeat().await {
            Event::Subscribed(subscribed) => outcomes.push(subscribed.outcome()),
            Event::Poke(poke) => pokes.push(poke.data.unwrap().to_value().unwrap().as_str().unwrap().to_owned()),
            Event::Gap(gap) => assert_eq!(gap.interest, Some(d.clone())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(outcomes, [Outcome::Recovered, Outcome::Fresh, Outcome::Fresh, Outcome::Gap]);
    pokes.sort_unstable();
    assert_eq!(pokes, ["a2", "b2", "c2", "d1"]);
}

#[tokio::test]
async fn interests_that_nobody_watches_and_nobody_pokes_leave_nothing_behind() {
    let server = Server::start(Config::new()).await;
    let before = server.metrics().await.sum("poke_topics");
    for i in 0..20 {
        let many = (0..100).map(|j| latest(interest(&format!("{i} {j}"))));
        let mut stream = server.subscribe(many).await;
        stream.live(Outcome::Fresh).await;
    }
    server.metric_becomes("poke_topics", |topics| topics == before).await;
}
