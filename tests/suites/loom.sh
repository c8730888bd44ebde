# Every interleaving of the small concurrent parts. Flags differ from all other builds, so this has its own folder.
export RUSTFLAGS="--cfg poke_loom" CARGO_TARGET_DIR=$CARGO_TARGET_DIR/loom
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
cargo_test "loom" --package poke-server --release --lib loom
