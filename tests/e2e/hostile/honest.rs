//! Who must not notice that others misbehave.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use poke_tests::{
    Config, Event, Publisher, Server, Stream, eventually, interest, json, new_pokes, request,
    v1::{Interest, Outcome},
};
use tokio::task::JoinHandle;

const SUBSCRIBERS: usize = 4;

/// What the server may take more after an attack than before it: the allocator keeps some of what was in use.
const SLACK: u64 = 24 << 20;

/// A configuration whose rings are so long that nobody lags on a slow machine: a gap has another reason then.
pub(super) fn config() -> Config {
    Config::new().set("retention.pokes", 20_000).text("retention.bytes", "16MiB")
}

/// Subscribers on connections of their own, and a back end that publishes a number every few milliseconds.
pub(super) struct Honest {
    rss: u64,
    stop: Arc<AtomicBool>,
    publisher: JoinHandle<u64>,
    subscribers: Vec<JoinHandle<u64>>,
}

impl Honest {
    /// Starts them.
    pub(super) async fn beside(server: &Server) -> Self {
        let ours = interest("honest");
        let mut subscribers = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
            stream.live(Outcome::Fresh).await;
            subscribers.push(tokio::spawn(count(stream)));
        }
        let mut publisher = server.publisher().await;
        publisher.poke(&interest("first"), "what the first call needs is there").await;
        let stop = Arc::new(AtomicBool::new(false));
        let rss = server.rss();
        let publisher = tokio::spawn(publish(publisher, ours, Arc::clone(&stop)));
        Self { rss, stop, publisher, subscribers }
    }

    /// Ends them. Each must have had every poke, in order, without a gap, and the server must hold no more than before.
    pub(super) async fn unharmed(self, server: &Server) {
        self.stop.store(true, Ordering::Relaxed);
        let published = self.publisher.await.expect("every Publish was accepted");
        for subscriber in self.subscribers {
            assert_eq!(subscriber.await.expect("the subscriber saw every poke"), published);
        }
        assert!(published > 0);
        println!("{published} pokes to each; {} KiB more than before", server.rss().saturating_sub(self.rss) >> 10);
        // The allocator gives back what it doesn't need after some seconds.
        let flat = async || (server.rss() < self.rss + SLACK).then_some(());
        eventually("the server to hold no more than before", flat).await;
    }
}

async fn publish(mut publisher: Publisher, ours: Interest, stop: Arc<AtomicBool>) -> u64 {
    let mut published = 0;
    while !stop.load(Ordering::Relaxed) {
        let accepted = publisher.send(request(&ours, Some(json(published.into())))).await;
        accepted.unwrap_or_else(|refused| panic!("an honest publisher was refused: {refused:?}"));
        published += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    publisher.end(&ours, None).await;
    published
}

/// Reads to the end of the interest, and gives how many pokes there were.
async fn count(mut stream: Stream) -> u64 {
    let mut seen = 0_u64;
    loop {
        match stream.next_but_heartbeat().await {
            Event::Poke(poke) => {
                let number = poke.data.expect("it has data").to_value().expect("it is sound");
                assert_eq!(number.as_f64(), Some(seen as f64), "a poke is missing, or came twice");
                seen += 1;
            }
            Event::Ended(_) => return seen,
            other => panic!("an honest subscriber was told {other:?}"),
        }
    }
}
