#!/bin/sh
# Makes requirements.txt of requirements.in: every package by version and hash, as of a day, for any platform.
# Needs uv. `sh tests/support/litellm_env/pin.sh`, then `make litellm` installs it anew.
set -eu
cd "$(dirname "$0")"
{
    grep '^#' requirements.in
    uv pip compile --quiet --universal --python-version 3.11 --only-binary :all: --generate-hashes \
        --exclude-newer 2026-03-01 --no-header --no-annotate requirements.in
} > requirements.txt.new
mv requirements.txt.new requirements.txt
