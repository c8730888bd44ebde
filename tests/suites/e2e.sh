# Each promise of the contract, against the real server.
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release
cargo_test "end to end" --package poke-tests --test e2e -- --test-threads 4 --show-output
