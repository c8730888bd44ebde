# That the bench works, with what needs no installation, in the debug profile: its figures are for nobody. Those to trust come
# from tests/bench/run on a quiet machine.
check "debug build" cargo build --package poke-server --package poke-bench --bins
check "every kind of measurement" "$CARGO_TARGET_DIR/debug/poke-bench" \
    --quick --only poke,naive,floor --out "$CARGO_TARGET_DIR/bench-quick"
