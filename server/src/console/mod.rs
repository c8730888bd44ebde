//! The console: a page for people that this server serves about itself, and what the page shows of it.
//!
//! The page holds no secret, and nothing that it does has a way of its own: it watches and publishes by PokeService, as
//! every client does. What only operators may see has two resources beside it, for those who administer.

mod page;
mod settings;
mod snapshot;
mod status;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::Full;

use self::{page::Page, settings::Settings, snapshot::Snapshot, status::Status};
use crate::{
    auth::Auth,
    backplane::Backplane,
    config::Config,
    domain::Domains,
    error::Error,
    limits::Memory,
    stream::{Link, Streams},
};

/// Where the page lies, on the port that clients connect to.
pub const PATH: &str = "/console";

const STATUS: &str = "/console/status";
const SETTINGS: &str = "/console/settings";

/// Who may see the state of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewers {
    /// Whoever reaches it: in development, where that is this machine alone.
    Anyone,
    /// Who may administer.
    Admins,
}

/// The console of one server.
pub struct Console<B> {
    page: Page,
    viewers: Viewers,
    auth: Arc<Auth>,
    status: Snapshot<Status<B>>,
    settings: Snapshot<Settings>,
}

impl<B: Backplane> Console<B> {
    /// Shows the state of these, to those viewers.
    #[must_use]
    pub fn new(
        config: &Config,
        viewers: Viewers,
        domains: Arc<Domains>,
        auth: Arc<Auth>,
        streams: Arc<Streams<B>>,
        memory: Arc<Memory>,
    ) -> Self {
        Self {
            page: Page::new(),
            viewers,
            status: Snapshot::new(Status::new(viewers, streams, memory)),
            settings: Snapshot::new(Settings::new(config, domains, Arc::clone(&auth))),
            auth,
        }
    }

    /// The answer, if the request is for the console.
    pub(crate) async fn answer(&self, head: &Parts) -> Option<Response<Full<Bytes>>> {
        let resource = match head.uri.path() {
            // People type an address without a path.
            "/" | "/console/" => Resource::Elsewhere,
            PATH => Resource::Page,
            STATUS => Resource::Status,
            SETTINGS => Resource::Settings,
            _ => return None,
        };
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            // Nothing is here for whoever posts to the root by mistake: that is told elsewhere.
            return (resource != Resource::Elsewhere).then(method_not_allowed);
        }
        let response = match resource {
            Resource::Elsewhere => elsewhere(),
            Resource::Page => self.page.answer(&head.headers),
            Resource::Status | Resource::Settings => match self.admit(head).await {
                Ok(()) if resource == Resource::Status => json(StatusCode::OK, self.status.json()),
                Ok(()) => json(StatusCode::OK, self.settings.json()),
                Err(error) => refused(&error),
            },
        };
        Some(if head.method == Method::HEAD { without_body(response) } else { response })
    }

    async fn admit(&self, head: &Parts) -> Result<(), Error> {
        if self.viewers == Viewers::Anyone {
            return Ok(());
        }
        let link = head.extensions.get::<Arc<dyn Link>>();
        let caller = self.auth.caller(&head.headers, link.and_then(|link| link.identity().cloned())).await?;
        self.auth.may_administer(&caller)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resource {
    Elsewhere,
    Page,
    Status,
    Settings,
}

/// A browser follows; who looks with `curl` reads where to.
fn elsewhere() -> Response<Full<Bytes>> {
    let text = concat!(
        "poke-server ",
        env!("CARGO_PKG_VERSION"),
        ", which speaks gRPC, gRPC-Web and Connect. To send a poke, POST application/json to \
         /poke.v1.PokeService/Publish. The console is at /console.\n"
    );
    let mut response = whole(StatusCode::TEMPORARY_REDIRECT, "text/plain; charset=utf-8", text.into());
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(PATH));
    response
}

fn method_not_allowed() -> Response<Full<Bytes>> {
    let text = "405: the console is only for reading: GET\n";
    let mut response = whole(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", text.into());
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// In the form of Connect's errors, as the page's other calls get them.
fn refused(error: &Error) -> Response<Full<Bytes>> {
    let text = serde_json::to_vec(&error.to_connect()).unwrap_or_default();
    let mut response = json(error.http_status(), text.into());
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// It is of this moment, and for whoever asked.
fn json(status: StatusCode, text: Bytes) -> Response<Full<Bytes>> {
    let mut response = whole(status, "application/json", text);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    guard(headers);
    response
}

/// What holds for every answer: it is what it says it is, and for no page of anyone else.
fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What HEAD gets: the length of what it doesn't get as well (RFC 9110, section 9.3.2).
fn without_body(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let length = http_body::Body::size_hint(response.body()).exact();
    if let Some(length) = length.filter(|_| response.status() != StatusCode::NOT_MODIFIED) {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response.map(|_| Full::default())
}
