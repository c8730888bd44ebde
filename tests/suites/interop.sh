# Each client, in each language, against the real server: interop/README.md.
apt_package curl
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release
check "release build" cargo build --release --package poke-interop --bins
results=$CARGO_TARGET_DIR/interop
status=0
"$POKE_BIN_DIR/poke-interop" --counts "$results/counts" || status=$?
if [ -f "$results/counts" ]; then
    cat "$results/counts" >>"$RESULTS"
else
    echo "failed 1 the runner (exit code $status)" >>"$RESULTS"
fi
