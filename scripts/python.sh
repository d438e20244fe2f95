#!/usr/bin/env bash
# Print the newest Python between the two versions given that really runs: a shim without its Python, or one built without ssl, does not count.
# Usage: scripts/python.sh [OLDEST NEWEST], such as 3.11 3.13
source "$(dirname "$0")/lib.sh"

oldest=${1:-3.11} newest=${2:-3.13}
outside=${PATH//"$ROOT/.venv/bin:"/}

runs() {
    "$1" -c "import sys, ssl, sqlite3, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" >/dev/null 2>&1
}

for minor in $(seq "${newest#3.}" -1 "${oldest#3.}"); do
    for candidate in "/usr/bin/python3.$minor" "/usr/local/bin/python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor."*/bin/python3 \
        "$(PATH=$outside command -v "python3.$minor")" "$(PATH=$outside command -v python3)"; do
        if [[ -x $candidate ]] && runs "$candidate" "3.$minor"; then
            printf '%s\n' "$candidate"
            exit 0
        fi
    done
done
die "no Python $oldest to $newest with ssl, sqlite3 and venv was found: install python3 and python3-venv (Debian 12: 3.11, 13: 3.13; Ubuntu 24.04: 3.12)"
