#!/usr/bin/env bash
# Measures `abeyance serve` beside other model servers, with the same model, client and two cores.
#
#   run.sh setup      sets up what is missing: Python environments, the load generator, tract's server, the model
#   run.sh            10 seconds a figure, three rounds: about half an hour
#   run.sh --quick    3 seconds a figure: about ten minutes
#   run.sh --all      every setting that was tried, not only each server's best
#
# Nothing else should run meanwhile. SERVING_FOLDER holds environments, builds and models (3 GB): a folder of the
# system's temporary one unless said. ABEYANCE is the program that is measured, built here unless said. The network is
# needed only to set up. PYTHON is 3.11, for which the versions are pinned; Triton needs its shared library,
# libpython3.11.so.1.0.
set -euo pipefail
cd "$(dirname "$0")"
export SERVING_FOLDER=${SERVING_FOLDER:-${TMPDIR:-/tmp}/abeyance-serving}
PYTHON=${PYTHON:-python3.11}
mkdir -p "$SERVING_FOLDER"

# One after the other, and once.
for name in fastapi mlserver triton; do
    environment=$SERVING_FOLDER/$name
    cmp -s "peers/$name/requirements.txt" "$environment/requirements.txt" && continue
    [ -x "$environment/bin/python" ] || "$PYTHON" -m venv "$environment"
    # A server that cannot be installed is told as left out by the comparison.
    if "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "peers/$name/requirements.txt"; then
        cp "peers/$name/requirements.txt" "$environment"
    else
        echo "$name could not be installed" >&2
    fi
done

cargo build --release --locked --manifest-path load/Cargo.toml --target-dir "$SERVING_FOLDER/load"
export SERVING_LOAD=$SERVING_FOLDER/load/release/serving-load
# One codegen unit and thin LTO; its kernels choose the processor's instructions as they run.
cargo build --release --locked --manifest-path peers/tract/Cargo.toml --target-dir "$SERVING_FOLDER/tract"
export TRACT_PEER=$SERVING_FOLDER/tract/release/tract-peer
root=$(cd ../.. && pwd)
if [ -z "${ABEYANCE-}" ]; then
    # Abeyance is built as anybody builds it.
    cargo build --release --locked --manifest-path "$root/Cargo.toml" --package abeyance-cli
    ABEYANCE=$(cargo metadata --format-version 1 --no-deps --manifest-path "$root/Cargo.toml" |
        "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/abeyance
fi
export ABEYANCE

# The same weights for all: a few steps of training, since what they are is the same to speed.
model=$SERVING_FOLDER/model/mnist_conv_dropout.onnx
if [ ! -s "$model" ]; then
    mkdir -p "$SERVING_FOLDER/model"
    graph=$root/graphs/mnist_conv_dropout.graph
    "$ABEYANCE" train "$graph" --steps 100 --checkpoint "$SERVING_FOLDER/checkpoint"
    "$ABEYANCE" convert "$graph" "$model" --checkpoint "$SERVING_FOLDER/checkpoint"
fi

[ "${1-}" = setup ] || "$SERVING_FOLDER/fastapi/bin/python" compare.py "$@"
