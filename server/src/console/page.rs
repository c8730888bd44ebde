//! The page itself: one file with everything in it, made from `client/console`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
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
        Self { policy: value(policy), tag: value(format!("\"{}\"", hash(HTML))) }
    }

    /// A browser that has it is told so. It asks each time: a new server may have a new page.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response<Full<Bytes>> {
        let mut response = if self.is_known(request) {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            guard(response.headers_mut());
            response
        } else {
            whole(StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(HTML.as_bytes()))
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(header::ETAG, self.tag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // No window that opened it can reach into it.
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        response
    }

    /// See RFC 9110, section 13.1.2.
    fn is_known(&self, request: &HeaderMap) -> bool {
        let lists = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || tag.as_bytes() == self.tag.as_bytes())
    }
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
    fn a_browser_that_has_the_page_is_told_so() {
        let page = Page::new();
        let tag = page.tag.to_str().unwrap_or_default();
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
