//! What the contract promises to those who wait.

use poke_tests::{
    Config, Event, Server, Stream, after, eventually, interest, new_pokes,
    v1::{Heartbeat, Outcome, Position},
};
use tokio::sync::mpsc;

/// The next heartbeat, whatever comes before it, and its one checkpoint.
async fn checkpoint(stream: &mut Stream) -> Position {
    let heartbeat = stream.until(|event| if let Event::Heartbeat(heartbeat) = event { Some(heartbeat) } else { None });
    let Heartbeat { checkpoints } = heartbeat.await;
    assert_eq!(checkpoints.len(), 1, "one epoch, one checkpoint");
    checkpoints.into_iter().next().unwrap()
}

fn beating_fast() -> Config {
    Config::new().text("stream.heartbeat_interval", "1s")
}

#[tokio::test]
async fn an_idle_stream_gets_a_heartbeat_each_interval() {
    let server = Server::start(beating_fast()).await;
    let mut stream = server.subscribe([new_pokes(interest("idle"))]).await;
    assert_eq!(stream.welcome().heartbeat_interval.as_ref().unwrap().seconds, 1);
    stream.live(Outcome::Fresh).await;
    for _ in 0..3 {
        let Event::Heartbeat(_) = stream.next().await else { panic!("nothing else happens on this stream") };
    }
}

#[tokio::test]
async fn a_quiet_interest_resumes_from_a_checkpoint_without_a_gap() {
    // Three pokes are kept: whoever resumes from its own last poke has fallen out of what is retained.
    let server = Server::start(beating_fast().set("retention.pokes", 3).text("retention.window", "2s")).await;
    let mut publisher = server.publisher().await;
    let (quiet, busy) = (interest("quiet"), interest("busy"));
    let mut stream = server.subscribe([new_pokes(quiet.clone())]).await;
    let start = stream.live(Outcome::Fresh).await;
    publisher.poke(&quiet, "once").await;
    let poked = stream.poke().await.position.unwrap();
    let mut last = poked.clone();
    for _ in 0..20 {
        last = publisher.poke(&busy, "noise").await;
    }
    // The first heartbeat may have been under way before the noise.
    let reached = loop {
        let position = checkpoint(&mut stream).await;
        assert_eq!(position.epoch, start.epoch);
        if position.sequence >= last.sequence {
            break position;
        }
    };
    drop(stream);
    // What was retained is forgotten, and with it the interest: one who saved no checkpoint has a gap.
    eventually("the window to pass", async || {
        let mut without = server.subscribe([after(quiet.clone(), start.clone())]).await;
        (without.subscribed().await.outcome() == Outcome::Gap).then_some(())
    })
    .await;

    let mut stream = server.subscribe([after(quiet.clone(), reached.clone())]).await;
    assert_eq!(stream.live(Outcome::Recovered).await, reached);
    publisher.poke(&quiet, "again").await;
    assert_eq!(stream.data(1).await, ["again"]);
}

#[tokio::test]
async fn a_checkpoint_never_passes_what_the_stream_has_not_carried() {
    let server = Server::start(beating_fast()).await;
    let (a, b) = (interest("a"), interest("b"));
    let mut publisher = server.publisher().await;
    let mut stream = server.subscribe([new_pokes(a.clone()), new_pokes(b.clone())]).await;
    // Publishes in bursts, and lets a heartbeat in between: a stream gets one only when it is idle.
    let (heard, mut next_burst) = mpsc::unbounded_channel();
    let publishing = tokio::spawn(async move {
        for _ in 0..4 {
            for i in 0..100 {
                publisher.poke(if i % 3 == 0 { &a } else { &b }, &i.to_string()).await;
            }
            next_burst.recv().await;
        }
    });
    let (mut checked, mut pokes) = (0, 0);
    while pokes < 400 {
        match stream.next().await {
            Event::Poke(poke) => {
                let sequence = poke.position.unwrap().sequence;
                assert!(sequence > checked, "{sequence} arrives after a checkpoint of {checked}");
                pokes += 1;
            }
            Event::Heartbeat(Heartbeat { checkpoints }) => {
                assert!(checkpoints[0].sequence >= checked, "checkpoints don't fall");
                checked = checkpoints[0].sequence;
                let _ = heard.send(());
            }
            _ => {}
        }
    }
    publishing.abort();
}
