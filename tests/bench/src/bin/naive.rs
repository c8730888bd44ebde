//! `poke-bench-naive ADDRESS`: what one writes with tonic in an afternoon.

#[cfg(target_os = "linux")]
fn main() -> Result<(), poke_bench::Fault> {
    poke_bench::naive(std::env::args().nth(1).ok_or("an address is missing")?.parse()?)
}

#[cfg(not(target_os = "linux"))]
fn main() {}
