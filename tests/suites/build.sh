# The binaries as users build them, one package at a time: together they would share more features, and be built once more by
# whoever runs one. The suites behind this one run them.
check "release build of the server" cargo build --release --package poke-server --bins
check "release build of the command" cargo build --release --package poke-client --bins
