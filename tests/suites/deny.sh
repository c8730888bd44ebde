# Licences and sources of all dependencies, and known vulnerabilities.
deny=$(tool cargo-deny-0.20.2 install_deny)/bin/cargo-deny
check "licenses, bans, sources" "$deny" check licenses bans sources
if timeout 120 "$deny" fetch db; then
    check "advisories" "$deny" check advisories
else
    skip "advisories" "known vulnerabilities and yanked crates go unseen: the RustSec database can't be reached from here"
fi
