//! The answer to a request whose header fields are larger than they may be.

use http::{HeaderMap, Method, Response, StatusCode};

use crate::{
    error::Kind,
    wire::{self, Protocol},
};

/// Returns the answer to a request with these header fields, which may take `limit` bytes. `fields` may lack some of them.
///
/// gRPC's clients read a status only with HTTP status 200: grpc-go takes any other for a fault of the way to the server,
/// and tries for ever. Others get what HTTP has for it (RFC 6585, section 5).
pub(super) fn answer(method: Option<&Method>, fields: &HeaderMap, limit: usize) -> Response<wire::Body> {
    if Protocol::is_grpc(fields) {
        return Protocol::Grpc.error(&Kind::HeadersTooLarge { limit }.into());
    }
    let line = format_args!("431: the header fields of a request are at most {limit} bytes");
    wire::note(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, line, method.unwrap_or(&Method::GET))
}
