# Clients that we didn't write, and the main job with them.
apt_package curl haproxy nginx openssl prometheus
python=$(tool "python-$(sha256sum <tests/python/requirements.txt | head -c 12)" install_python)
grpcurl=$(tool grpcurl-1.9.4 install_grpcurl)
buf=$(tool buf-1.75.0 install_buf)
envoy=$(tool envoy-1.40.0 install_envoy)
export POKE_GRPCURL=$grpcurl/grpcurl POKE_BUF=$buf/node_modules/.bin/buf POKE_PYTHON=$python/bin/python
export POKE_ENVOY=$envoy/bin/envoy
export POKE_BIN_DIR=$CARGO_TARGET_DIR/release PYTHONPATH=$CARGO_TARGET_DIR/python-stubs

# The stubs are made as a user would make them.
rm -rf "$PYTHONPATH"
mkdir -p "$PYTHONPATH"
check "grpcio-tools compiles the contract" "$POKE_PYTHON" -m grpc_tools.protoc --proto_path=proto \
    --python_out="$PYTHONPATH" --grpc_python_out="$PYTHONPATH" poke/v1/poke.proto
cargo_test "foreign clients" --package poke-tests --test foreign -- --ignored --test-threads 2 --show-output
