//! One who doesn't read harms nobody but itself.

use std::time::{Duration, Instant};

use poke_tests::{
    Config, Event, Server, Stream,
    frames::{Connection, kind},
    interest, new_pokes, refusal, text,
    v1::{Outcome, SubscribeRequest, poke_service_client::PokeServiceClient},
    within,
};
use tonic::{Code, transport::Endpoint};

const READERS: usize = 20;
const POKES: usize = 300;

/// Publishes pokes of 100 KB, each once everybody has the one before, and gives the 99th percentile of the time until
/// all readers have one.
async fn p99(server: &Server, readers: &mut [Stream]) -> Duration {
    let mut publisher = server.publisher().await;
    let padding = "x".repeat(100_000);
    let mut times = Vec::with_capacity(POKES);
    for _ in 0..POKES {
        let start = Instant::now();
        publisher.publish(&interest("crowd"), text(&padding)).await;
        for reader in readers.iter_mut() {
            reader.poke().await;
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times[POKES * 99 / 100]
}

#[tokio::test]
async fn one_of_many_that_never_reads_slows_nobody_and_takes_no_memory() {
    let server = Server::start(Config::new().text("stream.stall_timeout", "600s")).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut stream = server.subscribe([new_pokes(interest("crowd"))]).await;
        stream.live(Outcome::Fresh).await;
        readers.push(stream);
    }
    let alone = p99(&server, &mut readers).await;
    let before = server.rss();

    // Its windows are the smallest, and its socket is never read.
    let mut stalled = Connection::open_with_window(server.address(), 1000).await;
    let request = SubscribeRequest { subscriptions: vec![new_pokes(interest("crowd"))] };
    stalled.call("Subscribe", &request);
    stalled.flush().await.unwrap();
    server.metric_becomes("poke_streams_open", |streams| streams == READERS as f64 + 1.0).await;
    let together = p99(&server, &mut readers).await;

    let grown = server.rss().saturating_sub(before);
    println!("figure: p99 of 100 KB to {READERS}: {alone:?} alone, {together:?} beside one that never reads");
    println!("figure: memory grew by {} KiB beside one that never reads 30 MB", grown >> 10);
    // Below 100 ms both are the noise of a shared machine.
    assert!(together < alone.max(Duration::from_millis(50)) * 2, "{alone:?} became {together:?}");
    assert!(grown < 8 << 20, "{grown} bytes for one that was sent 30 MB");
}

#[tokio::test]
async fn a_stalled_reader_ends_with_a_status_of_its_own() {
    let server = Server::start(Config::new().text("stream.stall_timeout", "1s")).await;
    let mut publisher = server.publisher().await;
    let ours = interest("stalled");
    let endpoint = Endpoint::from_shared(server.url()).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let channel = within("a connection", endpoint.connect()).await.unwrap();
    let mut stalled = Stream::open(&mut PokeServiceClient::new(channel), [new_pokes(ours.clone())]).await;
    stalled.live(Outcome::Fresh).await;
    let mut reads = server.subscribe([new_pokes(ours.clone())]).await;
    reads.live(Outcome::Fresh).await;

    for _ in 0..20 {
        publisher.publish(&ours, text(&"x".repeat(100_000))).await;
        reads.poke().await;
    }
    server.metric_becomes("poke_streams_open", |streams| streams == 1.0).await;
    let ended = server.metrics().await;
    assert_eq!(ended.sum_where("poke_streams_ended_total", "stalled"), 1.0, "{ended:?}");
    let refused = refusal(&stalled.end().await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, "CLIENT_STALLED"));
    assert!(refused.retry.is_some());

    publisher.poke(&ours, "goes on").await;
    assert_eq!(reads.data(1).await, ["goes on"]);
}

/// One poke that is larger than the client's window: the rest of it waits in the server, and nothing comes after it.
#[tokio::test]
async fn a_single_poke_that_is_not_read_is_a_stall() {
    let config = Config::new().text("stream.stall_timeout", "1s").text("stream.heartbeat_interval", "60s");
    let server = Server::start(config).await;
    let mut stalled = Connection::open_with_window(server.address(), 65_535).await;
    stalled.call("Subscribe", &SubscribeRequest { subscriptions: vec![new_pokes(interest("large"))] });
    stalled.flush().await.unwrap();
    server.metric_becomes("poke_topics", |topics| topics == 1.0).await;
    server.publisher().await.publish(&interest("large"), text(&"x".repeat(131_000))).await;
    server.metric_becomes("poke_streams_open", |streams| streams == 0.0).await;
    assert_eq!(server.metrics().await.sum_where("poke_streams_ended_total", "stalled"), 1.0);
}

#[tokio::test]
async fn a_stalled_stream_beside_a_healthy_one_is_let_go_alone() {
    let config = Config::new().text("stream.stall_timeout", "1s").text("retention.window", "1s");
    let server = Server::start(config).await;
    let mut publisher = server.publisher().await;
    let mut connection = Connection::open_with_window(server.address(), 10_000).await;
    let subscribe = |filter| SubscribeRequest { subscriptions: vec![new_pokes(interest(filter))] };
    let (healthy, stalled) =
        (connection.call("Subscribe", &subscribe("read")), connection.call("Subscribe", &subscribe("unread")));
    connection.flush().await.unwrap();
    server.metric_becomes("poke_topics", |topics| topics == 2.0).await;
    publisher.publish(&interest("unread"), text(&"x".repeat(131_000))).await;

    let reset = loop {
        let frame = connection.next().await.expect("the other stream of the connection is healthy");
        if frame.kind == kind::RST_STREAM {
            break frame;
        }
    };
    assert_eq!((reset.stream, &reset.payload[..]), (stalled, &[0, 0, 0, 8][..]), "CANCEL");
    server.metric_becomes("poke_streams_stalled", |streams| streams == 0.0).await;
    server.metric_becomes("poke_topics", |topics| topics == 1.0).await;

    publisher.poke(&interest("read"), "goes on").await;
    let frame = connection.next().await.expect("the stream goes on");
    assert_eq!((frame.kind, frame.stream), (kind::DATA, healthy));
}

#[tokio::test]
async fn one_that_reads_nothing_but_has_nothing_to_read_is_not_stalled() {
    let config = Config::new().text("stream.stall_timeout", "1s").text("stream.heartbeat_interval", "1s");
    let server = Server::start(config).await;
    let mut idle = server.subscribe([new_pokes(interest("idle"))]).await;
    let mut clock = server.subscribe([new_pokes(interest("clock"))]).await;
    clock.live(Outcome::Fresh).await;
    for _ in 0..4 {
        let Event::Heartbeat(_) = clock.next().await else { panic!("nothing else happens") };
    }
    idle.live(Outcome::Fresh).await;
    server.publisher().await.poke(&interest("idle"), "awake").await;
    assert_eq!(idle.data(1).await, ["awake"]);
}
