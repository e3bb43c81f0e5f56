#!/usr/bin/env bash
# Measures Abeyance beside its peers and writes docs/performance.md.
#
#   run.sh setup      sets up what is missing: the Python environment, the runners in Rust, the data
#   run.sh --quick    each peer at its best setting, some ten minutes
#   run.sh            every setting of every peer, more than an hour
#
# PEERS_VENV is the Python environment, .venv unless said otherwise. The network is needed only to set up.
set -euo pipefail
cd "$(dirname "$0")"
export PEERS_VENV=${PEERS_VENV:-.venv}

[ -x "$PEERS_VENV/bin/python" ] || python3 -m venv "$PEERS_VENV"
if ! cmp -s requirements.txt "$PEERS_VENV/requirements.txt"; then
    "$PEERS_VENV/bin/pip" install --requirement requirements.txt
    cp requirements.txt "$PEERS_VENV"
fi
# Abeyance is built as anybody builds it; the peers get every instruction of this machine.
cargo build --release --locked --package abeyance-peer
RUSTFLAGS="-C target-cpu=native" cargo build --profile best --locked --target-dir target/native \
    --package burn-peer --package candle-peer
[ data/complete -nt networks.json ] || target/release/abeyance-peer write

[ "${1-}" = setup ] || "$PEERS_VENV/bin/python" compare.py "$@"
