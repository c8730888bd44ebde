//! Who does what in a run.

use std::time::Duration;

use super::Args;
use crate::text;

/// A run, as the user wants it.
pub(crate) struct Plan {
    pub(crate) subscribers: u32,
    pub(crate) publishers: u32,
    pub(crate) interests: u32,
    pub(crate) size: usize,
    /// Pokes a second; none is as many as possible.
    pub(crate) rate: Option<f64>,
    pub(crate) duration: Duration,
    pub(crate) streams_per_connection: u32,
    pub(crate) domain: String,
    /// Names the run, so that two don't meet.
    run: u64,
}

impl Plan {
    pub(crate) fn new(args: &Args) -> Self {
        Self {
            subscribers: args.subscribers,
            publishers: args.publishers,
            interests: args.interests,
            size: args.size as usize,
            rate: (args.rate > 0.0).then_some(args.rate),
            duration: args.duration,
            streams_per_connection: args.streams_per_connection,
            domain: args.domain.clone(),
            run: rand::random(),
        }
    }

    /// The filter of an interest.
    pub(crate) fn filter(&self, interest: u32) -> String {
        format!("bench-{:016x}-{interest}", self.run)
    }

    /// The key of a poke.
    pub(crate) fn key(&self, poke: u64) -> String {
        format!("{:016x}-{poke}", self.run)
    }

    /// The interest of a subscriber: all get the same number, one more or less.
    pub(crate) fn interest_of_subscriber(&self, subscriber: u32) -> u32 {
        subscriber % self.interests
    }

    /// The interest of a poke: one after the other.
    pub(crate) fn interest_of_poke(&self, poke: u64) -> u32 {
        u32::try_from(poke % u64::from(self.interests)).unwrap_or_default()
    }

    /// When a poke is due, from the start of the run.
    pub(crate) fn due(&self, poke: u64) -> Duration {
        self.rate
            .map_or(Duration::ZERO, |rate| Duration::try_from_secs_f64(poke as f64 / rate).unwrap_or(Duration::MAX))
    }

    /// How many connections the subscribers take.
    pub(crate) fn connections(&self) -> u32 {
        self.subscribers.div_ceil(self.streams_per_connection)
    }

    /// One line for people.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{}, {}, {}, {} of {} bytes, for {}",
            text::count(self.subscribers.into(), "subscriber"),
            text::count(self.interests.into(), "interest"),
            text::count(self.publishers.into(), "publisher"),
            self.rate.map_or_else(|| "as many pokes as they can".to_owned(), |rate| format!("{rate} pokes/s")),
            text::thousands(self.size as u64),
            text::duration(self.duration),
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 10 subscribers on 4 interests, 100 pokes/s for 10 s.
    pub(crate) fn plan() -> Plan {
        Plan {
            subscribers: 10,
            publishers: 2,
            interests: 4,
            size: 256,
            rate: Some(100.0),
            duration: Duration::from_secs(10),
            streams_per_connection: 4,
            domain: "BENCH".to_owned(),
            run: 7,
        }
    }

    #[test]
    fn subscribers_and_pokes_go_round_the_interests() {
        let plan = plan();
        let subscribers: Vec<_> = (0..6).map(|subscriber| plan.interest_of_subscriber(subscriber)).collect();
        assert_eq!(subscribers, [0, 1, 2, 3, 0, 1]);
        assert_eq!(plan.interest_of_poke(u64::MAX), 3);
        assert_eq!(plan.connections(), 3);
    }

    #[test]
    fn pokes_are_due_at_an_even_rate() {
        let plan = plan();
        assert_eq!(plan.due(0), Duration::ZERO);
        assert_eq!(plan.due(150), Duration::from_millis(1_500));
        assert_eq!(Plan { rate: None, ..plan }.due(150), Duration::ZERO);
    }
}
