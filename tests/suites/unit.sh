# What each crate tests about itself.
cargo_test "unit tests" --workspace --exclude poke-tests --exclude poke-conformance
cargo_test "the harness's own tests" --package poke-tests --lib
