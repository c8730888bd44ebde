//! What a process has cost so far, and what it holds.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::Fault;

/// Time on a processor, of all threads that live. To the nanosecond, unlike the ticks of `/proc/PID/stat`.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Fault> {
    let mut total = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended since the folder was read.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let nanos = text.split(' ').next().ok_or("schedstat is empty")?;
        total += Duration::from_nanos(nanos.parse()?);
    }
    Ok(total)
}

/// What the machine does beside a server and this program: whatever it is, it makes a measurement worse.
#[derive(Debug)]
pub(crate) struct Others {
    begun: Instant,
    busy: Duration,
    own: Duration,
}

impl Others {
    pub(crate) fn watch() -> Result<Self, Fault> {
        Ok(Self {
            begun: Instant::now(),
            busy: busy(&fs::read_to_string("/proc/stat")?)?,
            own: cpu(std::process::id())?,
        })
    }

    /// Processors that others kept busy since, on average. `server` is what the server has cost since.
    pub(crate) fn processors(&self, server: Duration) -> Result<f64, Fault> {
        let now = Self::watch()?;
        let busy = now.busy.saturating_sub(self.busy);
        let others = busy.saturating_sub(now.own.saturating_sub(self.own)).saturating_sub(server);
        Ok(others.as_secs_f64() / self.begun.elapsed().as_secs_f64())
    }
}

/// Time of all processors that `/proc/stat` gives to processes, and what the host took away. It counts in hundredths of
/// a second.
fn busy(stat: &str) -> Result<Duration, Fault> {
    let columns: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let [user, nice, system, _idle, _wait, _irq, _softirq, steal, ..] = *columns else {
        return Err("/proc/stat has other columns".into());
    };
    Ok(Duration::from_millis(10 * (user + nice + system + steal)))
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: u32) -> Result<f64, Fault> {
    kib(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Bytes that the kernel holds for itself: socket buffers and structures of all processes.
pub(crate) fn kernel() -> Result<f64, Fault> {
    kib("/proc/meminfo", "Slab:")
}

fn kib(file: &str, name: &str) -> Result<f64, Fault> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find(|line| line.starts_with(name)).ok_or("Linux has the field")?;
    let number: f64 = line.split_whitespace().nth(1).ok_or("the field has a number")?.parse()?;
    Ok(number * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_busy_for_processes_and_hosts_but_not_with_waiting() {
        let stat = "cpu  100 10 200 5000 70 3 4 20 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy(stat).expect("it is sound"), Duration::from_millis(3300));
        assert!(busy("cpu 1 2").is_err());
    }
}
