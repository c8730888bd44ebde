//! The Rust SDK against the real server: what it promises to applications.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use poke_client::{Client, Event, Gap, GapReason, Interest, Live, Outcome, Poke, Publish, Subscription};
use poke_tests::{Config, Data, Proxy, Server, within};
use tokio::{sync::watch, task::JoinSet};

pub(crate) fn client(url: &str) -> Client {
    Client::builder(url).build().expect("a valid URL")
}

pub(crate) async fn next(pokes: &mut Subscription) -> Event {
    within("an event", pokes.next()).await.expect("the subscription goes on").expect("no final error")
}

async fn poke(pokes: &mut Subscription) -> Poke {
    loop {
        match next(pokes).await {
            Event::Poke(poke) => return poke,
            Event::Gap(gap) => panic!("{gap:?}"),
            _ => {}
        }
    }
}

pub(crate) async fn live(pokes: &mut Subscription) -> Live {
    loop {
        if let Event::Live(live) = next(pokes).await {
            return live;
        }
    }
}

pub(crate) fn number(poke: &Poke) -> i64 {
    poke.text().expect("a string").parse().expect("a number")
}

#[tokio::test]
async fn data_unset_empty_and_null_are_three_different_things() {
    let server = Server::start(Config::new()).await;
    let client = client(&server.url());
    let mut pokes = client.subscribe([Interest::new("PLAYLIST", "f")]);
    live(&mut pokes).await;
    let publish = || Publish::new("PLAYLIST", "f");
    for (sent, arrives) in [
        (publish(), None),
        (publish().data(""), Some(Data::string(""))),
        (publish().data(serde_json::Value::Null), Some(Data::null())),
    ] {
        client.publish(sent).await.unwrap();
        assert_eq!(poke(&mut pokes).await.data, arrives);
    }
}

#[tokio::test]
async fn two_components_get_one_delivery_each_and_one_leaving_does_not_end_the_others() {
    let server = Server::start(Config::new()).await;
    let client = client(&server.url());
    let ours = Interest::new("PLAYLIST", "shared");
    // Two subscriptions of one client, as two components would have.
    let mut first = client.subscribe([ours.clone()]);
    let mut second = client.subscribe([ours.clone()]);
    live(&mut first).await;
    live(&mut second).await;
    for data in ["1", "2"] {
        client.publish(Publish::new("PLAYLIST", "shared").data(data)).await.unwrap();
    }
    for pokes in [&mut first, &mut second] {
        assert_eq!((number(&poke(pokes).await), number(&poke(pokes).await)), (1, 2));
    }
    drop(first);
    client.publish(Publish::new("PLAYLIST", "shared").data("3")).await.unwrap();
    assert_eq!(number(&poke(&mut second).await), 3);

    // The same within one subscription: the interest is counted.
    let control = second.control();
    control.add(ours.clone()).unwrap();
    assert!(control.remove(&ours));
    client.publish(Publish::new("PLAYLIST", "shared").data("4")).await.unwrap();
    assert_eq!(number(&poke(&mut second).await), 4);
}

#[tokio::test]
async fn a_client_may_have_more_subscriptions_than_a_connection_takes_streams() {
    const SUBSCRIPTIONS: usize = 120;
    let server = Server::start(Config::new()).await;
    let client = client(&server.url());
    let subscribe = |_| client.subscribe([Interest::new("PLAYLIST", "many")]);
    let mut subscriptions: Vec<_> = (0..SUBSCRIPTIONS).map(subscribe).collect();
    for pokes in &mut subscriptions {
        assert!(matches!(next(pokes).await, Event::Connected(_)));
        live(pokes).await;
    }
    client.publish(Publish::new("PLAYLIST", "many").data("1")).await.unwrap();
    for pokes in &mut subscriptions {
        assert_eq!(number(&poke(pokes).await), 1);
    }
    assert_eq!(
        server.metrics().await.sum("poke_streams_opened_total"),
        SUBSCRIPTIONS as f64,
        "each at its first attempt"
    );
}

#[tokio::test]
async fn interests_come_and_go_without_interrupting_the_others() {
    let server = Server::start(Config::new()).await;
    let client = client(&server.url());
    let mut pokes = client.subscribe([Interest::new("PLAYLIST", "stays")]);
    live(&mut pokes).await;
    let control = pokes.control();
    for i in 0..5 {
        let comes = Interest::new("PLAYLIST", format!("comes {i}"));
        control.add(comes.clone()).unwrap();
        assert_eq!(live(&mut pokes).await.interest, comes);
        client.publish(Publish::new("PLAYLIST", "stays").data(i.to_string())).await.unwrap();
        assert_eq!(number(&poke(&mut pokes).await), i);
        client.publish(Publish::new("PLAYLIST", &comes.filter).data("here")).await.unwrap();
        assert_eq!(poke(&mut pokes).await.interest, comes);
        assert!(control.remove(&comes));
    }
    server.metric_becomes("poke_streams_open", |streams| streams == 1.0).await;
}

#[tokio::test]
async fn ended_is_final() {
    let server = Server::start(Config::new()).await;
    let client = client(&server.url());
    let mut pokes = client.subscribe([Interest::new("PLAYLIST", "over")]);
    live(&mut pokes).await;
    client.publish(Publish::new("PLAYLIST", "over").data("1")).await.unwrap();
    client.end(poke_client::End::new("PLAYLIST", "over").data("bye")).await.unwrap();
    assert_eq!(number(&poke(&mut pokes).await), 1);
    let Event::Ended(ended) = next(&mut pokes).await else { panic!("not ended") };
    assert_eq!(ended.data, Some(Data::string("bye")));
    assert!(within("the end", pokes.next()).await.is_none());
    server.metric_becomes("poke_streams_open", |streams| streams == 0.0).await;
}

#[tokio::test]
async fn a_lost_connection_is_replaced_without_a_gap() {
    let server = Server::start(Config::new().text("stream.reconnect_spread", "200ms")).await;
    let proxy = Proxy::start(server.address()).await;
    let publisher = client(&server.url());
    let mut pokes = client(&proxy.url()).subscribe([Interest::new("PLAYLIST", "cut")]);
    live(&mut pokes).await;
    for i in 0..30 {
        publisher.publish(Publish::new("PLAYLIST", "cut").data(i.to_string())).await.unwrap();
        if i % 10 == 3 {
            proxy.cut();
        }
    }
    for i in 0..30 {
        assert_eq!(number(&poke(&mut pokes).await), i);
    }
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_noticed_and_replaced() {
    let config = Config::new().text("stream.heartbeat_interval", "1s").text("stream.reconnect_spread", "200ms");
    let server = Server::start(config).await;
    let proxy = Proxy::start(server.address()).await;
    let publisher = client(&server.url());
    let mut pokes = client(&proxy.url()).subscribe([Interest::new("PLAYLIST", "silent")]);
    live(&mut pokes).await;
    proxy.mute(true);
    publisher.publish(Publish::new("PLAYLIST", "silent").data("1")).await.unwrap();
    loop {
        if let Event::Reconnecting(_) = next(&mut pokes).await {
            break;
        }
    }
    proxy.mute(false);
    assert_eq!(number(&poke(&mut pokes).await), 1);
}

#[tokio::test]
async fn a_publisher_that_retries_after_a_lost_answer_does_not_double_the_poke() {
    let server = Server::start(Config::new()).await;
    let proxy = Proxy::start(server.address()).await;
    let mut pokes = client(&server.url()).subscribe([Interest::new("PLAYLIST", "retried")]);
    live(&mut pokes).await;
    let publisher = client(&proxy.url());
    publisher.publish(Publish::new("PLAYLIST", "retried").data("1")).await.unwrap();
    assert_eq!(number(&poke(&mut pokes).await), 1);

    proxy.mute(true);
    let retrying = tokio::spawn(async move { publisher.publish(Publish::new("PLAYLIST", "retried").data("2")).await });
    // The server has it; its answer is lost, and then the connection.
    assert_eq!(number(&poke(&mut pokes).await), 2);
    proxy.mute(false);
    proxy.cut();
    let published = within("the retry", retrying).await.unwrap().unwrap();
    assert!(published.duplicate);

    client(&server.url()).publish(Publish::new("PLAYLIST", "retried").data("3")).await.unwrap();
    assert_eq!(number(&poke(&mut pokes).await), 3);
}

/// Publishes numbers until told to stop, and gives how many there were. None may be refused.
struct Publishing {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<i64>,
}

impl Publishing {
    fn start(url: &str, filter: &'static str) -> Self {
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let client = client(url);
        let task = tokio::spawn(async move {
            let mut count = 0;
            let mut pace = tokio::time::interval(Duration::from_millis(5));
            while stopped.try_recv().is_err() {
                pace.tick().await;
                client.publish(Publish::new("PLAYLIST", filter).data(count.to_string())).await.expect("it is retried");
                count += 1;
            }
            count
        });
        Self { stop, task }
    }

    async fn stop(self) -> i64 {
        self.stop.send(()).expect("nothing else stops it");
        within("the publisher", self.task).await.expect("no publish failed")
    }
}

#[tokio::test]
async fn a_maximum_age_of_2_s_held_for_10_s_loses_nothing() {
    let config = Config::new().text("stream.max_age", "2s").set("stream.max_age_jitter", 0.25);
    let server = Server::start(config.text("stream.move_timeout", "2s")).await;
    let client = client(&server.url());
    let mut subscriptions = Vec::new();
    for _ in 0..10 {
        let mut pokes = client.subscribe([Interest::new("PLAYLIST", "ages")]);
        live(&mut pokes).await;
        subscriptions.push(pokes);
    }
    let publishing = Publishing::start(&server.url(), "ages");
    let until = Instant::now() + Duration::from_secs(10);
    let readers = subscriptions.into_iter().map(|mut pokes| async move {
        let mut count = 0;
        while Instant::now() < until {
            // `poke` fails at a gap.
            assert_eq!(number(&poke(&mut pokes).await), count);
            count += 1;
        }
        (pokes, count)
    });
    let readers: Vec<_> = readers.map(tokio::spawn).collect();
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.await.unwrap());
    }
    let published = publishing.stop().await;
    for (mut pokes, mut count) in all {
        while count < published {
            assert_eq!(number(&poke(&mut pokes).await), count);
            count += 1;
        }
    }
    let opened = server.metrics().await.sum("poke_streams_opened_total");
    // 10 subscriptions, each of which moved 4 times or so.
    assert!((30.0..100.0).contains(&opened), "{opened} streams");
}

#[tokio::test]
async fn calls_around_a_goaway_never_fail() {
    // Connections age all the time: each publish may be the first one after a GOAWAY.
    let config = Config::new().text("stream.max_age", "1s").set("stream.max_age_jitter", 0.5);
    let server = Server::start(config.text("stream.move_timeout", "1s")).await;
    let client = client(&server.url());
    let mut pokes = client.subscribe([Interest::new("PLAYLIST", "goaway")]);
    live(&mut pokes).await;
    let until = Instant::now() + Duration::from_secs(6);
    let mut count = 0;
    while Instant::now() < until {
        client.publish(Publish::new("PLAYLIST", "goaway").data(count.to_string())).await.expect("it is retried");
        assert_eq!(number(&poke(&mut pokes).await), count);
        count += 1;
    }
    assert!(server.metrics().await.sum("poke_streams_opened_total") >= 3.0);
}

/// What one subscriber of numbers saw over several servers: pokes in order, and gaps.
#[derive(Default)]
struct Seen {
    numbers: Vec<i64>,
    gaps: Vec<Gap>,
}

impl Seen {
    /// Reads all the time, as an app does, until it has the number that it is told in the end.
    async fn collect(mut pokes: Subscription, mut last: watch::Receiver<Option<i64>>) -> Self {
        let mut seen = Self::default();
        while last.borrow().is_none_or(|last| seen.numbers.last() != Some(&last)) {
            tokio::select! {
                event = next(&mut pokes) => seen.note(event),
                changed = last.changed() => changed.unwrap(),
            }
        }
        seen
    }

    /// Reads until the subscriber has the number.
    async fn through(&mut self, pokes: &mut Subscription, last: i64) {
        while self.numbers.last() != Some(&last) {
            self.note(next(pokes).await);
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Poke(poke) => self.numbers.push(number(&poke)),
            Event::Gap(gap) => self.gaps.push(gap),
            _ => {}
        }
    }
}

#[tokio::test]
async fn after_kill_9_and_a_restart_every_subscriber_goes_on_with_a_gap_and_no_duplicate() {
    let spread = || Config::new().text("stream.reconnect_spread", "2s");
    let mut server = Server::start(spread()).await;
    let address = server.address();
    let client = client(&server.url());
    let mut subscribers = Vec::new();
    for _ in 0..50 {
        let mut pokes = client.subscribe([Interest::new("PLAYLIST", "crash")]);
        live(&mut pokes).await;
        subscribers.push((pokes, Seen::default()));
    }
    let publish = async |number: i64| {
        client
            .publish(Publish::new("PLAYLIST", "crash").data(number.to_string()).deadline(Duration::from_secs(30)))
            .await
    };
    for number in 0..10 {
        publish(number).await.unwrap();
    }
    for (pokes, seen) in &mut subscribers {
        seen.through(pokes, 9).await;
    }
    server.kill9().await;
    let server = Server::start(spread().listen(address)).await;
    let back = Instant::now();
    for number in 10..20 {
        publish(number).await.unwrap();
    }
    for (pokes, seen) in &mut subscribers {
        seen.through(pokes, 19).await;
        assert_eq!(seen.numbers, (0..20).collect::<Vec<_>>(), "each once, and in order");
        assert_eq!(seen.gaps.len(), 1, "{:?}", seen.gaps);
        assert_eq!(seen.gaps[0].reason, GapReason::EpochChanged);
    }
    let took = back.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    println!("figure: 50 subscribers were live again {took:.1?} after a kill -9 and a restart");
    drop(server);
}

#[tokio::test]
async fn after_sigterm_and_a_late_successor_every_subscriber_goes_on_with_a_gap_and_no_duplicate() {
    // Long enough for many attempts to move, each of which fails: nobody listens until the old server has exited.
    let config = || Config::new().set("drain.rate", 1).text("drain.window", "15s").text("drain.deadline", "20s");
    let mut server = Server::start(config()).await;
    let (address, url) = (server.address(), server.url());
    let mut subscribers = Vec::new();
    for _ in 0..20 {
        // Each is a process of its own, so to say: they share no connection.
        let mut pokes = client(&url).subscribe([Interest::new("PLAYLIST", "restart")]);
        live(&mut pokes).await;
        subscribers.push((pokes, Seen::default()));
    }
    let publish = async |number: i64| {
        let publish = Publish::new("PLAYLIST", "restart").data(number.to_string());
        client(&url).publish(publish.deadline(Duration::from_secs(30))).await.unwrap();
    };
    for number in 0..10 {
        publish(number).await;
    }
    for (pokes, seen) in &mut subscribers {
        seen.through(pokes, 9).await;
    }
    server.sigterm();
    assert_eq!(server.exited().await.code(), Some(0));
    let _server = Server::start(config().listen(address)).await;
    let up = Instant::now();
    for number in 10..20 {
        publish(number).await;
    }
    for (pokes, seen) in &mut subscribers {
        seen.through(pokes, 19).await;
        assert_eq!(seen.numbers, (0..20).collect::<Vec<_>>(), "each once, and in order");
        assert_eq!(seen.gaps.len(), 1, "{:?}", seen.gaps);
        assert_eq!(seen.gaps[0].reason, GapReason::EpochChanged);
    }
    let took = up.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    println!("figure: 20 subscribers were live again {took:.1?} after a graceful restart");
}

#[tokio::test]
async fn a_rolling_replacement_on_one_address_misses_nothing() {
    let overlapping = || {
        // The new server replays what it has, so let that be all that is published while the old one's streams move.
        let config = Config::new().set("retention.pokes", 10_000);
        config.text("drain.window", "2s").text("stream.reconnect_spread", "1s")
    };
    let mut old = Server::start(overlapping()).await;
    let url = old.url();
    let (stop, last) = watch::channel(None);
    let mut subscribers = JoinSet::new();
    for _ in 0..50 {
        let mut pokes = client(&url).subscribe([Interest::new("PLAYLIST", "rolling")]);
        live(&mut pokes).await;
        subscribers.spawn(Seen::collect(pokes, last.clone()));
    }
    let publishing = Publishing::start(&url, "rolling");
    for _ in 0..3 {
        let new = old.replace(overlapping()).await;
        assert_eq!(old.exited().await.code(), Some(0));
        old = new;
    }
    let count = publishing.stop().await;
    stop.send(Some(count - 1)).unwrap();
    let mut gaps = HashMap::new();
    while let Some(seen) = subscribers.join_next().await {
        let seen = seen.unwrap();
        assert_eq!(seen.numbers, (0..count).collect::<Vec<_>>());
        assert!(seen.gaps.iter().all(|gap| gap.reason == GapReason::EpochChanged), "{:?}", seen.gaps);
        *gaps.entry(seen.gaps.len()).or_insert(0) += 1;
    }
    println!(
        "figure: 3 replacements under {count} pokes: none missed by 50 subscribers; subscribers by gaps: {gaps:?}"
    );
}

#[tokio::test]
async fn saved_positions_are_resumed_in_another_process() {
    let server = Server::start(Config::new()).await;
    let ours = Interest::new("PLAYLIST", "saved");
    let first = client(&server.url());
    let mut pokes = first.subscribe([ours.clone()]);
    live(&mut pokes).await;
    first.publish(Publish::new("PLAYLIST", "saved").data("1")).await.unwrap();
    assert_eq!(number(&poke(&mut pokes).await), 1);
    let positions = serde_json::to_string(&pokes.control().positions()).unwrap();
    drop((pokes, first));

    let second = client(&server.url());
    second.publish(Publish::new("PLAYLIST", "saved").data("2")).await.unwrap();
    let positions: poke_client::Positions = serde_json::from_str(&positions).unwrap();
    let mut pokes = second.subscribe(positions);
    assert_eq!(live(&mut pokes).await.outcome, Outcome::Recovered);
    assert_eq!(number(&poke(&mut pokes).await), 2);
}
