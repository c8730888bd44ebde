# The Swift SDK: its committed stubs are those of the contract, and where Swift is it builds and passes its tests.

# The plugins that make the stubs are built from source, so here only the contract is looked at: that of which the stubs were made
# has its hash beside them. Comments don't count.
contract_hash() { buf build --exclude-source-info --exclude-imports --as-file-descriptor-set -o -#format=binpb | sha256sum | cut -d' ' -f1; }
stubs_are_current() { [ "$(contract_hash)" = "$(cat client/swift/stubs.sha256)" ]; }

check "the stubs are of this contract" stubs_are_current

swift_tests() {
    local output status=0
    output=$(mktemp)
    POKE_SERVER=$(realpath "$CARGO_TARGET_DIR/release/poke-server") swift test --package-path client/swift -j 2 2>&1 | tee "$output" || status=$?
    awk '/^[^ ]+ Test run with [0-9]+ tests/ { p = $5; next } /^[^ ]+ Test .* failed after/ { f++ }
         END { print "passed", p - f; if (f) print "failed", f, "see the log" }' "$output" >>"$RESULTS"
    [ "$status" -eq 0 ] || grep -q '^failed' "$RESULTS" || echo "failed 1 swift test (exit code $status)" >>"$RESULTS"
    rm -f "$output"
}

if ! command -v swift >/dev/null; then
    skip "swift build and swift test" "there is no Swift toolchain here (6.0 or later, see client/swift/README.md)"
elif ! swift package --package-path client/swift resolve; then
    skip "swift build and swift test" "the packages that the SDK needs can't be fetched from here"
else
    check "cargo build" cargo build --release -p poke-server
    check "swift format" swift format lint --strict -r --configuration client/swift/.swift-format \
        client/swift/{Package.swift,Sources/MulticastPoke,Tests,Examples} interop/adapters/swift/adapter
    check "swift build" swift build --package-path client/swift -j 2
    swift_tests
fi
