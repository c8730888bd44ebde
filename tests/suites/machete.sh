# No crate names a dependency that it doesn't use.
machete=$(tool cargo-machete-0.9.2 install_machete)/bin/cargo-machete
check "unused dependencies" "$machete"
