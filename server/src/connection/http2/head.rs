//! The head of a request, as HTTP/2 puts it.

use h2::frame::Pseudo;
use http::{HeaderMap, Method, Request, Version, header, uri};

/// Returns the request of these fields (RFC 9113, section 8.3.1).
///
/// On a UNIX socket, where the path of the socket has said already whom the client calls, an `:authority` that isn't one is
/// left out: gRPC's clients send the path, percent-encoded or not, or nothing.
///
/// # Errors
/// What is wrong with it. What is wrong with a field by itself has been found where it was read.
pub(super) fn request(pseudo: Pseudo, fields: HeaderMap, is_unix: bool) -> Result<Request<()>, &'static str> {
    let method = pseudo.method.ok_or("it has no method")?;
    if pseudo.status.is_some() {
        return Err("it has a status");
    }
    if pseudo.protocol.is_some() {
        return Err("it wants a protocol, which isn't offered");
    }
    let mut parts = uri::Parts::default();
    if let Some(authority) = pseudo.authority {
        match authority.parse() {
            Ok(authority) => parts.authority = Some(authority),
            Err(_) if is_unix => {}
            Err(_) => return Err("its authority can't be read"),
        }
    }
    if method == Method::CONNECT {
        if pseudo.scheme.is_some() || pseudo.path.is_some() {
            return Err("it connects to more than an authority");
        }
    } else {
        let scheme: uri::Scheme =
            pseudo.scheme.ok_or("it has no scheme")?.parse().map_err(|_| "its scheme can't be read")?;
        let path = pseudo.path.filter(|path| !path.is_empty()).ok_or("it has no path")?;
        parts.path_and_query = Some(path.parse().map_err(|_| "its path can't be read")?);
        // There is no URI of a scheme without an authority.
        parts.scheme = parts.authority.is_some().then_some(scheme);
    }
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_2;
    *request.method_mut() = method;
    *request.uri_mut() = parts.try_into().map_err(|_| "its target can't be read")?;
    *request.headers_mut() = fields;
    Ok(request)
}

/// Returns the size of a header list (RFC 9113, section 6.5.2).
pub(super) fn head_size(pseudo: &Pseudo, fields: &HeaderMap) -> usize {
    const FIELD: usize = 32;
    let texts = [
        pseudo.method.as_ref().map(|method| (":method", method.as_str())),
        pseudo.scheme.as_ref().map(|scheme| (":scheme", &**scheme)),
        pseudo.authority.as_ref().map(|authority| (":authority", &**authority)),
        pseudo.path.as_ref().map(|path| (":path", &**path)),
    ];
    let pseudo: usize = texts.iter().flatten().map(|(name, value)| name.len() + value.len() + FIELD).sum();
    pseudo + fields.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD).sum::<usize>()
}

/// How long the client says that the body is.
///
/// # Errors
/// It isn't said in one way (RFC 9110, section 8.6).
pub(super) fn content_length(fields: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let mut length = None;
    for value in fields.get_all(header::CONTENT_LENGTH) {
        let digits = value.to_str().ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let told = digits.and_then(|digits| digits.parse().ok()).ok_or("its length can't be read")?;
        if length.is_some_and(|length| length != told) {
            return Err("its length is told in two ways");
        }
        length = Some(told);
    }
    Ok(length)
}
