//! Where to listen.

use std::{
    fmt::{self, Display},
    net::{IpAddr, SocketAddr},
    os::unix::net::SocketAddr as UnixAddress,
    path::PathBuf,
    str::FromStr,
};

/// Where to listen. Written `127.0.0.1:8080`, `[::]:8080` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port; port 0 asks the system for a free one. `[::]` takes IPv4 as well.
    Tcp(SocketAddr),
    /// A UNIX socket's path.
    Unix(PathBuf),
}

impl Address {
    /// Whether only this machine reaches it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Whether listening on both would fail: the same address, or one of them takes what comes to the other as well.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let covers = |any: IpAddr, one: IpAddr| any == one || any.is_unspecified() && (any.is_ipv6() || one.is_ipv4());
        match (self, other) {
            (Self::Tcp(a), Self::Tcp(b)) => {
                // The system finds a free port for each that says 0.
                a.port() != 0 && a.port() == b.port() && (covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
            }
            (Self::Unix(a), Self::Unix(b)) => a == b,
            _ => false,
        }
    }
}

/// Reason why a text isn't an address, shown to its author as advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It has another form.
    #[error("")]
    Form,
    /// The path of a UNIX socket with more bytes than the system accepts.
    #[error("The path of this UNIX socket has {0} bytes, which is too long for the system: Linux takes 107")]
    TooLong(usize),
    /// A socket in Linux's abstract namespace. Those have no file, so no permissions could protect them.
    #[error("Abstract sockets (unix:@name) have no permissions: name a path, such as unix:/run/poke.sock")]
    Abstract,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            None => text.parse().map(Self::Tcp).map_err(|_| AddressError::Form),
            Some("") => Err(AddressError::Form),
            Some(path) if path.starts_with('@') => Err(AddressError::Abstract),
            Some(path) if UnixAddress::from_pathname(path).is_err() => Err(AddressError::TooLong(path.len())),
            Some(path) => Ok(Self::Unix(path.into())),
        }
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_or_a_bare_port_is_no_address() {
        for wrong in ["", "8080", ":8080", "localhost:8080", "127.0.0.1", "unix:", "::1:80"] {
            assert_eq!(wrong.parse::<Address>(), Err(AddressError::Form), "{wrong}");
        }
    }

    #[test]
    fn a_socket_that_the_system_or_its_clients_would_not_take_is_none() {
        let of_length = |length: usize| format!("unix:/{}", "x".repeat(length - 1)).parse::<Address>();
        assert!(of_length(100).is_ok());
        assert_eq!(of_length(200), Err(AddressError::TooLong(200)));
        #[cfg(target_os = "linux")]
        assert_eq!([of_length(107).is_ok(), of_length(108).is_ok()], [true, false]);
        assert_eq!("unix:@poke".parse::<Address>(), Err(AddressError::Abstract));
        assert!("unix:./@poke".parse::<Address>().is_ok());
    }

    #[test]
    fn addresses_overlap_where_one_takes_what_is_for_the_other() {
        let overlap = |a: &str, b: &str| a.parse::<Address>().unwrap().overlaps(&b.parse().unwrap());
        for (a, b, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("0.0.0.0:1", "[::]:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "[::1]:1", true),
            ("[::]:1", "[::1]:2", false),
            ("unix:/a", "unix:/a", true),
            ("unix:/a", "unix:/b", false),
            ("unix:/a", "127.0.0.1:1", false),
        ] {
            assert_eq!((overlap(a, b), overlap(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn local_is_what_other_machines_cannot_reach() {
        for local in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/x"] {
            assert!(local.parse::<Address>().unwrap().is_local(), "{local}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fe80::1]:1"] {
            assert!(!open.parse::<Address>().unwrap().is_local(), "{open}");
        }
    }
}
