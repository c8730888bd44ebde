//! `poke-bench-naive ADDRESS [CERTIFICATE KEY]`: what one writes with tonic in an afternoon.

#[cfg(target_os = "linux")]
use tonic::transport::Identity;

#[cfg(target_os = "linux")]
fn main() -> Result<(), poke_bench::Fault> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let identity = match arguments.get(1..) {
        Some([certificate, key]) => Some(Identity::from_pem(std::fs::read(certificate)?, std::fs::read(key)?)),
        _ => None,
    };
    poke_bench::naive(arguments.first().ok_or("an address is missing")?.parse()?, identity)
}

#[cfg(not(target_os = "linux"))]
fn main() {}
