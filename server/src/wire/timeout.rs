//! How long a caller is willing to wait.

use std::time::Duration;

use http::HeaderMap;

use super::Protocol;
use crate::error::{Error, Kind};

impl Protocol {
    /// The time that the caller gives the whole call, if it says so.
    ///
    /// # Errors
    /// A time that isn't written as the protocol has it.
    pub fn timeout(self, headers: &HeaderMap) -> Result<Option<Duration>, Error> {
        let (name, parse): (_, fn(&str) -> Option<Duration>) = match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => ("grpc-timeout", parse_grpc),
            Self::ConnectJson | Self::ConnectProto | Self::ConnectStream | Self::ConnectJsonStream => {
                ("connect-timeout-ms", parse_connect)
            }
        };
        let Some(value) = headers.get(name) else { return Ok(None) };
        let timeout = value.to_str().ok().and_then(parse);
        timeout.map(Some).ok_or_else(|| Error::invalid(Kind::InvalidRequest, name, format!("{name} is malformed")))
    }
}

/// At most eight digits and a unit.
fn parse_grpc(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let amount = parse_digits(digits, 8)?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// At most ten digits, in milliseconds.
fn parse_connect(value: &str) -> Option<Duration> {
    parse_digits(value, 10).map(Duration::from_millis)
}

fn parse_digits(digits: &str, most: usize) -> Option<u64> {
    let plain = digits.len() <= most && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_has_units() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("100m", Some(Duration::from_millis(100))),
            ("5u", Some(Duration::from_micros(5))),
            ("0n", Some(Duration::ZERO)),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("100000000n", None),
            ("1", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("+1S", None),
            ("1s", None),
            ("1é", None),
        ] {
            assert_eq!(parse_grpc(text), expected, "{text}");
        }
    }

    #[test]
    fn connect_has_milliseconds() {
        for (text, expected) in [
            ("1500", Some(Duration::from_millis(1500))),
            ("9999999999", Some(Duration::from_millis(9_999_999_999))),
            ("10000000000", None),
            ("", None),
            ("1.5", None),
            ("1S", None),
        ] {
            assert_eq!(parse_connect(text), expected, "{text}");
        }
    }
}
