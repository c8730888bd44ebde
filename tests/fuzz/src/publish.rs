//! Requests to PokeService, in each protocol and encoding.

use std::{
    io::Write as _,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, Request, Version};
use http_body_util::{BodyExt as _, Full};
use poke_proto::v1::PublishRequest;
use poke_server::{
    auth::Auth,
    backplane::Memory,
    domain::{Domains, Settings},
    limits::{self, Bound, Limits},
    metrics::Metrics,
    registry,
    service::PokeService,
    stream::Streams,
};
use prost::Message as _;
use tower::ServiceExt as _;

use crate::{MESSAGE, runtime};

/// The protocols of unary calls.
const MEDIA_TYPES: [&str; 5] = [
    "application/grpc",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/json",
    "application/proto",
];
const METHODS: [&str; 2] = ["Publish", "EndInterest"];

/// How a request was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it was accepted.
    pub accepted: bool,
    /// Everything that was said, as text.
    pub said: String,
}

/// A request as it should be, and how it is carried.
#[derive(Clone, Debug)]
pub struct Publication {
    /// What is published.
    pub request: PublishRequest,
    /// By which protocol, counted from 0.
    pub protocol: u8,
    /// Whether it is compressed.
    pub gzip: bool,
}

fn service() -> PokeService<Memory> {
    static SERVICE: OnceLock<PokeService<Memory>> = OnceLock::new();
    let service = SERVICE.get_or_init(|| {
        let domains = Arc::new(Domains::configured([]).with_others(&Settings::default()));
        let backplane = Arc::new(Memory::new(registry::Settings::default()));
        let (window, metrics) = (backplane.window(), Arc::new(Metrics::new()));
        let memory = Arc::new(limits::Memory::new(Bound::Off, Arc::clone(&metrics)));
        let streams = Streams::new(backplane, Default::default(), window, metrics);
        PokeService::new(domains, Arc::new(Auth::open()), streams, &Limits::default(), memory)
    });
    service.clone()
}

/// A method, a protocol and whether the body is said to be compressed from the first byte; the others are the body.
///
/// # Panics
/// When a rule is broken.
pub fn call(input: &[u8]) {
    let Some((&how, body)) = input.split_first() else { return };
    let media_type = MEDIA_TYPES[usize::from(how) % MEDIA_TYPES.len()];
    let method = METHODS[usize::from(how >> 3) % METHODS.len()];
    send(method, media_type, how & 0x80 != 0, Bytes::copy_from_slice(body));
}

/// A request as clients make it.
///
/// # Panics
/// When a rule is broken.
#[must_use]
pub fn publish(publication: &Publication, spoil: impl FnOnce(&mut Vec<u8>)) -> Answer {
    let Publication { request, protocol, gzip } = publication;
    let media_type = MEDIA_TYPES[usize::from(*protocol) % MEDIA_TYPES.len()];
    let message = match media_type {
        "application/json" => in_json(request),
        _ => request.encode_to_vec(),
    };
    let message = if *gzip { zipped(&message) } else { message };
    let mut body = match media_type {
        "application/json" | "application/proto" => message,
        _ => {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            [&[u8::from(*gzip)][..], &length, &message].concat()
        }
    };
    spoil(&mut body);
    if media_type == "application/grpc-web-text" {
        body = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, body).into_bytes();
    }
    send("Publish", media_type, *gzip, body.into())
}

fn in_json(request: &PublishRequest) -> Vec<u8> {
    let PublishRequest { domain, filter, data, idempotency_key, .. } = request;
    let mut fields = serde_json::json!({"domain": domain, "filter": filter, "idempotencyKey": idempotency_key});
    // What can't be JSON is left out: it can't be sent so either.
    if let Some(Ok(data)) = data.as_ref().map(poke_proto::Data::to_value) {
        fields["data"] = data;
    }
    fields.to_string().into_bytes()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Each request has an answer in its own protocol, with a code of the contract and few words.
fn send(method: &str, media_type: &str, gzip: bool, body: Bytes) -> Answer {
    let encoding = if media_type.contains("grpc") { "grpc-encoding" } else { "content-encoding" };
    let request = Request::post(format!("/poke.v1.PokeService/{method}"))
        .version(Version::HTTP_2)
        .header("content-type", media_type)
        .header(encoding, if gzip { "gzip" } else { "identity" })
        .body(Full::new(body))
        .unwrap();
    let (head, said, trailers) = runtime().block_on(async {
        let (head, body) = service().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        (head, body.to_bytes(), trailers)
    });
    let text = String::from_utf8_lossy(&said).into_owned();
    if !media_type.contains("grpc") {
        let accepted = head.status == 200;
        if !accepted {
            let error: serde_json::Value = serde_json::from_slice(&said).unwrap();
            assert!(error["message"].as_str().unwrap().len() < MESSAGE, "{error}");
            assert!(error["code"].is_string() && error["details"][0]["type"] == "google.rpc.ErrorInfo", "{error}");
        }
        return Answer { accepted, said: text };
    }
    assert_eq!(head.status, 200);
    let text = match media_type {
        "application/grpc-web-text" => unbase64(&said),
        _ => text,
    };
    let (status, message) = match media_type {
        "application/grpc" => {
            (header(&[&head.headers, &trailers], "grpc-status"), header(&[&head.headers, &trailers], "grpc-message"))
        }
        _ => (line(&text, "grpc-status: "), line(&text, "grpc-message: ")),
    };
    let code: u32 = status.unwrap_or_else(|| panic!("no status in {text:?}")).parse().unwrap();
    assert!(matches!(code, 0 | 3 | 4 | 5 | 6 | 8 | 9 | 12 | 16), "code {code}: {message:?}");
    assert!(message.as_ref().is_none_or(|message| message.len() < 3 * MESSAGE), "{message:?}");
    Answer { accepted: code == 0, said: format!("{text}{message:?}") }
}

fn header(all: &[&HeaderMap], name: &str) -> Option<String> {
    all.iter().find_map(|headers| Some(headers.get(name)?.to_str().unwrap().to_owned()))
}

fn line(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.split_once(name)?.1.to_owned()))
}

/// One envelope after another, each with padding of its own.
fn unbase64(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    for quantum in text.chunks(4) {
        bytes.extend(base64::Engine::decode(&base64::prelude::BASE64_STANDARD, quantum).unwrap());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
