//! What the contract promises about sizes.

use poke_tests::{
    Config, Server, after, http, interest, latest, new_pokes, refusal, request, text,
    v1::{Interest, Outcome, Poke, PublishRequest, poke_service_client::PokeServiceClient},
};
use prost::Message as _;
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

#[tokio::test]
async fn a_gzip_bomb_is_refused_and_takes_no_memory() {
    let server = Server::start(Config::new()).await;
    let ours = interest("bomb");
    // 64 MiB of the same letter compress to 64 KB.
    let bomb = request(&ours, Some(text(&"x".repeat(64 << 20))));
    let channel = server.channel().await;
    let client = PokeServiceClient::new(channel).send_compressed(CompressionEncoding::Gzip);
    server.publisher().await.poke(&ours, "warm").await;
    let before = server.rss();
    let mut bombs = Vec::new();
    for _ in 0..20 {
        let (mut client, bomb) = (client.clone(), bomb.clone());
        bombs.push(tokio::spawn(async move { client.publish(bomb).await }));
    }
    for bomb in bombs {
        let refused = refusal(&bomb.await.unwrap().expect_err("a bomb"));
        assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "POKE_TOO_LARGE"));
    }
    let grown = server.peak_rss().saturating_sub(before);
    // 20 at once, each bounded by 1 MiB of output; not 20 times 64 MiB.
    assert!(grown < 40 << 20, "{grown} bytes");
    println!("figure: 20 gzip bombs of 64 MiB at once grew the server by {} KiB at most", grown >> 10);
}
