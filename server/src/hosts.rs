//! By which name a server in development mode is called.
//!
//! It is open to everyone on its machine, and nobody else reaches it; but a web page can. A page of any origin may point
//! its own name at 127.0.0.1 once it has been loaded (DNS rebinding), and to the browser it then calls the origin that it
//! came from: CORS has no say. What gives it away is the name.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response, StatusCode, header::HOST, request::Parts, uri::Authority};
use tower::Service;

use crate::{
    backplane::Backplane,
    config::is_loopback,
    error::{Error, Kind},
    routes::Page,
    service::{self, Answer},
    wire,
};

const RULE: &str =
    "in development mode the server is called localhost or by a loopback address; see --config for others";

/// Passes on what calls this machine by a name of its own, and refuses the rest.
#[derive(Clone)]
pub(crate) struct LocalNames<S> {
    service: S,
    /// Whether to look at all.
    only: bool,
}

impl<S> LocalNames<S> {
    /// Before `service`. When not `only` those, it passes on everything.
    pub(crate) fn new(service: S, only: bool) -> Self {
        Self { service, only }
    }
}

impl<S, Q, B> Service<Request<Q>> for LocalNames<S>
where
    B: Backplane,
    S: Service<Request<Q>, Response = Response<Page<B>>, Error = Infallible>,
{
    type Response = Response<Page<B>>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Page<B>>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        if !self.only {
            return Either::Right(self.service.call(request));
        }
        let (head, body) = request.into_parts();
        if is_local(&head) {
            Either::Right(self.service.call(Request::from_parts(head, body)))
        } else {
            Either::Left(ready(Ok(refuse(&head).map(|body| Page::Pokes(Answer::from(body))))))
        }
    }
}

/// Who names nothing is no browser.
fn is_local(head: &Parts) -> bool {
    let named = head.headers.get_all(HOST).iter().map(|host| Authority::try_from(host.as_bytes()).ok());
    let mut names = head.uri.authority().cloned().map(Some).into_iter().chain(named);
    names.all(|name| name.is_some_and(|name| is_loopback(name.host())))
}

/// In the caller's protocol, if it speaks any.
fn refuse(head: &Parts) -> Response<wire::Body> {
    match service::spoken(head) {
        Some(protocol) => protocol.error(&Error::invalid(Kind::InvalidRequest, "host", RULE)),
        None => wire::note(StatusCode::FORBIDDEN, format_args!("403: {RULE}"), &head.method),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

    use super::*;

    fn head(uri: &str, hosts: &[&str]) -> Parts {
        let request = hosts.iter().fold(Request::post(uri), |request, host| request.header(HOST, *host));
        request.header("content-type", "application/json").body(()).unwrap().into_parts().0
    }

    #[test]
    fn this_machine_is_called_by_its_own_names() {
        for own in [
            "localhost",
            "localhost:8080",
            "LocalHost:8080",
            "app.localhost:1",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::1]",
        ] {
            assert!(is_local(&head("/x", &[own])), "{own}");
            assert!(is_local(&head(&format!("http://{own}/x"), &[])), "{own}");
        }
        assert!(is_local(&head("/x", &[])), "HTTP/1.0, or a client that names nothing");
        for other in
            ["rebind.evil.example", "localhost.evil.example:8080", "10.0.0.1:8080", "", "a b", "127.0.0.1.evil.example"]
        {
            assert!(!is_local(&head("/x", &[other])), "{other}");
            assert!(!is_local(&head("http://localhost/x", &[other])), "{other}");
            assert!(!is_local(&head("/x", &["localhost", other])), "{other}");
        }
        assert!(!is_local(&head("http://rebind.evil.example/x", &["localhost"])));
    }

    #[test]
    fn a_refusal_says_what_would_do() {
        let refused = refuse(&head("/poke.v1.PokeService/Publish", &["evil.example"]));
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["content-type"]),
            (400, &"application/json".parse().unwrap())
        );
        let mut page = head("/", &["evil.example"]);
        page.method = http::Method::GET;
        assert_eq!(refuse(&page).status(), 403);
    }
}
