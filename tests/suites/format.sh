# Rust is formatted.
check "cargo fmt" cargo fmt --all --check
