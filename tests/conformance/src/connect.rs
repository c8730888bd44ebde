//! Connect's conformance service: it answers with what the request says that it should.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use poke_server::{
    config::Config,
    connection::tls::{ClientCertificates, Settings},
};
use prost::Message;
use prost_types::Any;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    time::sleep,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming, codec::CompressionEncoding, metadata::MetadataMap};

use self::{
    disk::Disk,
    pb::{
        BidiStreamRequest, ConformancePayload, Error, Header, ServerCompatRequest, ServerCompatResponse,
        ServerStreamRequest, StreamResponse, StreamResponseDefinition, UnaryRequest, UnaryResponse,
        UnaryResponseDefinition,
        conformance_payload::RequestInfo,
        conformance_service_server::{ConformanceService, ConformanceServiceServer},
        unary_response_definition::Response as Outcome,
    },
};
use crate::{Fault, serve::bind, trailers::Trailers};

mod disk;
mod pb {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
    tonic::include_proto!("connectrpc.conformance.v1");
}

/// Serves it as standard input asks for.
pub(crate) async fn run() -> Result<(), Fault> {
    let wanted: ServerCompatRequest = read().await?;
    let disk = Disk::new()?;
    let mut config = Config::default();
    let mut pem_cert = Vec::new();
    if wanted.use_tls {
        let pair = wanted.server_creds.unwrap_or_default();
        config.tls = Settings {
            certificate: Some(disk.write("tls.crt", &pair.cert)?),
            key: Some(disk.write("tls.key", &pair.key)?),
            ..Settings::default()
        };
        pem_cert = pair.cert;
        if !wanted.client_tls_cert.is_empty() {
            config.tls.client_ca = Some(disk.write("clients.crt", &wanted.client_tls_cert)?);
            config.tls.client_certificates = ClientCertificates::Required;
        }
    }
    let mut service = ConformanceServiceServer::new(Conformance)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    if wanted.message_receive_limit > 0 {
        service = service.max_decoding_message_size(wanted.message_receive_limit as usize);
    }
    let server = bind(config, service).await?;
    let (host, port) = (server.address.ip().to_string(), server.address.port().into());
    write(&ServerCompatResponse { host, port, pem_cert }).await?;
    server.run().await
}

/// A message behind its size.
async fn read<M: Message + Default>() -> Result<M, Fault> {
    let mut input = tokio::io::stdin();
    let mut message = vec![0; input.read_u32().await? as usize];
    input.read_exact(&mut message).await?;
    Ok(M::decode(&message[..])?)
}

async fn write(message: &impl Message) -> Result<(), Fault> {
    let mut output = tokio::io::stdout();
    output.write_u32(u32::try_from(message.encoded_len())?).await?;
    output.write_all(&message.encode_to_vec()).await?;
    Ok(output.flush().await?)
}

struct Conformance;

type Events = ReceiverStream<Result<StreamResponse, Status>>;

#[tonic::async_trait]
impl ConformanceService for Conformance {
    type ServerStreamStream = Events;
    type BidiStreamStream = Events;

    async fn unary(&self, request: Request<UnaryRequest>) -> Result<Response<UnaryResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let requests = vec![any("UnaryRequest", &request)];
        unary(request.response_definition.unwrap_or_default(), info(metadata, requests)).await
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<UnaryRequest>>,
    ) -> Result<Response<UnaryResponse>, Status> {
        let (metadata, _, mut messages) = request.into_parts();
        let (mut definition, mut requests) = (None, Vec::new());
        while let Some(request) = messages.message().await? {
            requests.push(any("ClientStreamRequest", &request));
            definition = definition.or(request.response_definition);
        }
        unary(definition.unwrap_or_default(), info(metadata, requests)).await
    }

    async fn server_stream(&self, request: Request<ServerStreamRequest>) -> Result<Response<Events>, Status> {
        let (metadata, _, request) = request.into_parts();
        let info = info(metadata, vec![any("ServerStreamRequest", &request)]);
        let script = Script::new(request.response_definition.unwrap_or_default());
        let head = script.head();
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(async move { script.play(Some(info), &send).await });
        Ok(head.map(|()| ReceiverStream::new(receive)))
    }

    async fn bidi_stream(&self, request: Request<Streaming<BidiStreamRequest>>) -> Result<Response<Events>, Status> {
        let (metadata, _, mut messages) = request.into_parts();
        let first = messages.message().await?.unwrap_or_default();
        let full_duplex = first.full_duplex;
        let mut requests = vec![any("BidiStreamRequest", &first)];
        let mut script = Script::new(first.response_definition.unwrap_or_default());
        if !full_duplex {
            while let Some(request) = messages.message().await? {
                requests.push(any("BidiStreamRequest", &request));
            }
        }
        let mut info = Some(info(metadata, requests));
        let head = script.head();
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(async move {
            if full_duplex && let Err(status) = script.converse(&mut info, &mut messages, &send).await {
                return drop(send.send(Err(status)).await);
            }
            script.play(info, &send).await;
        });
        Ok(head.map(|()| ReceiverStream::new(receive)))
    }
}

async fn unary(definition: UnaryResponseDefinition, info: RequestInfo) -> Result<Response<UnaryResponse>, Status> {
    let UnaryResponseDefinition { response_headers, response, response_trailers, response_delay_ms } = definition;
    sleep(Duration::from_millis(response_delay_ms.into())).await;
    let data = match response {
        Some(Outcome::Error(error)) => return Err(status(error, Some(&info), &response_headers, &response_trailers)),
        Some(Outcome::ResponseData(data)) => data,
        None => Vec::new(),
    };
    let payload = Some(ConformancePayload { data, request_info: Some(info) });
    let response = Response::new(UnaryResponse { payload });
    Ok(dressed(response, &response_headers, &response_trailers))
}

/// What a stream answers with, step by step.
struct Script {
    definition: StreamResponseDefinition,
    data: std::vec::IntoIter<Vec<u8>>,
}

impl Script {
    fn new(mut definition: StreamResponseDefinition) -> Self {
        let data = std::mem::take(&mut definition.response_data).into_iter();
        Self { definition, data }
    }

    /// The head of the answer.
    fn head(&self) -> Response<()> {
        dressed(Response::new(()), &self.definition.response_headers, &self.definition.response_trailers)
    }

    /// The next message, if there is one left. What is known of the request goes with it.
    async fn step(
        &mut self,
        info: &mut Option<RequestInfo>,
        send: &mpsc::Sender<Result<StreamResponse, Status>>,
    ) -> Option<()> {
        let data = self.data.next()?;
        sleep(Duration::from_millis(self.definition.response_delay_ms.into())).await;
        let payload = Some(ConformancePayload { data, request_info: info.take() });
        send.send(Ok(StreamResponse { payload })).await.ok()
    }

    /// A message for each of the client's, as long as both have some.
    async fn converse(
        &mut self,
        info: &mut Option<RequestInfo>,
        messages: &mut Streaming<BidiStreamRequest>,
        send: &mpsc::Sender<Result<StreamResponse, Status>>,
    ) -> Result<(), Status> {
        while self.step(info, send).await.is_some() {
            let Some(request) = messages.message().await? else { break };
            let requests = vec![any("BidiStreamRequest", &request)];
            *info = Some(RequestInfo { requests, ..RequestInfo::default() });
        }
        Ok(())
    }

    /// All that is left, and the end.
    async fn play(mut self, mut info: Option<RequestInfo>, send: &mpsc::Sender<Result<StreamResponse, Status>>) {
        while self.step(&mut info, send).await.is_some() {}
        if let Some(error) = self.definition.error {
            // Who is gone needs no end.
            let _ = send.send(Err(status(error, info.as_ref(), &[], &[]))).await;
        }
    }
}

fn dressed<T>(mut response: Response<T>, head: &[Header], trailers: &[Header]) -> Response<T> {
    *response.metadata_mut() = MetadataMap::from_headers(headers(head));
    response.extensions_mut().insert(Trailers(headers(trailers)));
    response
}

fn status(mut error: Error, info: Option<&RequestInfo>, head: &[Header], trailers: &[Header]) -> Status {
    error.details.extend(info.map(|info| any("ConformancePayload.RequestInfo", info)));
    let message = error.message.clone().unwrap_or_default();
    let details = GoogleStatus { code: error.code, message: message.clone(), details: error.details };
    let metadata = MetadataMap::from_headers(headers(&[head, trailers].concat()));
    Status::with_details_and_metadata(Code::from(details.code), message, details.encode_to_vec().into(), metadata)
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct GoogleStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

fn headers(headers: &[Header]) -> HeaderMap {
    let pairs = headers.iter().flat_map(|Header { name, value }| value.iter().map(move |value| (name, value)));
    pairs.filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))).fold(
        HeaderMap::new(),
        |mut all, (name, value)| {
            all.append(name, value);
            all
        },
    )
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/connectrpc.conformance.v1.{name}"), value: message.encode_to_vec() }
}

/// What the server saw of a request.
fn info(metadata: MetadataMap, requests: Vec<Any>) -> RequestInfo {
    let headers = metadata.into_headers();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request_headers = headers
        .keys()
        .map(|name| Header { name: name.to_string(), value: headers.get_all(name).iter().map(text).collect() });
    let grpc = headers.get("grpc-timeout").and_then(|value| millis(value.to_str().ok()?));
    let connect = headers.get("connect-timeout-ms").and_then(|value| value.to_str().ok()?.parse().ok());
    RequestInfo { request_headers: request_headers.collect(), timeout_ms: grpc.or(connect), requests }
}

fn millis(timeout: &str) -> Option<i64> {
    let (digits, unit) = timeout.split_at_checked(timeout.len().checked_sub(1)?)?;
    let amount: i64 = digits.parse().ok()?;
    Some(match unit {
        "H" => amount * 3_600_000,
        "M" => amount * 60_000,
        "S" => amount * 1000,
        "m" => amount,
        "u" => amount / 1000,
        "n" => amount / 1_000_000,
        _ => return None,
    })
}
