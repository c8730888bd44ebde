//! Where a client comes from, as far as limits are concerned.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Who shares a limit by address: one IPv4 address, or a /64 of IPv6, which is the least that a subscriber of an access
/// network gets (RFC 6177, section 2), so that anyone has 2^64 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An address.
    V4(Ipv4Addr),
    /// The upper half of an address.
    V6(u64),
}

impl Source {
    /// The source of a connection. `None` for this machine: whoever has it can do worse, and a proxy beside the server
    /// carries everyone.
    #[must_use]
    pub fn of(peer: SocketAddr) -> Option<Self> {
        // A dual-stack listener sees IPv4 clients under mapped addresses (RFC 4291, section 2.5.5.2).
        match peer.ip().to_canonical() {
            ip if ip.is_loopback() => None,
            IpAddr::V4(ip) => Some(Self::V4(ip)),
            IpAddr::V6(ip) => Some(Self::V6((ip.to_bits() >> 64) as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(address: &str) -> Option<Source> {
        Source::of(address.parse().unwrap())
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_an_ipv4_address_too() {
        assert_eq!(of("[2001:db8:1:2::1]:1"), of("[2001:db8:1:2:ffff::9]:2"));
        assert_ne!(of("[2001:db8:1:2::1]:1"), of("[2001:db8:1:3::1]:1"));
        assert_eq!(of("192.0.2.1:1"), of("[::ffff:192.0.2.1]:2"));
        assert_ne!(of("192.0.2.1:1"), of("192.0.2.2:1"));
    }

    #[test]
    fn this_machine_is_not_limited() {
        for address in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(of(address), None, "{address}");
        }
    }
}
