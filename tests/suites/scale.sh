# Many streams at once, at a size that a small machine takes in a few seconds. The full size is the program's default.
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release
report=$(mktemp)
check "2,000 streams, 5 pokes a second to each" cargo run --package poke-tests --bin scale -- \
    --streams 1000 --seconds 10 >"$report"
cat "$report"
while read -r line; do note "$line"; done <"$report"
