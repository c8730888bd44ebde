//! The number of streams that the client may have open at once, as the server announces it.

/// The value of SETTINGS_MAX_CONCURRENT_STREAMS over the life of a connection.
///
/// The client keeps to a value from when it has read it, which its acknowledgement shows (RFC 9113, section 6.5.3). So at
/// most one announcement waits for its acknowledgement, and until that has come the larger of both values holds.
#[derive(Debug)]
pub(super) struct Concurrency {
    /// The limit when no stream was asked to move.
    limit: u32,
    announced: u32,
    /// The client has acknowledged what was announced.
    is_acknowledged: bool,
}

impl Concurrency {
    /// `limit` is announced with the first SETTINGS.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, announced: limit, is_acknowledged: false }
    }

    /// Returns what is to be announced now, if anything, while `moving` of the open streams were asked to move. Each of
    /// these makes room for its successor; however many there are, the limit at most doubles.
    pub(super) fn announce(&mut self, moving: usize) -> Option<u32> {
        let extra = u32::try_from(moving).unwrap_or(u32::MAX).min(self.limit);
        let wanted = self.limit.saturating_add(extra);
        if !self.is_acknowledged || wanted == self.announced {
            return None;
        }
        self.is_acknowledged = false;
        self.announced = wanted;
        Some(wanted)
    }

    /// Notes that the client keeps to what was announced. Returns that, or `None` if nothing waited for it.
    pub(super) fn acknowledge(&mut self) -> Option<u32> {
        (!std::mem::replace(&mut self.is_acknowledged, true)).then_some(self.announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_announcement_at_a_time_waits_for_its_acknowledgement() {
        let mut concurrency = Concurrency::new(100);
        assert_eq!(concurrency.announce(1), None, "the first one waits");
        assert_eq!(concurrency.acknowledge(), Some(100));
        assert_eq!(concurrency.announce(0), None);
        assert_eq!(concurrency.announce(1), Some(101));
        assert_eq!(concurrency.announce(7), None);
        assert_eq!(concurrency.acknowledge(), Some(101));
        assert_eq!(concurrency.acknowledge(), None, "nobody asked");
        assert_eq!(concurrency.announce(7), Some(107));
        assert_eq!(concurrency.acknowledge(), Some(107));
        assert_eq!(concurrency.announce(usize::MAX), Some(200), "it at most doubles");
        assert_eq!(concurrency.acknowledge(), Some(200));
        assert_eq!(concurrency.announce(0), Some(100));
    }
}
