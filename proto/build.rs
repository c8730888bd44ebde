//! Compiles the contract with protox, so that nobody needs protoc.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=poke");
    let descriptors = protox::compile(["poke/v1/poke.proto"], ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("poke.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().extern_path(".google.protobuf.Value", "crate::Data").compile_fds(descriptors)?;
    Ok(())
}
