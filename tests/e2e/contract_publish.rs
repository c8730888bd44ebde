//! What the contract promises to those who publish.

use std::time::{Duration, SystemTime};

use poke_tests::{
    Config, Data, Server, interest, json, latest, new_pokes, refusal, request, text,
    v1::{Audience, Outcome},
};
use serde_json::json;
use tonic::Code;

#[tokio::test]
async fn a_poke_reaches_everyone_who_holds_its_interest_and_nobody_else() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let (ours, other) = (interest("ours"), interest("other"));
    let mut holders = Vec::new();
    for _ in 0..5 {
        let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
        stream.live(Outcome::Fresh).await;
        holders.push(stream);
    }
    let mut bystander = server.subscribe([new_pokes(other.clone())]).await;
    bystander.live(Outcome::Fresh).await;

    let position = publisher.poke(&ours, "for us").await;
    publisher.poke(&other, "for them").await;

    for holder in &mut holders {
        let poke = holder.poke().await;
        assert_eq!(poke.data, Some(text("for us")));
        assert_eq!(poke.position, Some(position.clone()));
    }
    assert_eq!(bystander.poke().await.data, Some(text("for them")));
}

#[tokio::test]
async fn one_publish_gives_exactly_one_event_to_each_subscriber() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("once");
    // The publisher's own connection holds a subscription too: nothing comes back a second time as an echo.
    let mut own = poke_tests::Stream::open(&mut publisher.client(), [new_pokes(ours.clone())]).await;
    let mut other = server.subscribe([new_pokes(ours.clone())]).await;
    own.live(Outcome::Fresh).await;
    other.live(Outcome::Fresh).await;

    for data in ["1", "2", "3"] {
        publisher.poke(&ours, data).await;
    }

    for stream in [&mut own, &mut other] {
        assert_eq!(stream.data(3).await, ["1", "2", "3"]);
    }
}

#[tokio::test]
async fn a_poke_says_where_it_stands_and_when_it_was_accepted() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("facts");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    let head = stream.live(Outcome::Fresh).await;

    let before = SystemTime::now();
    let answer = publisher.publish(&ours, text("x")).await;
    let poke = stream.poke().await;

    assert_eq!((poke.domain.as_str(), poke.filter.as_str()), ("PLAYLIST", "facts"));
    assert_eq!(poke.audience(), Audience::Unspecified);
    assert_eq!(poke.position, answer.position);
    let position = poke.position.expect("a poke has a position");
    assert_eq!(position.epoch, head.epoch);
    assert!((1..=64).contains(&position.epoch.len()));
    assert!(position.sequence > head.sequence);
    let accepted = SystemTime::try_from(poke.publish_time.expect("a poke has a time")).expect("a valid time");
    // The server's clock is this machine's; the slack is for timestamps of coarse clocks.
    assert!(accepted + Duration::from_secs(1) > before && accepted < SystemTime::now() + Duration::from_secs(1));
}

#[tokio::test]
async fn positions_strictly_rise_over_all_interests_of_an_epoch() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let mut last = publisher.poke(&interest("0"), "x").await;
    for i in 1..50 {
        let position = publisher.poke(&interest(&(i % 7).to_string()), "x").await;
        assert_eq!(position.epoch, last.epoch);
        assert!(position.sequence > last.sequence, "{position:?} after {last:?}");
        last = position;
    }
}

#[tokio::test]
async fn the_receiver_count_is_the_streams_that_hold_the_interest_at_that_instant() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("count");
    assert_eq!(publisher.publish(&ours, text("x")).await.local_receiver_count, Some(0));
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = server.subscribe([new_pokes(ours.clone()), new_pokes(interest("more"))]).await;
        stream.live(Outcome::Fresh).await;
        streams.push(stream);
    }
    assert_eq!(publisher.publish(&ours, text("x")).await.local_receiver_count, Some(3));
    streams.pop();
    poke_tests::eventually("the count to fall", async || {
        (publisher.publish(&ours, text("x")).await.local_receiver_count == Some(2)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn data_unset_empty_and_null_are_three_different_things() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("nothing");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;

    for data in [None, Some(text("")), Some(Data::null())] {
        publisher.send(request(&ours, data.clone())).await.expect("each is valid");
        assert_eq!(stream.poke().await.data, data);
        // And the same from what is retained.
        let mut late = server.subscribe([latest(ours.clone())]).await;
        late.live(Outcome::Fresh).await;
        assert_eq!(late.poke().await.data, data);
    }
}

#[tokio::test]
async fn data_is_any_json_and_comes_back_as_it_was() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("json");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    for value in [
        json!("Updated"),
        json!(""),
        json!(true),
        json!(0),
        json!(-1.5),
        json!(9_007_199_254_740_991_i64),
        json!([]),
        json!({}),
        json!([null, false, "é🎵", {"a": {"b": [1, 2.25, null]}}]),
        json!({"": null, "nested": {"z": 1, "a": [[], {}]}, "text": "line\nbreak \u{0} \u{2028}"}),
    ] {
        publisher.publish(&ours, json(value.clone())).await;
        assert_eq!(stream.data(1).await, [value]);
    }
}

#[tokio::test]
async fn data_of_24_nested_levels_passes_and_25_is_refused() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("deep");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    for wrap in [raw::in_array, raw::in_object] {
        publisher.send_bytes(&ours, &raw::nested(24, wrap)).await.expect("24 levels are fine");
        let arrived = stream.poke().await.data.expect("the poke has data");
        assert_eq!(arrived.as_bytes(), raw::nested(24, wrap));

        let status = publisher.send_bytes(&ours, &raw::nested(25, wrap)).await.expect_err("too deep");
        let refused = refusal(&status);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_DATA"));
        assert_eq!(refused.fields, ["data"]);
    }
}

#[tokio::test]
async fn a_value_that_json_could_not_say_is_refused_at_any_depth() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("odd");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    let odd = [
        ("without a kind", vec![]),
        ("not a number", raw::number(f64::NAN)),
        ("infinite", raw::number(f64::INFINITY)),
        ("not UTF-8", vec![0x1a, 2, 0xff, 0xfe]),
        ("cut off", vec![0x1a, 9, b'x']),
        ("a group", vec![0x0b, 0x0c]),
    ];
    for (what, value) in &odd {
        for data in [value.clone(), raw::in_array(value), raw::in_object(&raw::in_array(value))] {
            let status = publisher.send_bytes(&ours, &data).await.expect_err(what);
            let reason = refusal(&status).reason;
            // What the protobuf layer can't parse never reaches the rules for data.
            assert!(["INVALID_DATA", "INVALID_REQUEST"].contains(&reason.as_str()), "{what}: {status:?}");
            assert_eq!(status.code(), Code::InvalidArgument, "{what}");
        }
    }
    // A key that isn't UTF-8.
    let key = [0x2a, 9, 0x0a, 7, 0x0a, 1, 0xff, 0x12, 2, 0x08, 0];
    assert_eq!(publisher.send_bytes(&ours, &key).await.expect_err("a key").code(), Code::InvalidArgument);

    publisher.poke(&ours, "still here").await;
    assert_eq!(stream.data(1).await, ["still here"], "nothing refused was delivered");
}

#[tokio::test]
async fn the_server_re_encodes_what_it_accepts() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("canonical");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;

    // A string with an unknown field 15 behind it; null as another varint; the last of two kinds wins.
    for (sent, arrives) in [
        (&[0x1a, 1, b'x', 0x7a, 3, b'a', b'b', b'c'][..], text("x")),
        (&[0x08, 7], Data::null()),
        (&[0x20, 1, 0x1a, 1, b'y'], text("y")),
    ] {
        publisher.send_bytes(&ours, sent).await.expect("valid data");
        assert_eq!(stream.poke().await.data, Some(arrives));
    }
}

#[tokio::test]
async fn publish_never_waits_for_a_subscriber() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("slow");
    // Opened and never read.
    let _stalled = server.subscribe([new_pokes(ours.clone())]).await;
    let large = text(&"x".repeat(100_000));
    for _ in 0..200 {
        publisher.publish(&ours, large.clone()).await;
    }
}

#[tokio::test]
async fn a_publish_with_a_field_that_the_server_does_not_know_is_refused_and_not_sent() {
    // A newer client's request: field 1000, which today's server doesn't know.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Newer {
        #[prost(string, tag = "1")]
        domain: String,
        #[prost(string, tag = "2")]
        filter: String,
        #[prost(string, tag = "1000")]
        novelty: String,
    }
    let newer = Newer { domain: "PLAYLIST".into(), filter: "new".into(), novelty: "x".into() };
    let server = Server::start(Config::new()).await;
    let url = format!("{}/poke.v1.PokeService/Publish", server.url());
    let answer = poke_tests::http::post(&url, "application/proto", prost::Message::encode_to_vec(&newer)).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json()["details"][0]["debug"]["reason"], "UNSUPPORTED_FIELD");
    let mut stream = server.subscribe([latest(interest("new"))]).await;
    stream.live(Outcome::Fresh).await;
    server.publisher().await.publish(&interest("new"), text("after")).await;
    assert_eq!(stream.data(1).await, ["after"], "what was refused was not sent");
}

/// Encodings of `google.protobuf.Value` that no JSON gives.
mod raw {
    pub(super) fn number(number: f64) -> Vec<u8> {
        [&[0x11][..], &number.to_le_bytes()].concat()
    }

    pub(super) fn in_array(inner: &[u8]) -> Vec<u8> {
        field(6, &field(1, inner))
    }

    pub(super) fn in_object(inner: &[u8]) -> Vec<u8> {
        field(5, &field(1, &[field(1, b"k"), field(2, inner)].concat()))
    }

    /// As many levels around a string.
    pub(super) fn nested(levels: usize, wrap: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        (0..levels).fold(field(3, b"x"), |inner, _| wrap(&inner))
    }

    fn field(tag: u32, bytes: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        prost::encoding::bytes::encode(tag, &bytes.to_vec(), &mut encoded);
        encoded
    }
}
