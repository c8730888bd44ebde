#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

mod answering;
mod json;
mod reading;
mod strict;

use std::{convert::Infallible, io::Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use poke_proto::{Data, MAX_DATA_DEPTH, v1};
use prometheus_client::metrics::gauge::Gauge;
use prost::Message;
use serde_json::{Value, json};

use super::*;
use crate::{
    error::{Error, Faults, Kind, Size},
    frame,
};

/// Room enough.
fn intake() -> Intake {
    Intake::new(16 << 20, Gauge::default())
}

const LIMIT: Limit = Limit { bytes: 1 << 20, exceeded: |size, _| Kind::PokeTooLarge { size, limit: 131_072 } };

const UNARY: [Protocol; 5] =
    [Protocol::Grpc, Protocol::GrpcWeb, Protocol::GrpcWebText, Protocol::ConnectJson, Protocol::ConnectProto];
const STREAM: [Protocol; 4] = [Protocol::Grpc, Protocol::GrpcWeb, Protocol::GrpcWebText, Protocol::ConnectStream];

fn publish() -> v1::PublishRequest {
    v1::PublishRequest {
        domain: "PLAYLIST".into(),
        filter: "playlist-id".into(),
        data: Some(Data::string("Updated")),
        audience: v1::Audience::Customer.into(),
        customer_id: "c".into(),
        idempotency_key: "k".into(),
    }
}

fn publish_json() -> String {
    json!({
        "domain": "PLAYLIST", "filter": "playlist-id", "data": "Updated",
        "audience": "AUDIENCE_CUSTOMER", "customerId": "c", "idempotency_key": "k",
    })
    .to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn as_text(envelope: &[u8]) -> Bytes {
    BASE64_STANDARD.encode(envelope).into()
}

fn connect(error: &Error) -> Value {
    serde_json::to_value(error.to_connect()).unwrap()
}

/// A message as a client of this protocol sends it.
fn wrapped(protocol: Protocol, flags: u8, message: &[u8]) -> Bytes {
    match protocol {
        Protocol::ConnectJson | Protocol::ConnectProto => Bytes::copy_from_slice(message),
        Protocol::GrpcWebText => as_text(&envelope::seal(flags, message)),
        _ => envelope::seal(flags, message),
    }
}

fn plain(protocol: Protocol) -> Vec<u8> {
    if protocol == Protocol::ConnectJson { publish_json().into() } else { publish().encode_to_vec() }
}

async fn read(protocol: Protocol, headers: &HeaderMap, body: Bytes) -> Result<v1::PublishRequest, Error> {
    let mut faults = Faults::default();
    let request = protocol.read_unary(headers, Full::new(body), &intake(), LIMIT, &mut faults).await?;
    faults.into_result().map(|()| request)
}

async fn refused(protocol: Protocol, headers: &HeaderMap, body: Bytes) -> Kind {
    read(protocol, headers, body).await.unwrap_err().kind()
}
