# What comes from outside, by coverage: each target for $POKE_FUZZ_SECONDS (60). Not part of all suites: its build of the server
# takes longer than everything that it then finds in a minute. `unit` runs the same rules on inputs that are nearly right.
if ! cargo +nightly --version; then
    skip "cargo-fuzz" "it needs a nightly compiler: rustup toolchain install nightly"
else
    PATH=$(tool cargo-fuzz-0.13.2 install_fuzz)/bin:$PATH
    export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/fuzz
    # Nothing here is unsafe: there is nothing for a sanitizer to find.
    fuzz() { cargo +nightly fuzz "$1" --fuzz-dir tests/fuzz/targets --sanitizer none "${@:2}"; }
    check "build" fuzz build
    for target in wire json call config bearer; do
        corpus=$CARGO_TARGET_DIR/corpus/$target
        mkdir -p "$corpus"
        check "$target" fuzz run "$target" "$corpus" -- -max_total_time="${POKE_FUZZ_SECONDS:-60}" -timeout=10 -max_len=8192
    done
fi
