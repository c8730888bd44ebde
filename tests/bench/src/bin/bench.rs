//! Runs the bench. See tests/bench/README.md.

#[cfg(target_os = "linux")]
fn main() -> Result<(), poke_bench::Fault> {
    poke_bench::bench()
}

#[cfg(not(target_os = "linux"))]
fn main() {}
