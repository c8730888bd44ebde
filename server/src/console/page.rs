//! The page itself: one file with everything in it, made from `client/console`.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};

use super::{guard, whole};

/// Generated: `npm run build -w client/console`.
const HTML: &str = include_str!("index.html");

/// The page with what its headers say of it.
pub(super) struct Page {
    /// What it may do, by the hashes of its own script and style: nothing that gets into it runs, and it calls nobody but
    /// the server that it is from.
    policy: HeaderValue,
    plain: Form,
    /// A third of it.
    gzip: Form,
}

/// The page in one encoding, with its ETag.
struct Form {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Page {
    pub(super) fn new() -> Self {
        let [script, style] = ["script", "style"].map(|name| hash(inside(HTML, name)));
        let policy = format!(
            "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'"
        );
        let value = |text: String| HeaderValue::try_from(text).expect("base64 and words of ASCII");
        let tag = |encoding: &str| value(format!("\"{}{encoding}\"", hash(HTML)));
        Self {
            policy: value(policy),
            plain: Form { bytes: Bytes::from_static(HTML.as_bytes()), tag: tag("") },
            gzip: Form { bytes: compressed(HTML), tag: tag("-gzip") },
        }
    }

    /// A browser that has it is told so. It asks each time: a new server may have a new page.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response<Full<Bytes>> {
        let zips = accepts_gzip(request);
        let form = if zips { &self.gzip } else { &self.plain };
        let mut response = if form.is_known(request) {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            guard(response.headers_mut());
            response
        } else {
            let mut response = whole(StatusCode::OK, "text/html; charset=utf-8", form.bytes.clone());
            if zips {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(header::ETAG, form.tag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // No window that opened it can reach into it.
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        response
    }
}

impl Form {
    /// See RFC 9110, section 13.1.2.
    fn is_known(&self, request: &HeaderMap) -> bool {
        let lists = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || tag.as_bytes() == self.tag.as_bytes())
    }
}

/// See RFC 9110, section 12.5.3.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let lists = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let (coding, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let is_refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0_f32);
        coding.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

fn compressed(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.expect("memory takes every write").into()
}

/// As CSP writes it.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// What stands in the first element of this name; nothing if there is none.
fn inside<'a>(html: &'a str, name: &str) -> &'a str {
    let element = html.split_once(&format!("<{name}")).and_then(|(_, rest)| rest.split_once('>'));
    let content = element.and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    content.map_or("", |(content, _)| content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_and_one_style_and_asks_nobody_for_more() {
        for name in ["script", "style"] {
            assert_eq!(HTML.matches(&format!("<{name}")).count(), 1, "{name}");
            assert!(!inside(HTML, name).trim().is_empty(), "{name}");
        }
        assert!(!HTML.contains("src=\"http") && !HTML.contains("href=\"http"), "it is whole");
        assert!(HTML.len() < 200 << 10, "{} bytes in each binary", HTML.len());
    }

    #[test]
    fn who_takes_gzip_gets_less_to_load() {
        for (accepted, zips) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("br", false),
            ("", false),
        ] {
            let mut request = HeaderMap::new();
            request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(accepts_gzip(&request), zips, "{accepted}");
            let answer = Page::new().answer(&request);
            assert_eq!(answer.headers().contains_key(header::CONTENT_ENCODING), zips, "{accepted}");
        }
        let size = Page::new().gzip.bytes.len();
        assert!(size < 100 << 10, "{size} bytes for a phone to load");
    }

    #[test]
    fn a_browser_that_has_the_page_is_told_so() {
        let page = Page::new();
        let tag = page.plain.tag.to_str().unwrap_or_default();
        for (known, status) in [
            (tag.to_owned(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"other\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            (String::new(), 200),
        ] {
            let mut request = HeaderMap::new();
            request
                .insert(header::IF_NONE_MATCH, HeaderValue::try_from(&known).unwrap_or(HeaderValue::from_static("")));
            assert_eq!(page.answer(&request).status(), status, "{known}");
        }
    }
}
