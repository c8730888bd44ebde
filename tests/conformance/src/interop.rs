//! gRPC's test service.

use std::{env, pin::Pin, time::Duration};

use futures_util::Stream;
use http::HeaderMap;
use poke_server::config::Config;
use tokio::{sync::mpsc, time::sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataMap};

use self::pb::{
    EchoStatus, Empty, Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_server::{TestService, TestServiceServer},
};
use crate::{Fault, serve::bind, trailers::Trailers};

mod pb {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
    tonic::include_proto!("grpc.testing");
}

/// Serves it, over TLS if the environment names a certificate.
pub(crate) async fn run() -> Result<(), Fault> {
    let mut config = Config::default();
    config.tls.certificate = env::var_os("POKE_CERTIFICATE").map(Into::into);
    config.tls.key = env::var_os("POKE_KEY").map(Into::into);
    let server = bind(config, TestServiceServer::new(Test)).await?;
    println!("{}", server.address);
    server.run().await
}

/// Metadata that comes back in the head of an answer, and in its trailers.
const IN_HEAD: &str = "x-grpc-test-echo-initial";
const IN_TRAILERS: &str = "x-grpc-test-echo-trailing-bin";

struct Test;

#[tonic::async_trait]
impl TestService for Test {
    type StreamingOutputCallStream = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;
    type FullDuplexCallStream = ReceiverStream<Result<StreamingOutputCallResponse, Status>>;

    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        demanded(request.response_status)?;
        Ok(echo(
            &metadata,
            SimpleResponse { payload: Some(payload(request.response_size)?), server_id: "the only one".into() },
        ))
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Self::StreamingOutputCallStream>, Status> {
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(async move { answer(request.into_inner(), &send).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut requests = request.into_inner();
        let mut size = 0;
        while let Some(request) = requests.message().await? {
            size += request.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = i32::try_from(size).map_err(|_| Status::out_of_range("too much"))?;
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size }))
    }

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Self::FullDuplexCallStream>, Status> {
        let (metadata, _, mut requests) = request.into_parts();
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let goes_on = match requests.message().await {
                    Ok(Some(request)) => answer(request, &send).await,
                    Ok(None) => return,
                    Err(status) => send.send(Err(status)).await.ok(),
                };
                if goes_on.is_none() {
                    return;
                }
            }
        });
        Ok(echo(&metadata, ReceiverStream::new(receive)))
    }
}

/// Sends all that a request asks for; `None` if there is nothing to send any more.
async fn answer(
    request: StreamingOutputCallRequest,
    send: &mpsc::Sender<Result<StreamingOutputCallResponse, Status>>,
) -> Option<()> {
    if let Err(status) = demanded(request.response_status) {
        send.send(Err(status)).await.ok()?;
        return None;
    }
    for wanted in request.response_parameters {
        sleep(Duration::from_micros(wanted.interval_us.try_into().unwrap_or(0))).await;
        let payload = payload(wanted.size);
        send.send(payload.map(|payload| StreamingOutputCallResponse { payload: Some(payload) })).await.ok()?;
    }
    Some(())
}

fn demanded(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(EchoStatus { code, message }) if code != 0 => Err(Status::new(Code::from(code), message)),
        _ => Ok(()),
    }
}

fn payload(size: i32) -> Result<Payload, Status> {
    let size = usize::try_from(size).map_err(|_| Status::invalid_argument("a size below zero"))?;
    Ok(Payload { r#type: 0, body: vec![0; size] })
}

fn echo<T>(metadata: &MetadataMap, message: T) -> Response<T> {
    let mut response = Response::new(message);
    if let Some(value) = metadata.get(IN_HEAD) {
        response.metadata_mut().insert(IN_HEAD, value.clone());
    }
    let mut trailers = HeaderMap::new();
    if let Some(value) = metadata.clone().into_headers().get(IN_TRAILERS) {
        trailers.insert(IN_TRAILERS, value.clone());
    }
    response.extensions_mut().insert(Trailers(trailers));
    response
}
