# Suites that others wrote, against the server and against their own services behind its layers.
POKE_SUITES=$(tool "suites-$(sha256sum <tests/conformance/go/go.sum | head -c 12)" install_suites)
export POKE_SUITES POKE_BIN_DIR=$CARGO_TARGET_DIR/release
cargo_test "suites" --package poke-conformance --test suites -- --ignored --test-threads 2 --show-output
