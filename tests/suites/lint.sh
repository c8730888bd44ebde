# Clippy finds nothing, and neither do shell and Python.
check "clippy" cargo clippy --workspace --all-targets -- -D warnings
check "shell syntax" bash -n tests/run tests/bench/run .ci/run tests/suites/*.sh interop/adapters/*/build
check "python syntax" python3 -m compileall -q -f tests/python tests/data interop/adapters
