//! Files that change while the server runs: when to read them again.

use std::{mem, time::Duration};

use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

/// Stands for what files hold: the SHA-256 of it.
pub(crate) type Fingerprint = [u8; 32];

/// How often files are read: they are small, and what they hold tells more than their times, as where a symbolic link in
/// front of them is moved.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

/// When to look at files.
pub(crate) struct Looks {
    ticks: Interval,
    told: watch::Receiver<()>,
}

impl Looks {
    /// At once, at intervals, and whenever `told`.
    pub(crate) fn new(told: watch::Receiver<()>) -> Self {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, told }
    }

    /// Waits for the next one. Says whether somebody told so.
    pub(crate) async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.ticks.tick() => false,
            Ok(()) = self.told.changed() => true,
        }
    }
}

/// What is known of files.
pub(crate) struct Changes {
    /// What they held at the last look.
    seen: Fingerprint,
    /// What was last read, whether it could be used or not.
    read: Fingerprint,
    /// What holds.
    taken: Fingerprint,
}

/// How to read files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// With a complaint if they can't be used.
    New,
    /// Silently: they couldn't be used before, but what they name, or the time, may have changed.
    Again,
}

impl Changes {
    /// Of files that held this when they were read at the start.
    pub(crate) fn new(taken: Fingerprint) -> Self {
        Self { seen: taken, read: taken, taken }
    }

    /// Whether to read what files hold now: if it isn't what holds, and is the same at two looks, so that they aren't being
    /// replaced just then; at once if somebody has told so.
    pub(crate) fn look(&mut self, fingerprint: Fingerprint, told: bool) -> Option<Reading> {
        let is_settled = mem::replace(&mut self.seen, fingerprint) == fingerprint;
        if fingerprint == self.taken {
            // Whatever was wrong in between is new if it comes back.
            self.read = fingerprint;
            return None;
        }
        if !is_settled && !told {
            return None;
        }
        let is_new = mem::replace(&mut self.read, fingerprint) != fingerprint;
        Some(if is_new || told { Reading::New } else { Reading::Again })
    }

    /// This could be used.
    pub(crate) fn took(&mut self, fingerprint: Fingerprint) {
        self.taken = fingerprint;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_when_it_has_settled_or_at_once_when_told_and_complained_about_once() {
        let [old, half, new] = [1, 2, 3].map(|byte| [byte; 32]);
        let mut changes = Changes::new(old);
        assert_eq!([changes.look(old, false), changes.look(old, true)], [None, None]);
        assert_eq!([changes.look(half, false), changes.look(new, false)], [None, None]);
        assert_eq!(changes.look(new, false), Some(Reading::New));
        assert_eq!(changes.look(new, false), Some(Reading::Again));
        assert_eq!(changes.look(new, true), Some(Reading::New), "who asks hears of it");
        assert_eq!([changes.look(old, false), changes.look(new, true)], [None, Some(Reading::New)]);
        changes.took(new);
        assert_eq!([changes.look(new, false), changes.look(new, true)], [None, None]);
        assert_eq!(changes.look(old, true), Some(Reading::New));
    }
}
