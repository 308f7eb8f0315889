#!/bin/sh
# Makes requirements.txt of requirements.in: every package by version and hash, for any platform and Python since 3.11.
# Needs uv. `sh harness/rent/sky/pin.sh`, then `breakeven rent install` installs it anew.
set -eu
cd "$(dirname "$0")"
{
    grep '^#' requirements.in
    uv pip compile --quiet --universal --python-version 3.11 --only-binary :all: --generate-hashes \
        --no-header --no-annotate requirements.in
} > requirements.txt.new
mv requirements.txt.new requirements.txt
