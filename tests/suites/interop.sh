# Each client, in each language, against the real server: interop/README.md. What can't be run here is told with its reason.
apt_package curl chromium default-jdk-headless maven
# The runner and the Rust adapter in the debug profile: they have nothing to do but wait.
check "the runner builds" cargo build --package poke-interop
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release
junit "interop" "$CARGO_TARGET_DIR/interop/junit.xml" "$CARGO_TARGET_DIR/debug/poke-interop"
