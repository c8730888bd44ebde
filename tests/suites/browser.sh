# The SDK and our pages in a real browser, against the real server.
apt_package chromium nginx openssl firefox-esr webkit2gtk-driver xvfb
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release POKE_BROWSER_RESULTS=$CARGO_TARGET_DIR/browser
check "npm packages" npm_packages
check "the SDK builds" npm run --silent build -w client/typescript
check "the demo's page builds" npm run --silent build -w demo/playlist
check "the demo's own tests" npm test --silent -w demo/playlist

if command -v chromium >/dev/null; then
    junit "Playwright" "$POKE_BROWSER_RESULTS/junit.xml" npm run --silent browser -w tests/browser
else
    skip "the browser tests" "Chromium isn't installed, and apt-get install needs root"
fi
