//! `POST /revoke`: a customer's streams end now, and the tokens that opened them are refused.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use poke_proto::text;
use serde::Deserialize;
use tonic::Code;

use crate::{
    auth::{Auth, Revocation},
    backplane::Backplane,
    error::Error,
    interest::{Interest, Recipients},
    stream::Streams,
};

/// The longest id with escapes for each of its bytes, and room.
const MAX_BODY: usize = 4096;

/// What an operator sends, as JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    #[serde(alias = "customer_id")]
    customer_id: String,
}

/// Revokes the tokens of the customer whom the request names and ends the streams that they opened, if the caller may
/// administer.
pub(super) async fn revoke<B, P>(request: Request<B>, auth: &Arc<Auth>, streams: &Streams<P>) -> (StatusCode, String)
where
    P: Backplane,
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "send the customer by POST\n".into());
    }
    if let Err(error) = administers(auth, &head.headers).await {
        return (status(error.code()), format!("{}\n", error.message()));
    }
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return (StatusCode::BAD_REQUEST, format!("the body must be whole, and at most {MAX_BODY} bytes\n"));
    };
    let body = body.to_bytes();
    let order = text::decode(&body).ok().and_then(|text| serde_json::from_str(text).ok());
    let Some(Order { customer_id }) = order else {
        let message = "the body must be JSON: {\"customerId\": \"...\"}, the id that publishers write\n";
        return (StatusCode::BAD_REQUEST, message.into());
    };
    let recipients = Recipients::Customer(customer_id.as_str().into());
    if let Some(invalid) = Interest::faults(&recipients, "any", "any").next() {
        return (StatusCode::BAD_REQUEST, format!("{invalid}\n"));
    }
    if let Some(why) = auth.not_a_customer(&customer_id) {
        return (StatusCode::BAD_REQUEST, format!("{why}\n"));
    }
    match auth.revoke(&customer_id) {
        Ok(Revocation { issued_until, window }) => {
            let ended = streams.revoked(auth);
            streams.review(auth);
            tracing::info!(issued_until, ?window, streams = ended, "a customer's tokens were revoked");
            let seconds = window.as_secs();
            let ended = match ended {
                0 => "no stream of this customer was open on this server".to_owned(),
                1 => "1 stream of this customer ended on this server".to_owned(),
                ended => format!("{ended} streams of this customer ended on this server"),
            };
            let tokens = format!("its tokens that were issued until {issued_until} are refused for {seconds} s");
            (StatusCode::OK, format!("{ended}; {tokens}\n"))
        }
        Err(full) => (StatusCode::INSUFFICIENT_STORAGE, format!("{full}\n")),
    }
}

async fn administers(auth: &Auth, headers: &HeaderMap) -> Result<(), Error> {
    // This port is plaintext: nobody has a certificate here.
    let caller = auth.caller(headers, None).await?;
    auth.may_administer(&caller)
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}
