//! Processors of their own for the server and for the load.
//!
//! Where the scheduler may move both, figures of one build vary by half between runs; pinned, by a few per cent. A pinned
//! server has one processor, so it starts one worker: its figures are compared among themselves.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Fault;

/// How the name of a case ends that is measured pinned beside free ones.
pub(crate) const PINNED: &str = ", pinned";

/// One processor for the server, and another one for the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinning {
    server: CpuSet,
    load: CpuSet,
}

impl Pinning {
    /// Takes the first two processors that this process may use.
    ///
    /// # Errors
    /// When there is only one.
    pub(crate) fn new() -> Result<Self, Fault> {
        let allowed = sched_getaffinity(None)?;
        let mut single = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).map(|cpu| {
            let mut set = CpuSet::new();
            set.set(cpu);
            set
        });
        let (Some(server), Some(load)) = (single.next(), single.next()) else {
            return Err("pinning needs two processors".into());
        };
        Ok(Self { server, load })
    }

    /// Starts a program on the server's processor: children inherit that of the thread which starts them. Afterwards this
    /// thread runs on the load's.
    pub(crate) fn spawn<T>(&self, spawn: impl FnOnce() -> Result<T, std::io::Error>) -> Result<T, Fault> {
        sched_setaffinity(None, &self.server)?;
        let spawned = spawn();
        sched_setaffinity(None, &self.load)?;
        Ok(spawned?)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_runs_on_the_servers_processor_and_this_thread_on_the_loads() {
        let test = || -> Result<(), Fault> {
            let Ok(pinning) = Pinning::new() else { return Ok(()) };
            let output =
                pinning.spawn(|| Command::new("grep").args(["Cpus_allowed_list", "/proc/self/status"]).output())?;
            let list = String::from_utf8(output.stdout)?;
            let server = list.split_whitespace().last().ok_or("no list")?.parse::<usize>()?;
            assert!(pinning.server.is_set(server));
            assert!(!sched_getaffinity(None)?.is_set(server));
            Ok(())
        };
        // On a thread of its own, so that other tests aren't pinned.
        std::thread::spawn(move || test().expect("it can be pinned")).join().expect("it holds");
    }
}
