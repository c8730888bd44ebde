//! What the contract promises about sizes.

use std::io::Write as _;

use ::http::Request;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use poke_tests::{
    Config, Server, after, http, interest, latest, new_pokes, refusal, request, text,
    v1::{Interest, Outcome, Poke, PublishRequest},
};
use prost::Message as _;
use tokio::task::JoinSet;
use tonic::{Code, codec::CompressionEncoding};

const LIMIT: usize = 131_072;

/// A poke whose fields 1 to 3 take exactly so many bytes.
fn of_size(interest: &Interest, size: usize) -> PublishRequest {
    let size_of = |length: usize| {
        let Interest { domain, filter, .. } = interest.clone();
        Poke { domain, filter, data: Some(text(&"x".repeat(length))), ..Default::default() }.encoded_len()
    };
    let length = size - (size_of(size / 2) - size / 2);
    // Lengths near the middle and near the end can have length prefixes of other sizes.
    let length = (length.saturating_sub(8)..=length).find(|length| size_of(*length) == size).expect("a length fits");
    request(interest, Some(text(&"x".repeat(length))))
}

#[tokio::test]
async fn a_poke_of_131_072_bytes_passes_and_arrives_and_one_of_131_073_is_refused() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    for filter in ["f", &"ü".repeat(128)] {
        let ours = interest(filter);
        let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
        let head = stream.live(Outcome::Fresh).await;
        let largest = of_size(&ours, LIMIT);
        publisher.send(largest.clone()).await.expect("the largest poke");
        assert_eq!(stream.poke().await.data, largest.data, "it arrives live");
        for start in [latest(ours.clone()), after(ours.clone(), head)] {
            let mut late = server.subscribe([start]).await;
            late.subscribed().await;
            assert_eq!(late.poke().await.data, largest.data, "and from what is retained");
        }

        let refused = refusal(&publisher.send(of_size(&ours, LIMIT + 1)).await.expect_err("one byte more"));
        assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "POKE_TOO_LARGE"));
        assert_eq!((refused.metadata["size"].as_str(), refused.metadata["limit"].as_str()), ("131073", "131072"));
        assert_eq!(refused.retry, None);
    }
}

#[tokio::test]
async fn the_same_holds_for_compressed_requests() {
    let server = Server::start(Config::new()).await;
    let ours = interest("gzip");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    let mut client = server.connect().await.send_compressed(CompressionEncoding::Gzip);
    let largest = of_size(&ours, LIMIT);
    client.publish(largest.clone()).await.expect("the largest poke, compressed");
    assert_eq!(stream.poke().await.data, largest.data);
    let refused = refusal(&client.publish(of_size(&ours, LIMIT + 1)).await.expect_err("one byte more"));
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "POKE_TOO_LARGE"));
}

#[tokio::test]
async fn the_same_holds_for_json() {
    let server = Server::start(Config::new()).await;
    let ours = interest("json");
    let url = format!("{}/poke.v1.PokeService/Publish", server.url());
    let post = async |size| {
        let data = of_size(&ours, size).data.unwrap().to_value().unwrap();
        let body = serde_json::json!({"domain": "PLAYLIST", "filter": "json", "data": data}).to_string();
        http::post(&url, "application/json", body).await
    };
    assert_eq!(post(LIMIT).await.status, 200);
    let refused = post(LIMIT + 1).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (429, Some("resource_exhausted")));
    // An even larger one is stopped by the transport's own bound, and refused by the same name.
    let larger = post(3 << 20).await;
    assert_eq!((larger.status.as_u16(), larger.json()["code"].as_str()), (429, Some("resource_exhausted")));
    assert!(larger.text().contains("POKE_TOO_LARGE"), "{}", larger.text());
}

#[tokio::test]
async fn what_the_transport_stops_is_refused_by_the_same_name() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("huge");
    for size in [1 << 20, 3 << 20] {
        let refused = refusal(&publisher.send(of_size(&ours, size)).await.expect_err("megabytes"));
        assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "POKE_TOO_LARGE"));
        assert_eq!(refused.metadata["limit"], "131072");
    }
}

/// A Publish in JSON whose data this is, compressed.
fn zipped(data: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    write!(encoder, r#"{{"domain":"PLAYLIST","filter":"f","data":{data}}}"#).expect("memory takes it");
    encoder.finish().expect("memory takes it").into()
}

/// Sends the same body so many times at once, and gives the reasons of the refusals; "" is none.
async fn at_once(server: &Server, times: usize, body: &Bytes) -> Vec<String> {
    let mut calls = JoinSet::new();
    for _ in 0..times {
        let request = Request::post(format!("{}/poke.v1.PokeService/Publish", server.url()))
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body(body.clone().into())
            .unwrap();
        calls.spawn(async move {
            let answer = http::send(request).await.json();
            answer["details"][0]["debug"]["reason"].as_str().unwrap_or_default().to_owned()
        });
    }
    calls.join_all().await
}

#[tokio::test]
async fn gzip_bombs_take_no_more_memory_than_their_own_bytes() {
    let server = Server::start(Config::new()).await;
    // 64 MiB of the same letter compress to 64 KB.
    let bomb = zipped(&format!("{:?}", "x".repeat(64 << 20)));
    assert!(bomb.len() < 100_000);
    // Reading as many bytes that are no bomb takes what it takes.
    let harmless = Bytes::from(vec![0; bomb.len()]);
    assert_eq!(at_once(&server, 200, &harmless).await, vec!["INVALID_REQUEST"; 200]);
    let before = server.peak_rss();
    let grown = || server.peak_rss().saturating_sub(before);
    assert_eq!(at_once(&server, 1, &bomb).await, ["POKE_TOO_LARGE"]);
    assert!(grown() < 2 << 20, "{} bytes for one", grown());
    assert_eq!(at_once(&server, 200, &bomb).await, vec!["POKE_TOO_LARGE"; 200]);
    let own = 200 * bomb.len() as u64;
    assert!(grown() < own + (2 << 20), "{} bytes, and the bombs themselves have {own}", grown());
    println!("figure: 200 gzip bombs of 64 MiB at once grew the server by {} KiB at most", grown() >> 10);
}

#[tokio::test]
async fn what_is_refused_for_its_size_takes_little_more_time_than_what_passes() {
    let server = Server::start(Config::new()).await;
    let plain = zipped(&format!("{:?}", "x".repeat(131_000)));
    let ticks = async |body: &Bytes, reason: &str| {
        let before = server.cpu_ticks();
        assert_eq!(at_once(&server, 20, body).await, vec![reason; 20]);
        server.cpu_ticks() - before
    };
    ticks(&plain, "").await;
    let fair = ticks(&plain, "").await.max(1);
    let list = |item: &str, bytes: usize| format!("[{}]", vec![item; bytes / (item.len() + 1)].join(","));
    let most = (1 << 20) - 1000;
    let around = |list: String| "[".repeat(22) + &list + &"]".repeat(22);
    for data in [list("1", most), around(list("1", most)), around(list("{}", most)), list("\"\"", most)] {
        let taken = ticks(&zipped(&data), "POKE_TOO_LARGE").await;
        println!("figure: {taken} ticks to refuse 20, and {fair} to accept 20 pokes of the largest size");
        assert!(taken < fair * 50, "{taken} ticks, and {fair} for a poke of the largest size: {}...", &data[..40]);
    }
}
