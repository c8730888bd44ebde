//! Publish and EndInterest: retries under one key, within a deadline.

use std::time::Duration;

use poke_proto::v1;
use prost::Message as _;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{SECOND, peer::*};
use crate::{Client, Data, End, ErrorKind, Position, Publish, clock::Clock, encoded_size};

async fn accept(call: Call, sequence: i64) {
    let answer = v1::PublishResponse { position: Some(at(sequence)), local_receiver_count: Some(3), duplicate: None };
    call.message(&answer.encode_to_vec()).await;
    call.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_poke_is_published() {
    let mut peer = Peer::new();
    let builder = Client::builder("http://peer").token("secret");
    let client = peer.client_with(builder, Clock::new(|| Duration::ZERO));
    let publishing = tokio::spawn(async move {
        client.publish(Publish::new("PLAYLIST", "42").data(serde_json::json!({ "added": 7 })).key("k")).await
    });
    let call = peer.call().await;
    assert_eq!(call.path, "/poke.v1.PokeService/Publish");
    assert_eq!(call.headers["authorization"], "Bearer secret");
    let request: v1::PublishRequest = call.request();
    assert_eq!((request.domain.as_str(), request.filter.as_str()), ("PLAYLIST", "42"));
    assert_eq!(request.idempotency_key, "k");
    assert_eq!(request.data.unwrap().to_json().unwrap(), r#"{"added":7}"#);
    accept(call, 5).await;
    let published = publishing.await.unwrap().unwrap();
    assert_eq!(published.position, Position::new("e", 5));
    assert_eq!((published.local_receiver_count, published.duplicate), (Some(3), false));
}

#[tokio::test(start_paused = true)]
async fn a_retry_has_the_key_of_the_first_attempt() {
    let mut peer = Peer::new();
    let client = peer.client();
    // On the wire an empty key is none, and what is sent again without one is a second poke.
    let publishing = tokio::spawn(async move { client.publish(Publish::new("D", "a").key("")).await });
    let first = peer.call().await;
    let key = first.request::<v1::PublishRequest>().idempotency_key;
    assert_eq!(key.len(), 32);
    first.fail(Code::Unavailable, "BACKPLANE_UNAVAILABLE", Some(SECOND)).await;
    let failed = Instant::now();
    let second = peer.call().await;
    assert!(failed.elapsed() >= SECOND);
    assert_eq!(second.request::<v1::PublishRequest>().idempotency_key, key);
    accept(second, 5).await;
    publishing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_swallows_the_first_attempt_is_left_for_another() {
    let mut peer = Peer::new();
    let client = peer.client();
    let publishing = tokio::spawn(async move { client.publish(Publish::new("D", "a")).await });
    let swallowed = peer.call().await;
    let second = peer.call().await;
    assert_ne!(second.connection, swallowed.connection);
    accept(second, 5).await;
    publishing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_the_deadline_the_outcome_is_unknown() {
    let peer = Peer::new();
    peer.refuse_connections(true);
    let begun = Instant::now();
    let error = peer.client().publish(Publish::new("D", "a").deadline(5 * SECOND)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() <= 6 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    let mut peer = Peer::new();
    let client = peer.client();
    let ending = tokio::spawn(async move { client.end(End::new("D", "a").data("bye")).await });
    let call = peer.call().await;
    assert_eq!(call.path, "/poke.v1.PokeService/EndInterest");
    call.fail(Code::NotFound, "UNKNOWN_DOMAIN", None).await;
    let error = ending.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(Code::NotFound)));
    assert_eq!(error.reason(), Some("UNKNOWN_DOMAIN"));
    assert_eq!(error.to_string(), "the server refused: UNKNOWN_DOMAIN");
}

#[tokio::test(start_paused = true)]
async fn what_the_transport_raises_after_goaway_is_retried_at_once() {
    let mut peer = Peer::new();
    let client = peer.client();
    let publishing = tokio::spawn(async move { client.publish(Publish::new("D", "a")).await });
    let begun = Instant::now();
    peer.call().await.trailers(&Status::cancelled("")).await;
    let second = peer.call().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    accept(second, 5).await;
    publishing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_go_on_when_the_server_says_goaway() {
    let mut peer = Peer::new();
    let client = peer.client();
    for sequence in 0..5 {
        let client = client.clone();
        let publishing = tokio::spawn(async move { client.publish(Publish::new("D", "a")).await });
        accept(peer.call().await, sequence).await;
        publishing.await.unwrap().unwrap();
        peer.goaway();
    }
}

#[tokio::test(start_paused = true)]
async fn data_without_a_form_on_the_wire_is_not_sent() {
    let mut peer = Peer::new();
    let too_large = serde_json::json!([9_007_199_254_740_993_u64]);
    let publish = Publish::new("D", "a").data(too_large);
    assert_eq!(publish.encoded_size().unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(peer.client().publish(publish).await.unwrap_err().kind(), ErrorKind::Data);
    assert!(peer.is_quiet_for(SECOND).await);
}

#[test]
fn sizes_are_those_that_the_server_counts() {
    let data = Data::string("x");
    // Three of "x", in its two of string_value; two of the field.
    assert_eq!(encoded_size(&data), 5);
    let publish = Publish::new("D", "a").data(data).key("keys don't count");
    assert_eq!(publish.encoded_size().unwrap(), 3 + 3 + 5);
    // A number in an array costs 11.
    let numbers = |count: usize| encoded_size(&Data::from_value(&vec![0.5; count].into()).unwrap());
    assert_eq!(numbers(3) - numbers(2), 11);
}
