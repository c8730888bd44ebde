//! What a process has cost so far, and what it holds.

use std::{fs, time::Duration};

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
