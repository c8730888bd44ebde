# The SDK and our pages in a real browser, against the real server.
apt_package chromium nginx openssl
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release POKE_BROWSER_RESULTS=$CARGO_TARGET_DIR/browser
check "npm ci" npm ci --no-audit --no-fund --loglevel=error
check "the SDK builds" npm run --silent build -w client/typescript

# Each of Playwright's tests is counted.
browser_tests() {
    local report=$POKE_BROWSER_RESULTS/junit.xml status=0
    rm -f "$report"
    npm run --silent browser -w tests/browser || status=$?
    node tests/browser/count.js "$report" >>"$RESULTS" || echo "failed 1 Playwright gave no results" >>"$RESULTS"
    [ "$status" -eq 0 ] || grep -q '^failed' "$RESULTS" || echo "failed 1 Playwright (exit code $status)" >>"$RESULTS"
}

if command -v chromium >/dev/null; then
    browser_tests
else
    skip "the browser tests" "Chromium isn't installed, and apt-get install needs root"
fi
