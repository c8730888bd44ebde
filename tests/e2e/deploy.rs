//! The deploy that README describes, with ports as anyone sets them: both servers have the same, the admin port's too.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use poke_client::{Event, GapReason, Interest, Publish, Subscription};
use poke_tests::{
    Config, Server, interest, new_pokes,
    tools::{poke, run},
    v1::Outcome,
    within,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::interval,
};

use crate::sdk::{client, live, next, number};

const FILTER: &str = "deploy";

/// When each poke's Publish began, by number.
type Times = Arc<Mutex<Vec<Instant>>>;

/// Publishes by the SDK until `stop` says so, with what it does by itself about a server that goes away. Returns the
/// longest time that a call took.
fn publish(url: &str, times: Times, stop: watch::Receiver<bool>) -> JoinHandle<Duration> {
    let client = client(url);
    tokio::spawn(async move {
        let (mut pace, mut longest) = (interval(Duration::from_millis(10)), Duration::ZERO);
        while !*stop.borrow() {
            pace.tick().await;
            let begun = Instant::now();
            let number = {
                let mut times = times.lock().unwrap();
                times.push(begun);
                times.len() - 1
            };
            client.publish(Publish::new("PLAYLIST", FILTER).data(number.to_string())).await.expect("no publish fails");
            longest = longest.max(begun.elapsed());
        }
        longest
    })
}

/// Publishes by the command, a process for each poke, until `stop` says so. Returns how many there were. With `--wait`
/// the command tries again where nobody listens.
fn publish_by_command(url: String, stop: watch::Receiver<bool>) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut count = 0;
        while !*stop.borrow() {
            let mut command = poke(&url);
            command.args(["publish", "PLAYLIST", "by command", "x", "--wait"]);
            let output = run(command).await;
            assert!(output.status.success(), "{output:?}");
            count += 1;
        }
        count
    })
}

/// Reads until the last poke, whose number it is told in the end. Returns how late the latest poke was, and how many gaps
/// there were. Fails if a poke is missing without a gap, comes twice, or comes out of order.
async fn listen(mut pokes: Subscription, times: Times, mut last: watch::Receiver<Option<i64>>) -> (Duration, usize) {
    let (mut expected, mut latest, mut gaps, mut may_skip) = (0, Duration::ZERO, 0, false);
    while last.borrow().is_none_or(|last| expected <= last) {
        let event = tokio::select! {
            event = next(&mut pokes) => event,
            _ = last.changed() => continue,
        };
        match event {
            Event::Poke(poke) => {
                let number = number(&poke);
                assert!(number == expected || (may_skip && number > expected), "{number} in place of {expected}");
                let begun = times.lock().unwrap()[usize::try_from(number).unwrap()];
                (expected, latest, may_skip) = (number + 1, latest.max(begun.elapsed()), false);
            }
            Event::Gap(gap) => {
                assert_eq!(gap.reason, GapReason::EpochChanged);
                (gaps, may_skip) = (gaps + 1, true);
            }
            _ => {}
        }
    }
    (latest, gaps)
}

#[tokio::test]
async fn a_server_whose_admin_address_is_taken_serves_clients_and_takes_it_later() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new().admin(other.local_addr().unwrap());
    let server = within("a start", Server::start(config.text("listen.wait", "60s"))).await;
    let mut stream = server.subscribe([new_pokes(interest(FILTER))]).await;
    stream.live(Outcome::Fresh).await;
    server.publisher().await.poke(&interest(FILTER), "served").await;
    assert_eq!(stream.data(1).await, ["served"]);
    drop(other);
    server.ready().await;
    let said = server.log().iter().filter(|line| line.contains("admin port until")).count();
    assert_eq!(said, 1, "{:#?}", server.log());
}

#[tokio::test]
async fn the_documented_deploy_fails_no_publish_and_each_subscriber_gets_its_pokes_or_a_gap() {
    let mut old = Server::start(Config::new()).await;
    let url = old.url();
    let (times, (stop, stopped), (last, told)) = (Times::default(), watch::channel(false), watch::channel(None));
    let mut subscribers = JoinSet::new();
    for _ in 0..20 {
        let mut pokes = client(&url).subscribe([Interest::new("PLAYLIST", FILTER)]);
        live(&mut pokes).await;
        subscribers.spawn(listen(pokes, Arc::clone(&times), told.clone()));
    }
    let by_sdk = publish(&url, Arc::clone(&times), stopped.clone());
    let by_command = publish_by_command(url, stopped);

    let start = Instant::now();
    let new = old.replace(Config::new()).await;
    assert_eq!(old.exited().await.code(), Some(0));
    let took = start.elapsed();
    assert_eq!(new.admin("/readyz").await.text(), "ready\n", "the admin port is the successor's");
    new.metric_becomes("poke_streams_open", |streams| streams == 20.0).await;

    stop.send(true).unwrap();
    let longest = within("the last publish", by_sdk).await.unwrap();
    let commands = within("the last command", by_command).await.unwrap();
    let count = times.lock().unwrap().len();
    last.send(Some(i64::try_from(count).unwrap() - 1)).unwrap();
    let (mut latest, mut gaps) = (Duration::ZERO, Vec::new());
    while let Some(subscriber) = within("the subscribers", subscribers.join_next()).await {
        let (late, count) = subscriber.unwrap();
        latest = latest.max(late);
        gaps.push(count);
    }
    println!(
        "figure: a deploy under {count} publishes and {commands} commands: {took:.1?} from start to exit, the longest \
         publish {longest:.2?}, the latest poke {latest:.2?}, gaps {gaps:?}"
    );
    // It was 24 s of publishes that failed after 10 s. A busy machine gets more than the second that it takes.
    assert!(longest < Duration::from_secs(5) && latest < Duration::from_secs(5), "{longest:?}, {latest:?}");
}
