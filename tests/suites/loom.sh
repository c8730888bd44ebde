# Every interleaving of the small concurrent parts. The models' flag is for the crate alone, whose dependencies are those of the
# other tests.
models() {
    local program
    program=$(cargo rustc --package poke-server --lib --profile test --message-format json -- --cfg poke_loom |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    "$program" loom
}

rust_tests "loom" models
