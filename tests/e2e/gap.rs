//! What the contract promises about loss: it is told.

use poke_tests::{
    Config, Event, Server, Stream, interest, new_pokes, text,
    v1::{GapReason, Outcome, poke_service_client::PokeServiceClient},
    within,
};
use tonic::transport::Endpoint;

/// A ring of ten pokes: a stream that isn't read is overrun at once.
fn short_rings() -> Config {
    Config::new().set("retention.pokes", 10).text("retention.bytes", "64MiB").text("stream.stall_timeout", "60s")
}

/// A stream that takes 64 KiB from the server and no more until it is read.
async fn narrow(server: &Server, filter: &str) -> Stream {
    let endpoint = Endpoint::from_shared(server.url()).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let channel = within("a connection", endpoint.connect()).await.unwrap();
    let mut stream = Stream::open(&mut PokeServiceClient::new(channel), [new_pokes(interest(filter))]).await;
    stream.live(Outcome::Fresh).await;
    stream
}

#[tokio::test]
async fn an_overrun_subscriber_gets_a_gap_with_its_count_and_then_goes_on() {
    let server = Server::start(short_rings()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("overrun");
    let mut slow = narrow(&server, "overrun").await;
    let mut fast = server.subscribe([new_pokes(ours.clone())]).await;
    fast.live(Outcome::Fresh).await;

    // 20 KB each: the slow one's window holds three.
    let padding = "x".repeat(20_000);
    let mut last = None;
    for i in 0..100_i64 {
        last = Some(publisher.poke(&ours, &format!("{i} {padding}")).await);
        fast.poke().await;
    }

    let (mut received, mut missed, mut gaps, mut saved) = (0, 0, 0, 0);
    while saved < last.as_ref().unwrap().sequence {
        match slow.next_but_heartbeat().await {
            Event::Poke(poke) => {
                let sequence = poke.position.unwrap().sequence;
                assert!(sequence > saved, "order holds across the gap");
                (saved, received) = (sequence, received + 1);
            }
            Event::Gap(gap) => {
                assert_eq!(gap.reason(), GapReason::Lagged);
                assert_eq!(gap.interest, Some(ours.clone()));
                let sequence = gap.position.unwrap().sequence;
                assert!(sequence > saved, "a gap lies ahead of what was seen");
                missed += gap.missed_count.expect("LAGGED counts");
                (saved, gaps) = (sequence, gaps + 1);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(received + missed, 100, "in {gaps} gaps");
    assert!(gaps >= 1 && missed >= 50, "{missed} missed in {gaps} gaps");
    assert!(gaps <= received, "what was missed in a row is one gap");

    publisher.poke(&ours, "live again").await;
    assert_eq!(slow.data(1).await, ["live again"]);
    assert_eq!(fast.data(1).await, ["live again"], "the others never noticed");
}

#[tokio::test]
async fn an_overrun_of_one_interest_is_no_gap_of_another() {
    let server = Server::start(short_rings()).await;
    let mut publisher = server.publisher().await;
    let endpoint = Endpoint::from_shared(server.url()).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let mut client = PokeServiceClient::new(within("a connection", endpoint.connect()).await.unwrap());
    let (loud, calm) = (interest("loud"), interest("calm"));
    let mut stream = Stream::open(&mut client, [new_pokes(loud.clone()), new_pokes(calm.clone())]).await;
    stream.live(Outcome::Fresh).await;
    stream.live(Outcome::Fresh).await;
    for i in 0..60 {
        publisher.publish(&loud, text(&"x".repeat(20_000))).await;
        if i % 10 == 0 {
            publisher.poke(&calm, &i.to_string()).await;
        }
    }
    let mut calm_seen = Vec::new();
    while calm_seen.len() < 6 {
        match stream.next_but_heartbeat().await {
            Event::Poke(poke) if poke.filter == "calm" => {
                calm_seen.push(poke.data.unwrap().to_value().unwrap().as_str().unwrap().to_owned());
            }
            Event::Gap(gap) => assert_eq!(gap.interest, Some(loud.clone())),
            _ => {}
        }
    }
    assert_eq!(calm_seen, ["0", "10", "20", "30", "40", "50"]);
}

#[tokio::test]
async fn many_overruns_do_not_flood_the_log() {
    let server = Server::start(short_rings()).await;
    let mut publisher = server.publisher().await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(narrow(&server, "flood").await);
    }
    let before = server.log().len();
    for _ in 0..5 {
        for _ in 0..40 {
            publisher.publish(&interest("flood"), text(&"x".repeat(20_000))).await;
        }
        for stream in &mut slow {
            stream.until(|event| matches!(event, Event::Gap(_)).then_some(())).await;
        }
    }
    // A hundred or more overruns, and a few lines at most.
    let lines = server.log().len() - before;
    assert!(lines <= 20, "{lines} lines");
    assert!(server.metrics().await.sum_where("poke_gaps_total", "lagged") >= 100.0);
}
