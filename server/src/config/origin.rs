//! Which web pages may call from a browser.

use std::{
    fmt::{self, Display},
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

/// Neither an origin nor one of the words.
#[derive(Debug, thiserror::Error)]
#[error("not an origin")]
pub struct NoOrigin;

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
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        match text {
            "*" => return Ok(Self::Any),
            "loopback" => return Ok(Self::Loopback),
            _ => {}
        }
        let uri: Uri = text.parse().map_err(|_| NoOrigin)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(NoOrigin) };
        // What follows the port, and a user before the host, are never part of an origin: nothing would match.
        let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
        if !text.eq_ignore_ascii_case(&origin) || origin.contains('@') {
            return Err(NoOrigin);
        }
        HeaderValue::from_str(&origin).map(Self::Exact).map_err(|_| NoOrigin)
    }
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
        for wrong in
            ["", "app.example.com", "https://", "https://a/", "https://a/b", "https://me@a", "null", "localhost"]
        {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
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
