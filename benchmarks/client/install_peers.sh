#!/usr/bin/env bash
# Installs load clients to compare with, each into an environment of its own, never into ours.
#
#   bash benchmarks/client/install_peers.sh                      inference-perf (640 MB, a minute)
#   bash benchmarks/client/install_peers.sh aiperf guidellm vllm (gigabytes each)
#
# inference-perf needs Python >= 3.12: PYTHON=/path/to/python3.12 names one that is not on the PATH.
set -euo pipefail

peers="${XDG_CACHE_HOME:-$HOME/.cache}/breakeven/peers"
here="$(cd "$(dirname "$0")" && pwd)"
mkdir -p "$peers"

python_for() {
    if [[ -n "${PYTHON:-}" ]]; then echo "$PYTHON"; return; fi
    for candidate in python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            echo "$candidate"; return
        fi
    done
    echo "error: no Python >= 3.12 found; name one with PYTHON=" >&2
    exit 2
}

if [[ $# -eq 0 ]]; then set -- inference-perf; fi
for peer in "$@"; do
    [[ "$peer" =~ ^(inference-perf|aiperf|guidellm|vllm)$ ]] || { echo "error: no such peer: $peer" >&2; exit 2; }
    if [[ ! -x "$peers/$peer/bin/python" ]]; then
        "$(python_for)" -m venv "$peers/$peer"
    fi
    "$peers/$peer/bin/python" -m pip install --quiet "$peer"
    if [[ ! -d "$peers/huggingface" ]]; then
        "$peers/$peer/bin/python" "$here/make_tokenizer.py" "$peers/huggingface"
    fi
done
