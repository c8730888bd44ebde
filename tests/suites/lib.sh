# What suites record their results with. A result is a line in $RESULTS: `passed N`, `failed N WHAT`, `skipped N WHY`
# or `note TEXT` (shown under a suite that passed).
. tests/suites/tools.sh

# check WHAT COMMAND...: one test, passed when the command succeeds.
check() {
    local what=$1
    shift
    echo "== $what"
    if "$@"; then
        echo "passed 1" >>"$RESULTS"
    else
        echo "failed 1 $what" >>"$RESULTS"
    fi
}

# skip WHAT WHY: one test that can't run here.
skip() {
    echo "== $1: skipped, $2"
    echo "skipped 1 $1: $2" >>"$RESULTS"
}

# note TEXT: a figure worth showing.
note() {
    echo "note $*" >>"$RESULTS"
}

# cargo_test WHAT ARGUMENTS...: `cargo test`, with each of its tests counted. Lines `figure: TEXT` of a test are noted.
cargo_test() {
    local what=$1 output status=0
    shift
    output=$(mktemp)
    echo "== $what: cargo test $*"
    cargo test "$@" 2>&1 | tee "$output" || status=$?
    awk '/^test result:/ { p += $4; f += $6 } END { print "passed", p + 0; if (f) print "failed", f, "see the log" }' \
        "$output" >>"$RESULTS"
    sed -n 's/^test \(.*\) \.\.\. FAILED$/failed 0 \1/p' "$output" >>"$RESULTS"
    sed -n 's/^test \(.*\) \.\.\. ignored\(, \)\{0,1\}\(.*\)$/skipped 1 \1: \3/p' "$output" >>"$RESULTS"
    sed -n 's/^figure: /note /p' "$output" >>"$RESULTS"
    if [ "$status" -ne 0 ] && ! grep -q '^failed' "$RESULTS"; then
        echo "failed 1 $what" >>"$RESULTS"
    fi
    rm -f "$output"
}
