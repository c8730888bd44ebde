//! What operators see stays as small as it was, whatever clients do.

use poke_tests::{
    Config, Server, Stream, eventually,
    frames::{Connection, block},
    http, interest, new_pokes, request, text,
    tls::{Authority, Files},
    v1::{EndInterestRequest, Interest, Outcome, PublishRequest, SubscribeRequest},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

/// How many of something clients can name.
const MANY: usize = 100_000;

#[tokio::test]
async fn a_hundred_thousand_names_add_no_series() {
    let config = Config::new().set("stream.max_interests", 1000).text("rates.publisher", "off");
    let server = Server::start(config.open("MINE").text("domains.MINE.audience", "customer")).await;
    let before = server.metrics().await.count();
    let mut client = server.connect().await;
    let mut streams = Vec::new();
    for hundreds in 0..MANY / 1000 {
        let wants = (0..1000).map(|n| Interest { domain: format!("D{n}"), ..interest(&format!("{hundreds}/{n}")) });
        let mut stream = Stream::open(&mut client, wants.map(new_pokes)).await;
        stream.live(Outcome::Fresh).await;
        streams.push(stream);
    }
    server.metric_becomes("poke_topics", |topics| topics == MANY as f64).await;
    // And all else that a client can choose.
    let mut publisher = server.publisher().await;
    for n in 0..500 {
        let name = format!("N{n}");
        let ours = Interest { domain: name.clone(), ..interest(&name) };
        let keyed = PublishRequest { idempotency_key: name.clone(), ..request(&ours, Some(text(&name))) };
        publisher.send(keyed).await.unwrap();
        let mine = Interest { domain: "MINE".into(), audience: 1, ..interest(&name) };
        let to_one = PublishRequest { customer_id: name.clone(), ..request(&mine, None) };
        publisher.send(to_one).await.unwrap();
        let end = EndInterestRequest { domain: name.clone(), filter: name.clone(), ..Default::default() };
        publisher.client().end_interest(end).await.unwrap();
        publisher.send(PublishRequest { audience: i32::MAX - n, ..request(&ours, None) }).await.unwrap_err();
        let odd = ::http::Request::builder()
            .method(format!("M{n}").as_str())
            .uri(format!("{}/poke.v1.PokeService/{name}?{name}", server.url()))
            .header("user-agent", &name)
            .header("content-type", format!("application/{name}"))
            .header("authorization", format!("Bearer {name}"));
        http::send(odd.body(Default::default()).unwrap()).await;
    }
    assert_eq!(server.metrics().await.count(), before);
}

/// How far a client gets before its connection breaks.
fn beginnings() -> Vec<Vec<u8>> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    vec![
        Vec::new(),
        b"PRI * HT".to_vec(),
        PREFACE.to_vec(),
        // The beginning of a frame, and one that nobody knows.
        [PREFACE, &[0, 0, 99, 1, 4, 0, 0, 0, 1, 0x82]].concat(),
        [PREFACE, &[0, 0, 1, 99, 0, 0, 0, 0, 0, 0]].concat(),
        b"POST /poke.v1.PokeService/Pub".to_vec(),
        b"POST /poke.v1.PokeService/Publish HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
            .to_vec(),
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        // The beginning of a handshake, and nothing that anybody speaks.
        vec![22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        b"\0\xff\0\xff SSH-2.0\r\n\r\n".to_vec(),
    ]
}

#[tokio::test]
async fn a_thousand_connections_that_break_anywhere_write_no_warnings() {
    let files = Files::new(&Authority::new().server());
    for config in [Config::new(), files.config()] {
        let server = Server::start(config).await;
        let before = server.log().len();
        for (n, beginning) in beginnings().iter().cycle().take(1000).enumerate() {
            let mut socket = TcpStream::connect(server.address()).await.unwrap();
            // The server may have refused what it got, and be gone.
            let _ = socket.write_all(beginning).await;
            if n % 2 == 0 {
                // RST.
                socket.set_zero_linger().unwrap();
            }
        }
        quiet(&server, before).await;
    }
}

#[tokio::test]
async fn a_thousand_calls_that_break_anywhere_write_no_warnings() {
    let server = Server::start(Config::new()).await;
    let before = server.log().len();
    for n in 0..1000 {
        let mut connection = Connection::open(server.address()).await;
        match n % 5 {
            0 => _ = connection.call("Subscribe", &SubscribeRequest { subscriptions: vec![new_pokes(interest("x"))] }),
            1 => _ = connection.call("Publish", &request(&interest("x"), Some(text("x")))),
            2 => _ = connection.call_unfinished("Publish", 10_000),
            3 => _ = connection.call_unfinished("Subscribe", 10),
            _ => _ = connection.open_stream(0, &block(&[(":method", "GET")])),
        }
        connection.flush().await.unwrap();
        if n % 3 == 0 {
            // The answer is on its way, or has come.
            connection.next().await;
        }
        connection.close(n % 2 == 0);
    }
    quiet(&server, before).await;
}

/// Waits until everyone is gone, and finds nothing loud in the log.
async fn quiet(server: &Server, before: usize) {
    eventually("everyone to be gone", async || {
        let metrics = server.metrics().await;
        (metrics.sum("poke_connections_open") + metrics.sum("poke_streams_open") == 0.0).then_some(())
    })
    .await;
    let log = server.log().into_iter().skip(before);
    let loud: Vec<_> =
        log.filter(|line| ["WARN", "ERROR", "panicked"].iter().any(|word| line.contains(word))).collect();
    assert!(loud.is_empty(), "{loud:#?}");
}
