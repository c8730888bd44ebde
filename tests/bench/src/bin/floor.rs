//! `poke-bench-floor ADDRESS`: plain TCP, one thread, one write for each subscriber.

#[cfg(target_os = "linux")]
fn main() -> Result<(), poke_bench::Fault> {
    poke_bench::floor(std::env::args().nth(1).ok_or("an address is missing")?.parse()?)
}

#[cfg(not(target_os = "linux"))]
fn main() {}
