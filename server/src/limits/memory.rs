//! The memory of the process, and what is refused when it runs short.
//!
//! What the server counts (retained pokes, requests that are being read) has budgets of its own. This is the bound on all
//! of it together, with what nobody counts: connections, buffers of sockets, TLS, the allocator's margins. It protects the
//! streams that are open: where memory has an end, the system ends the process, and everyone comes back at once.

use std::{
    fs,
    future::pending,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    log::Seldom,
    metrics::{Metrics, Shed},
};

/// How often the process is measured. What can be allocated in between has to fit into the margin below the bound.
const LOOK: Duration = Duration::from_millis(250);

/// How much memory the process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// What the system allows it, less a sixteenth.
    Auto,
    /// Any.
    Off,
    /// Bytes.
    Bytes(usize),
}

impl Bound {
    /// What it comes to on this machine.
    #[must_use]
    pub fn bytes(self) -> Option<usize> {
        match self {
            Self::Auto => allowed().map(|bytes| bytes - bytes / 16),
            Self::Off => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// How short memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Shortage {
    None,
    /// From fifteen sixteenths of the bound on: what would stay for long is refused.
    Streams,
    /// At the bound: everything new is refused.
    Everything,
}

/// How short the process is of memory, as it was measured last.
#[derive(Debug)]
pub struct Memory {
    bound: Option<usize>,
    shortage: AtomicU8,
    metrics: Arc<Metrics>,
}

impl Memory {
    /// With this bound.
    #[must_use]
    pub fn new(bound: Bound, metrics: Arc<Metrics>) -> Self {
        let bound = bound.bytes();
        metrics.memory_bound_bytes.set(gauge(bound.unwrap_or(0)));
        Self { bound, shortage: AtomicU8::new(Shortage::None as u8), metrics }
    }

    /// Whether there is memory for this; if not, that is counted.
    ///
    /// New streams go first, since each stays for an hour and its client can wait; then calls and connections, which a
    /// healthy server needs to be told anything. What is open is never cut.
    #[must_use]
    pub fn has_room_for(&self, what: Shed) -> bool {
        let refuses = self.refuses(what);
        if refuses {
            self.metrics.shed.inc(what);
        }
        !refuses
    }

    /// Whether this is refused just now.
    #[must_use]
    pub fn refuses(&self, what: Shed) -> bool {
        let enough = match what {
            Shed::Stream => Shortage::Streams,
            Shed::Call | Shed::Connection => Shortage::Everything,
        };
        self.shortage.load(Relaxed) >= enough as u8
    }

    /// Measures. Runs until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut complaints = Seldom::default();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(resident) = resident() else {
                if self.bound.is_some() {
                    tracing::warn!("this system doesn't tell how much memory the process has: limits.memory is off");
                }
                return pending().await;
            };
            if self.note(resident)
                && let Some(unsaid) = complaints.speak()
            {
                let bound = self.bound;
                tracing::warn!(resident, bound, unsaid, "memory runs short: what is new is refused (limits.memory)");
            }
        }
    }

    /// Notes a measurement. Says whether memory has become shorter by it.
    fn note(&self, resident: usize) -> bool {
        self.metrics.memory_resident_bytes.set(gauge(resident));
        let shortage = match self.bound {
            Some(bound) if resident >= bound => Shortage::Everything,
            Some(bound) if resident >= bound - bound / 16 => Shortage::Streams,
            _ => Shortage::None,
        };
        self.shortage.swap(shortage as u8, Relaxed) < shortage as u8
    }
}

/// Bytes of the process that are in memory (proc_pid_statm(5)).
fn resident() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

/// Bytes that the process may have: of its control group or one around it, or of the machine.
fn allowed() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let of_groups = group.into_iter().flat_map(|group| {
        Path::new("/sys/fs/cgroup").join(group).ancestors().map(|folder| folder.join("memory.max")).collect::<Vec<_>>()
    });
    // Version 1, where a container sees its own group alone.
    let files = of_groups.chain(["/sys/fs/cgroup/memory/memory.limit_in_bytes".into()]);
    let bounds = files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    bounds.chain(of_machine()).min()
}

/// See proc_meminfo(5).
fn of_machine() -> Option<usize> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.split_ascii_whitespace().next()?.parse::<usize>().ok()?.checked_mul(1024)
}

fn gauge(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn streams_are_refused_before_calls_and_all_is_well_again_when_memory_is_back() {
        let metrics = Arc::new(Metrics::new());
        let memory = Memory::new(Bound::Bytes(1600), Arc::clone(&metrics));
        let refused = || [Shed::Stream, Shed::Call, Shed::Connection].map(|what| !memory.has_room_for(what));
        for (resident, shorter, expected) in [
            (1499, false, [false, false, false]),
            (1500, true, [true, false, false]),
            (1599, false, [true, false, false]),
            (1600, true, [true, true, true]),
            (9999, false, [true, true, true]),
            (1500, false, [true, false, false]),
            (1, false, [false, false, false]),
        ] {
            assert_eq!((memory.note(resident), refused()), (shorter, expected), "{resident}");
        }
        assert_eq!([Shed::Stream, Shed::Call, Shed::Connection].map(|what| metrics.shed.get(what)), [5, 2, 2]);
    }

    #[test]
    fn without_a_bound_nothing_is_refused() {
        let memory = Memory::new(Bound::Off, Arc::default());
        memory.note(usize::MAX);
        assert!(memory.has_room_for(Shed::Stream));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_measured_against_what_the_system_allows() {
        let (resident, allowed) = (resident().unwrap(), allowed().unwrap());
        assert!((1 << 20..allowed).contains(&resident), "{resident} of {allowed}");
        let bound = Memory::new(Bound::Auto, Arc::default()).bound.unwrap();
        assert!(bound < allowed && bound > allowed / 2);
    }
}
