//! What a client listens to, and the key that a poke is published under.

use std::fmt;

/// The most bytes in a domain.
pub const MAX_DOMAIN_BYTES: usize = 64;
/// The most bytes in a filter, and in a customer's id.
pub const MAX_FILTER_BYTES: usize = 256;

/// To whom an interest's pokes go. Each customer has a namespace of their own: no multicast interest, whatever its
/// domain and filter, can equal a customer's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Recipients {
    /// Everyone who holds the interest.
    Everyone,
    /// One customer, by the id that a verified token or an allowed publisher named.
    Customer(Box<str>),
}

/// A valid interest: the key of the registry. Compared byte for byte.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Interest {
    recipients: Recipients,
    domain: Box<str>,
    filter: Box<str>,
}

/// Which part of an interest is malformed. Says the rule, never the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInterest {
    /// The domain.
    #[error("domain must be 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Domain,
    /// The filter's length.
    #[error("filter must be 1 to 256 bytes of UTF-8")]
    FilterLength,
    /// A character in the filter.
    #[error("filter must not contain control characters, line or paragraph separators or bidirectional controls")]
    FilterCharacter,
    /// The customer's id.
    #[error("customer_id must be 1 to 256 bytes of UTF-8 without control characters")]
    Customer,
}

impl Interest {
    /// An interest, if it keeps to the rules of `poke.v1.Interest`.
    ///
    /// # Errors
    /// Says which part is malformed.
    pub fn new(recipients: Recipients, domain: &str, filter: &str) -> Result<Self, InvalidInterest> {
        match Self::faults(&recipients, domain, filter).next() {
            Some(invalid) => Err(invalid),
            None => Ok(Self { recipients, domain: domain.into(), filter: filter.into() }),
        }
    }

    /// Every part of what would be an interest that is malformed.
    pub fn faults(
        recipients: &Recipients,
        domain: &str,
        filter: &str,
    ) -> impl Iterator<Item = InvalidInterest> + use<> {
        let customer = match recipients {
            Recipients::Everyone => Ok(()),
            Recipients::Customer(id) => check_filter(id).map_err(|_| InvalidInterest::Customer),
        };
        [check_domain(domain), check_filter(filter), customer].into_iter().filter_map(Result::err)
    }

    /// To whom its pokes go.
    #[must_use]
    pub fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The filter.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }
}

/// Shows the domain alone: filters and customers are the users' data and stay out of logs.
impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interest").field("domain", &self.domain).finish_non_exhaustive()
    }
}

fn check_domain(domain: &str) -> Result<(), InvalidInterest> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (1..=MAX_DOMAIN_BYTES).contains(&domain.len()) && domain.bytes().all(allowed) {
        Ok(())
    } else {
        Err(InvalidInterest::Domain)
    }
}

fn check_filter(filter: &str) -> Result<(), InvalidInterest> {
    if !(1..=MAX_FILTER_BYTES).contains(&filter.len()) {
        return Err(InvalidInterest::FilterLength);
    }
    if filter.chars().any(is_forbidden) { Err(InvalidInterest::FilterCharacter) } else { Ok(()) }
}

/// Characters that could forge a log line or show one filter as another (Unicode Bidirectional Algorithm, UAX #9).
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(filter: &str) -> Result<Interest, InvalidInterest> {
        Interest::new(Recipients::Everyone, "PLAYLIST", filter)
    }

    #[test]
    fn a_domain_is_short_and_plain() {
        for good in ["A", "a.b-c_9", &"x".repeat(64)] {
            assert!(Interest::new(Recipients::Everyone, good, "f").is_ok(), "{good}");
        }
        for bad in ["", " A", "A/B", "É", "a\n", &"x".repeat(65)] {
            assert_eq!(Interest::new(Recipients::Everyone, bad, "f").err(), Some(InvalidInterest::Domain), "{bad}");
        }
    }

    #[test]
    fn a_filter_is_any_text_that_can_be_shown_on_one_line() {
        for good in [" ", "é", "e\u{301}", "🎵", "*", "\\x1b", &"x".repeat(256)] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in
            ["\0", "a\nb", "\u{1b}[31m", "\u{7f}", "\u{85}", "\u{2028}", "\u{2029}", "\u{202e}", "\u{2069}", "\u{200f}"]
        {
            assert_eq!(filter(bad).err(), Some(InvalidInterest::FilterCharacter), "{bad:?}");
        }
        for bad in ["", &"x".repeat(257), &"é".repeat(129)] {
            assert_eq!(filter(bad).err(), Some(InvalidInterest::FilterLength), "{bad:?}");
        }
    }

    #[test]
    fn interests_are_compared_byte_for_byte() {
        assert_ne!(filter("é").ok(), filter("e\u{301}").ok());
        assert_ne!(filter("a").ok(), filter("A").ok());
        let customer = Interest::new(Recipients::Customer("a".into()), "PLAYLIST", "a").ok();
        assert_ne!(filter("a").ok(), customer);
    }

    #[test]
    fn a_log_line_shows_no_filter() {
        assert_eq!(format!("{:?}", filter("secret").ok()), r#"Some(Interest { domain: "PLAYLIST", .. })"#);
    }
}
