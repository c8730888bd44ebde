//! Time that goes on while the machine sleeps.
//!
//! Timers of the runtime stand still while a laptop or a phone sleeps, but the peer's clock doesn't: a connection that
//! has been silent for an hour of sleep is lost at the moment of waking, not a minute later.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

/// A time on a [`Clock`], counted from its start.
pub(crate) type Moment = Duration;

/// How long a sleep of the machine can go unnoticed after it has woken up.
const GLANCE: Duration = Duration::from_secs(5);

/// The runtime's clock plus what the machine has slept.
#[derive(Clone)]
pub(crate) struct Clock {
    start: Instant,
    slept: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// The clock of this machine, starting now.
    pub(crate) fn system() -> Self {
        Self::new(time_asleep())
    }

    /// A clock that is told by `slept` for how long, in all, the machine has slept.
    pub(crate) fn new(slept: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { start: Instant::now(), slept: Arc::new(slept) }
    }

    pub(crate) fn now(&self) -> Moment {
        self.start.elapsed() + (self.slept)()
    }

    /// Waits until `moment`; for ever if there is none.
    pub(crate) async fn sleep_until(&self, moment: Option<Moment>) {
        let Some(moment) = moment else { return std::future::pending().await };
        while let Some(left) = moment.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left.min(GLANCE)).await;
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// How long the machine has slept since this call: the lead of a clock that counts sleep over one that doesn't.
#[cfg(unix)]
fn time_asleep() -> impl Fn() -> Duration {
    let awake = std::time::Instant::now();
    let start = with_sleep();
    move || with_sleep().saturating_sub(start).saturating_sub(awake.elapsed())
}

#[cfg(unix)]
fn with_sleep() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    // Linux: CLOCK_MONOTONIC, which `Instant` reads, stands still in sleep. Apple: it doesn't, but `Instant` reads
    // CLOCK_UPTIME_RAW, which does. See clock_gettime(2) and clock_gettime(3).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
}

/// Elsewhere `Instant` itself counts sleep.
#[cfg(not(unix))]
fn time_asleep() -> impl Fn() -> Duration {
    || Duration::ZERO
}
