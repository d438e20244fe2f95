# shellcheck shell=bash
# What every script here starts with: where we are, how we speak, how long things take. Sourced, never run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
LOGS="$ROOT/.cache/logs"
[[ :$PATH: == *":$ROOT/.venv/bin:"* ]] || export PATH="$ROOT/.venv/bin:$PATH"
export PIP_DISABLE_PIP_VERSION_CHECK=1
# What pip leaves uncompiled, Python compiles at its first import and keeps. Where it may not keep it, every start of Ansible compiles all of it anew:
# twice the time of a run that does nothing.
unset PYTHONDONTWRITEBYTECODE
mkdir -p "$LOGS"
cd "$ROOT"

say() { printf '%s\n' "• $*"; }

# The last line that anyone reads: what is missing, and how to get it.
die() {
    printf '%s\n' "✗ $*" >&2
    exit 1
}

# long WHAT COMMAND...: run a long step with its output in a log, say every 20 s that it lives, and show the log's end if it fails.
long() {
    local what=$1 log started child rc=0
    shift
    log="$LOGS/$(printf '%s' "$what" | tr -cs '[:alnum:].' '-').log"
    started=$SECONDS
    say "$what"
    "$@" >"$log" 2>&1 </dev/null &
    child=$!
    while kill -0 "$child" 2>/dev/null; do
        sleep 1
        if (((SECONDS - started) % 20 == 0)) && ((SECONDS > started)); then
            say "  … $what: $((SECONDS - started)) s"
        fi
    done
    wait "$child" || rc=$?
    if ((rc != 0)); then
        tail -n 20 "$log" >&2
        die "$what failed (rc $rc); all of it is in ${log#"$ROOT"/}"
    fi
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root: become root or install sudo, then try again"
    fi
}
