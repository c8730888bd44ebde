//! Which web pages may call from a browser.

use std::{
    fmt::{self, Display},
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use http::{HeaderValue, Uri};

/// The origin of a page (RFC 6454), or a set of them. Written `https://app.example.com`, `loopback` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Every page.
    Any,
    /// Pages that this machine serves itself, on any port.
    Loopback,
    /// One origin, as a browser sends it.
    Exact(HeaderValue),
}

/// Reason why a text isn't an origin that a browser sends, shown to its author as advice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It has another form.
    #[error("")]
    Form,
    /// It contains a `*`.
    #[error("* stands for every page, and only by itself: name each host")]
    Wildcard,
    /// Its host isn't in ASCII, while browsers send every host in ASCII.
    #[error("Write the host as browsers send it, in ASCII: xn--...")]
    NotAscii,
    /// It has more than an origin. The origin alone is this.
    #[error("Browsers send no more than {0}")]
    TooMuch(String),
    /// Browsers send the origin `null` for all pages of this scheme.
    #[error("Browsers send no origin for pages of this scheme")]
    NoOrigin,
    /// The scheme is one of connections, not of pages.
    #[error("Name the page's own scheme, http or https")]
    NotAPage,
}

impl Origin {
    /// Whether a page of this origin is meant.
    #[must_use]
    pub fn matches(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Loopback => Uri::try_from(origin.as_bytes()).is_ok_and(|uri| uri.host().is_some_and(is_loopback)),
            Self::Exact(exact) => exact == origin,
        }
    }
}

/// Whether a host of a URL is this machine: `localhost` and what is under it (RFC 6761), or a loopback address.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        match text {
            "*" => return Ok(Self::Any),
            "loopback" => return Ok(Self::Loopback),
            "null" => return Err(OriginError::NoOrigin),
            _ if text.contains('*') => return Err(OriginError::Wildcard),
            _ if !text.is_ascii() => return Err(OriginError::NotAscii),
            _ => {}
        }
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("file" | "data" | "blob" | "about" | "javascript" | "ftp") => return Err(OriginError::NoOrigin),
            Some("ws" | "wss") => return Err(OriginError::NotAPage),
            _ => {}
        }
        let uri: Uri = text.parse().map_err(|_| OriginError::Form)?;
        let origin = serialized(&uri).ok_or(OriginError::Form)?;
        // What follows the port, and a user before the host, are never part of an origin: nothing would match.
        let has_more = uri.path().len() > 1 || uri.query().is_some() || text.ends_with('/');
        if has_more || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(OriginError::TooMuch(origin));
        }
        HeaderValue::from_str(&origin).map(Self::Exact).map_err(|_| OriginError::Form)
    }
}

/// Returns the origin of a page at `uri` as browsers send it (HTML, "serialization of an origin"): without the scheme's own port,
/// and with an IP address in its one form.
fn serialized(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let authority = uri.authority()?;
    let mut host = authority.host().to_ascii_lowercase();
    if host.is_empty() || host.contains('%') {
        return None;
    }
    if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        host = format!("[{address}]");
    } else if host.rsplit('.').find(|label| !label.is_empty())?.starts_with(|first: char| first.is_ascii_digit()) {
        // Browsers take such a host for an IPv4 address, and rewrite one that isn't written in full.
        host.parse::<Ipv4Addr>().ok()?;
    }
    let own = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = match authority.as_str().rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => Some(port.parse::<u16>().ok().filter(|port| *port > 0)?),
        _ => None,
    };
    Some(match port.filter(|port| Some(*port) != own) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Loopback => f.write_str("loopback"),
            Self::Exact(origin) => f.write_str(origin.to_str().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let origin: Origin = "HTTPS://App.example.com:444".parse().unwrap();
        assert!(origin.matches(&HeaderValue::from_static("https://app.example.com:444")));
        assert!(!origin.matches(&HeaderValue::from_static("https://app.example.com")));
        assert_eq!(origin.to_string(), "https://app.example.com:444");
    }

    #[test]
    fn what_browsers_write_in_one_way_may_be_written_in_others() {
        for (written, sent) in [
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:080", "http://a.example"),
            ("http://a.example:443", "http://a.example:443"),
            ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
            ("http://127.0.0.1", "http://127.0.0.1"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ] {
            let origin: Origin = written.parse().unwrap();
            assert!(origin.matches(&HeaderValue::from_str(sent).unwrap()), "{written}");
            assert_eq!(origin.to_string(), sent);
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_what_it_would_send() {
        let too_much = OriginError::TooMuch("https://a.example".into());
        for (wrong, error) in [
            ("", OriginError::Form),
            ("app.example.com", OriginError::Form),
            ("localhost", OriginError::Form),
            ("https://", OriginError::Form),
            ("https://a.example:", OriginError::Form),
            ("https://a.example:0", OriginError::Form),
            ("https://a.example:99999", OriginError::Form),
            ("https://127.1", OriginError::Form),
            ("https://a.example https://b.example", OriginError::Form),
            ("https://*.example.com", OriginError::Wildcard),
            ("*://a.example", OriginError::Wildcard),
            ("https://b\u{fc}cher.example", OriginError::NotAscii),
            ("https://a.example/", too_much.clone()),
            ("https://A.example:443/app?x", too_much.clone()),
            ("https://me@a.example", too_much),
            ("null", OriginError::NoOrigin),
            ("file:///index.html", OriginError::NoOrigin),
            ("wss://a.example", OriginError::NotAPage),
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(error), "{wrong}");
        }
    }

    #[test]
    fn loopback_is_this_machine_whatever_the_port() {
        for here in ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:5173", "https://app.localhost"] {
            assert!(Origin::Loopback.matches(&HeaderValue::from_str(here).unwrap()), "{here}");
        }
        for there in ["http://localhost.example.com", "http://10.0.0.1", "null", "http://notlocalhost", ""] {
            assert!(!Origin::Loopback.matches(&HeaderValue::from_str(there).unwrap()), "{there}");
        }
    }
}
