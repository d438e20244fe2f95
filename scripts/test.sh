#!/usr/bin/env bash
# The tests, one stage after another, each with its time; stops at the first that fails and names it.
# Usage: scripts/test.sh [STAGE...]; without a stage, all of them.
source "$(dirname "$0")/lib.sh"

old=.cache/venv-2.19/bin/python

# stage NAME COMMAND...
stage() {
    local name=$1 started=$SECONDS rc=0
    shift
    printf '\n== %s\n' "$name"
    "$@" || rc=$?
    if ((rc != 0)); then
        printf '== %s: FAILED after %d s (rc %d)\n' "$name" $((SECONDS - started)) "$rc" >&2
        exit 1
    fi
    printf '== %s: ok, %d s\n' "$name" $((SECONDS - started))
}

# logged FILE COMMAND...: show what it says, and keep it.
logged() { "${@:2}" 2>&1 | tee "$1"; }

lint() {
    stage "ruff check" ruff check .
    stage "ruff format" ruff format --check .
    stage "mypy" mypy --cache-dir .cache/mypy
    stage "yamllint" yamllint --strict .
    stage "shellcheck" shellcheck --external-sources --source-path=SCRIPTDIR scripts/*.sh lab/*.sh tests/defects/*.sh .ci/run
    # It checks syntax without an inventory of its own, which ansible.cfg rightly refuses.
    stage "ansible-lint" env ANSIBLE_INVENTORY_UNPARSED_FAILED=false ansible-lint --offline
    # 77 means a leak and nothing else: gitleaks' own 1 is also a usage error.
    stage "gitleaks" gitleaks git --no-banner --redact --exit-code 77 .
}

units() {
    stage "units, ansible-core $(python -c 'from ansible.release import __version__; print(__version__)')" python -m pytest -q -n auto tests/unit
    stage "units, ansible-core $($old -c 'from ansible.release import __version__; print(__version__)')" "$old" -m pytest -q -n auto tests/unit
}

# The reference system and the providers it calls, by themselves: their types, and their tests on servers of their own.
comanda() {
    stage "comanda, types" env -C lab/comanda "$ROOT/.cache/venv-comanda/bin/mypy" --cache-dir "$ROOT/.cache/mypy-comanda" -p comanda
    stage "comanda, tests" .cache/venv-comanda/bin/python -m pytest -q lab/comanda/tests
    stage "providers, types" env -C lab/providers "$ROOT/.cache/venv-comanda/bin/mypy" --strict --cache-dir "$ROOT/.cache/mypy-comanda" -p providers
    stage "providers, tests" .cache/venv-comanda/bin/python -m pytest -q lab/providers/tests
}

sanity() { stage "sanity" scripts/sanity.sh; }

artefact() { stage "artefact" scripts/artefact.sh; }

molecule() {
    # It remembers what an earlier run made, also where that is gone by now.
    stage "molecule reset" command molecule reset --scenario-name default
    stage "molecule" logged "$LOGS/molecule.log" command molecule test --scenario-name default --destroy never
    stage "no warning, and bare under --check" python scripts/clean_log.py --checked "$LOGS/molecule.log"
}

# The oldest core that we promise, on the lab that molecule left: another control node, the same states.
oldest() {
    local before
    before=$(readlink -f reports/staging/latest)
    stage "audit, ansible-core 2.19" logged "$LOGS/oldest.log" "${old%python}ansible-playbook" playbooks/audit.yml -i staging -e golive_fail_on_no_go=false
    stage "a report of its own" test "$(readlink -f reports/staging/latest)" != "$before"
    stage "no warning on 2.19" python scripts/clean_log.py "$LOGS/oldest.log"
    stage "same states on 2.19" python scripts/same_states.py "$before" reports/staging/latest
}

# Each known way to break the lab, injected and mended again: its own items turn, and no other.
defects() { stage "defects" python tests/defects/run.py; }

# What needs real servers but no lab: each file starts its own.
servers() { stage "servers" python -m pytest -q -n 2 --dist loadfile -m "not lab" tests/integration; }

# PostgreSQL's once more, on Debian 13 with PostgreSQL 17.
seventeen() { stage "seventeen" scripts/seventeen.sh; }

integration() { stage "integration" python -m pytest -q tests/integration; }

# For the stages that follow: they compute, or have time to spare, and give way to the lab's lane, which is the longer one. A session is to the scheduler a
# group of its own, and nice counts only inside of one, so it is the group that gives way where there are any.
gives_way() { { echo 5 >/proc/self/autogroup; } 2>/dev/null || true; }

# Two lanes of this same script side by side: what needs the lab waits for it most of the time; the rest computes. What counts time closest comes
# while the lab is being made, which waits for disks and networks; what gives way, when the lab is looked at. The first that fails ends the
# other.
lanes() {
    local -A lane=()
    local first="" order name
    setsid "$ROOT/scripts/test.sh" molecule oldest defects > >(tee "$LOGS/with-lab.log") 2>&1 </dev/null &
    lane[with-lab]=$!
    setsid "$ROOT/scripts/test.sh" lint servers gives_way seventeen units comanda sanity artefact \
        > >(tee "$LOGS/without-lab.log" | sed --unbuffered --quiet 's/^== /== without the lab: /p') 2>&1 </dev/null &
    lane[without-lab]=$!
    # shellcheck disable=SC2064  # these two, also where the function is long gone
    trap "kill -- -${lane[with-lab]} -${lane[without-lab]} 2>/dev/null || true" EXIT

    wait -n -p first "${lane[@]}" || true
    order=(with-lab without-lab)
    if [[ $first == "${lane[without-lab]}" ]]; then order=(without-lab with-lab); fi
    for name in "${order[@]}"; do
        wait "${lane[$name]}" || {
            # The other lane's lines may stand between this one's last words and the reader.
            tail -n 80 "$LOGS/$name.log" >&2
            die "what is tested $name failed; all of it is in ${LOGS#"$ROOT"/}/$name.log"
        }
    done
    trap - EXIT
}

started=$SECONDS
if (($#)); then
    for name in "$@"; do
        case $name in
            lint | units | comanda | sanity | artefact | servers | seventeen | molecule | oldest | defects | integration | gives_way) "$name" ;;
            *) die "no stage named $name" ;;
        esac
    done
    exit 0
fi

stage "setup" scripts/setup.sh dev
lanes
stage "lab-destroy" scripts/lab.sh down
stage "no trace of the lab" python scripts/no_trace.py
printf '\nAll stages passed in %d s.\n' $((SECONDS - started))
