# The TypeScript packages: installed from the lockfile, their stubs as buf makes them, tidy, typed, tested.
check "npm ci" npm ci --no-audit --no-fund --loglevel=error

# The committed stubs are what the contract makes.
stubs_are_current() {
    local made=client/typescript/src/gen
    npm run --silent generate && git diff --exit-code -- "$made" && [ -z "$(git status --porcelain -- "$made")" ]
}

check "the stubs are what buf generates" stubs_are_current
check "biome: format and lint" npm run --silent lint
check "types" npm run --silent check --workspaces --if-present
