# The console: its parts alone, and that the page which the server holds is what is built from client/console and the SDK.
check "npm packages" npm_packages
check "unit tests of the console" npm run --silent test -w client/console

page_is_current() {
    local page=server/src/console/index.html
    npm run --silent build -w client/console && git diff --exit-code --stat -- "$page"
}

check "the server's page is what client/console builds (npm run build -w client/console)" page_is_current
