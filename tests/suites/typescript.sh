# The TypeScript packages: installed from the lockfile, their stubs as buf makes them, tidy, typed, packed, and tested against the
# real server.
apt_package chromium
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release
check "npm packages" npm_packages

# The committed stubs are what the contract makes.
stubs_are_current() {
    local made=client/typescript/src/gen
    npm run --silent generate && git diff --exit-code -- "$made" && [ -z "$(git status --porcelain -- "$made")" ]
}

# What users with the network get of Buf's plugins is the same: buf.gen.yaml pins the version and the options of the local one.
remote_is_the_same() {
    local version options
    version=$(node -p 'require("./package.json").devDependencies["@bufbuild/protoc-gen-es"]')
    options=$(sed -n 's/^ *opt: \(.*import_extension.*\)/\1/p' buf.gen.local.yaml)
    grep -A2 "remote: buf.build/bufbuild/es:v$version\$" buf.gen.yaml | grep -F "opt: $options"
}

check "the stubs are what buf generates" stubs_are_current
check "buf.gen.yaml pins the same plugin" remote_is_the_same
check "the SDK builds" npm run --silent build -w client/typescript
check "biome: format and lint" npm run --silent lint
check "types" npm run --silent check --workspaces --if-present
check "publint" npx publint --strict client/typescript
check "are the types wrong?" npx attw --pack client/typescript --profile esm-only

# vitest WHAT ARGUMENTS...: tests of the SDK.
vitest() {
    local what=$1 report=$CARGO_TARGET_DIR/vitest.xml
    shift
    junit "$what" "$report" npm run --silent test -w client/typescript -- "$@" \
        --reporter=default --reporter=junit --outputFile.junit="$report"
}

vitest "the SDK"
react_18=$(tool react-18.3.1 install_react_18)
POKE_REACT=$react_18/node_modules vitest "the hook with React 18" test/react/hook test/react/provider test/react/server
