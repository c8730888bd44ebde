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

# cargo_test WHAT ARGUMENTS...: `cargo test`, with each of its tests counted.
cargo_test() {
    local what=$1
    shift
    rust_tests "$what" cargo test "$@"
}

# rust_tests WHAT COMMAND...: Rust's test programs, with each of their tests counted. Lines `figure: TEXT` of a test are noted.
rust_tests() {
    local what=$1 output status=0
    shift
    output=$(mktemp)
    echo "== $what: $*"
    "$@" 2>&1 | tee "$output" || status=$?
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

# junit WHAT REPORT COMMAND...: a command that writes a JUnit report, of which each test is counted. Lines `figure: TEXT` of a
# test are noted.
junit() {
    local what=$1 report=$2 output status=0
    shift 2
    output=$(mktemp)
    rm -f "$report"
    echo "== $what"
    NO_COLOR=1 "$@" 2>&1 | tee "$output" || status=$?
    node tests/suites/junit.js "$report" >>"$RESULTS" || echo "failed 1 $what gave no results" >>"$RESULTS"
    sed -n 's/^figure: /note /p' "$output" >>"$RESULTS"
    [ "$status" -eq 0 ] || grep -q '^failed' "$RESULTS" || echo "failed 1 $what (exit code $status)" >>"$RESULTS"
    rm -f "$output"
}
