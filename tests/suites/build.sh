# The binaries as users build them; the suites behind this one run them.
check "release build" cargo build --release --package poke-server --package poke-client --bins
