//! All of them at once.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use flate2::{Compression, write::GzEncoder};
use http_body_util::Full;
use poke_tests::{Config, Server, frames::Connection, http as plain, interest, new_pokes, v1::SubscribeRequest};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    flood::flood,
    floods::{attacks, nuisances},
    honest::{self, Honest},
    silence::beginnings,
};

/// How long the mix goes on. Each attacker comes back as soon as it is thrown out, so that every kind comes by more often in
/// this time than most servers see in an hour.
const DURATION: Duration = Duration::from_secs(60);

/// How much higher memory may be in the last part of the mix than it was in the first.
const SLACK: u64 = 16 << 20;

/// Without it the attackers would take the machine's processors, and not only the server's.
const PAUSE: Duration = Duration::from_millis(20);

fn config() -> Config {
    let config = honest::config().text("limits.handshake_timeout", "2s").text("limits.request_timeout", "2s");
    config.text("stream.stall_timeout", "2s").text("limits.idle_timeout", "5s")
}

/// Starts an attacker that tries again and again.
fn repeat<F: Future<Output = ()> + Send>(attackers: &mut JoinSet<()>, attack: impl Fn() -> F + Send + 'static) {
    attackers.spawn(async move {
        loop {
            attack().await;
            sleep(PAUSE).await;
        }
    });
}

/// Every flood of frames, one after another.
async fn floods(address: SocketAddr) {
    for (_, put) in attacks().into_iter().chain(nuisances()) {
        flood(address, true, 100, put).await;
        sleep(PAUSE).await;
    }
}

/// A crowd that begins and says no more, until it is thrown out.
async fn silent(address: SocketAddr) {
    let mut crowd = Vec::new();
    for beginning in beginnings().iter().cycle().take(100) {
        let Ok(mut socket) = TcpStream::connect(address).await else { return };
        let _ = socket.write_all(beginning).await;
        crowd.push(socket);
    }
    sleep(Duration::from_secs(3)).await;
}

/// Streams that are never read, messages that are never finished, and answers that nobody takes.
async fn stuck(address: SocketAddr) {
    let mut connection = Connection::open_with_window(address, 10).await;
    for _ in 0..50 {
        connection.call("Subscribe", &SubscribeRequest { subscriptions: vec![new_pokes(interest("honest"))] });
        connection.call_unfinished("Publish", 10_000);
        connection.call_json("Publish", "{}");
    }
    let _ = timeout(Duration::from_secs(1), connection.flush()).await;
    sleep(Duration::from_secs(3)).await;
}

/// Subscribes to names that nobody else uses, and is gone, by FIN or RST.
async fn fleeting(address: SocketAddr) {
    for i in 0..50 {
        let many = (0..100).map(|j| new_pokes(interest(&format!("{i} {j} {:?}", Instant::now())))).collect();
        let mut connection = Connection::open(address).await;
        connection.call("Subscribe", &SubscribeRequest { subscriptions: many });
        let _ = connection.flush().await;
        connection.close(i % 2 == 0);
    }
}

/// Calls that come to nothing: a bomb, a body too large, and one that isn't what it says. Beside all the others they may also
/// run out of time, and then out of a connection.
async fn refused(url: &str, bomb: &[u8]) {
    let bodies = [("identity", vec![b'['; 200_000]), ("identity", vec![b' '; 2 << 20]), ("identity", b"\0".to_vec())];
    for (encoding, body) in bodies.into_iter().chain([("gzip", bomb.to_vec())]) {
        let request = http::Request::post(url).header("content-type", "application/json");
        let request = request.header("content-encoding", encoding).body(Full::new(body.into())).unwrap();
        if let Ok(answer) = plain::try_send(request).await {
            assert!(answer.status.is_client_error() || answer.status == 504, "{}: {}", answer.status, answer.text());
        }
    }
}

/// 64 MiB in 64 KB.
fn bomb() -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut gzip, &vec![b'['; 64 << 20]).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn all_at_once_leave_honest_subscribers_without_a_gap_and_memory_flat() {
    // It takes a while, in which nobody would read for the honest ones.
    let bomb = Arc::new(bomb());
    let server = Server::start(config()).await;
    let honest = Honest::beside(&server).await;
    let address = server.address();
    let url = format!("{}/poke.v1.PokeService/Publish", server.url());

    let mut attackers = JoinSet::new();
    for _ in 0..3 {
        repeat(&mut attackers, move || floods(address));
        repeat(&mut attackers, move || silent(address));
        repeat(&mut attackers, move || stuck(address));
    }
    repeat(&mut attackers, move || fleeting(address));
    repeat(&mut attackers, move || {
        let (url, bomb) = (url.clone(), Arc::clone(&bomb));
        async move { refused(&url, &bomb).await }
    });

    let start = Instant::now();
    let (mut first, mut last) = (0, 0);
    while start.elapsed() < DURATION {
        sleep(Duration::from_millis(200)).await;
        let most = if start.elapsed() < DURATION / 2 { &mut first } else { &mut last };
        *most = server.rss().max(*most);
        if let Some(ended) = attackers.try_join_next() {
            panic!("an attacker gave up: {ended:?}");
        }
    }
    attackers.shutdown().await;

    // All that they held comes back.
    server.metric_becomes("poke_streams_open", |open| open <= 4.0).await;
    server.metric_becomes("poke_request_bytes", |bytes| bytes == 0.0).await;
    server.metric_becomes("poke_connections_open", |open| open <= 6.0).await;
    let metrics = server.metrics().await;
    for reason in ["protocol", "handshake", "lost"] {
        let closed = metrics.sum_where("poke_connections_closed_total", reason);
        println!("closed for {reason}: {closed}");
        assert!(closed > 0.0, "{reason}");
    }
    println!(
        "figure: beside {} hostile connections in {} s, memory was {} KiB at most in the first half and {} KiB in the last",
        metrics.sum("poke_connections_opened_total"),
        DURATION.as_secs(),
        first >> 10,
        last >> 10
    );
    assert!(last < first + SLACK, "{} MiB at first, {} MiB in the end", first >> 20, last >> 20);
    honest.unharmed(&server).await;
}
