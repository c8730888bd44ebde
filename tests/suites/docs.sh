# The documentation builds without a warning, and its links lead somewhere.
RUSTDOCFLAGS="-D warnings" check "cargo doc" cargo doc --workspace --no-deps --document-private-items
check "links of the Markdown files" python3 tests/python/links.py
