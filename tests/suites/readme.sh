# The README's commands, as they stand there.
apt_package curl openssl
PATH=$(tool grpcurl-1.9.4 install_grpcurl):$CARGO_TARGET_DIR/release:$PATH
check "a newcomer's way through the README" python3 tests/python/readme.py README.md
