# What each crate tests about itself.
cargo_test "unit tests" --workspace --exclude poke-tests
cargo_test "the harness's own tests" --package poke-tests --lib
