#!/usr/bin/env bash
# Remove what was made here, the lab and .venv excepted. Usage: scripts/clean.sh
source "$(dirname "$0")/lib.sh"

# Debian 13's folder belongs to root (scripts/seventeen.sh); without one, nobody is asked for root's rights.
if compgen -G '.cache/debian13-*' >/dev/null; then
    as_root rm -rf --one-file-system .cache/debian13-*
fi
rm -rf build .cache .mypy_cache .ruff_cache .ansible tests/output
