# That the bench works, with what needs no installation. Figures to trust come from tests/bench/run on a quiet machine.
check "release build" cargo build --release --package poke-server --package poke-bench --bins
check "every kind of measurement" "$CARGO_TARGET_DIR/release/poke-bench" \
    --quick --only poke,naive,floor --out "$CARGO_TARGET_DIR/bench-quick"
