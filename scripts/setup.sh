#!/usr/bin/env bash
# Everything that a run needs, made once: system packages and .venv. Running it again is quick and changes nothing.
# Usage: scripts/setup.sh run|dev
source "$(dirname "$0")/lib.sh"

level=${1:-run}
declare -A REQUIREMENTS=([run]=requirements.txt [dev]=requirements-dev.txt)
[[ -n ${REQUIREMENTS[$level]:-} ]] || die "usage: scripts/setup.sh run|dev"

scripts/packages.sh "$level"

# venv DIR PYTHON REQUIREMENTS [PIP ARGUMENTS]: a virtual environment that holds them, marked with what it was made from.
venv() {
    local dir=$1 python=$2 requirements=$3 mark wanted
    shift 3
    if [[ -d $dir ]] && ! "$dir/bin/python" -c 'import ssl, pip' 2>/dev/null; then
        say "$dir does not run any more: making it again"
        rm -rf "$dir"
    fi
    mark="$dir/.made-from-$(basename "$requirements")"
    wanted=$(cat constraints.txt requirements*.txt tests/unit/requirements.txt lab/comanda/requirements.txt lab/comanda/tests/requirements.txt tests/bench/requirements.txt scripts/setup.sh | sha256sum)
    [[ -e $mark && $(<"$mark") == "$wanted" ]] && return
    if [[ ! -d $dir ]]; then
        "$python" -m venv "$dir"
    fi
    # Python compiles what it imports; to compile all collections of Ansible at once takes longer than to install them.
    long "Installing $(basename "$requirements") into $dir with Python $("$dir/bin/python" -c 'import platform; print(platform.python_version())') (some minutes the first time)" \
        "$dir/bin/python" -m pip install --no-compile --progress-bar off -r "$requirements" "$@"
    printf '%s\n' "$wanted" >"$mark"
    say "$dir has $("$dir/bin/python" -m pip list 2>/dev/null | awk '$1 == "ansible-core" || $1 == "starlette" {print $1, $2}')"
}

venv .venv "$(scripts/python.sh)" "${REQUIREMENTS[$level]}"

if [[ $level == dev ]]; then
    # Unit tests find the server's program under its own name.
    if ! command -v redis-server >/dev/null; then
        ln -sf "$(command -v redis-check-rdb)" .venv/bin/redis-server
    fi
    # The oldest core that we promise, on the Python of Debian 12 where there is one; CI must have it, or the oldest Python is never tried.
    grep -vE '^(ansible|ansible-core)==' constraints.txt >.cache/constraints-2.19.txt
    venv .cache/venv-2.19 "$(scripts/python.sh 3.11 3.11 2>/dev/null || scripts/python.sh 3.11 3.13)" tests/unit/requirements.txt \
        'ansible-core>=2.19,<2.20' -c .cache/constraints-2.19.txt
    oldest=$(.cache/venv-2.19/bin/python -c 'import sys, ansible.release as core; print(core.__version__[:4], "on Python", "%d.%d" % sys.version_info[:2])')
    if [[ $oldest != "2.19 on Python 3.11" ]]; then
        told="the oldest environment has ansible-core $oldest, not 2.19 on Python 3.11: install Python 3.11 (Debian 12: python3, python3-venv), remove .cache/venv-2.19, try again"
        [[ ${CI:-} != true ]] || die "$told"
        say "$told, or leave it to CI"
    fi
    # What the reference system runs with, on the Python of its host where there is one.
    venv .cache/venv-comanda "$(scripts/python.sh 3.11 3.11 2>/dev/null || scripts/python.sh 3.11 3.13)" lab/comanda/tests/requirements.txt
    # What the bench compares with.
    venv .cache/venv-sslyze "$(scripts/python.sh)" tests/bench/requirements.txt
fi
