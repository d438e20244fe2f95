#!/usr/bin/env bash
# Time the collection on the running lab against what people use instead, and print one table.
# Usage: scripts/bench.sh [--write] [PART...]; --write puts the table into docs/performance.md. Ends with 1 when a floor is missed.
source "$(dirname "$0")/lib.sh"

ansible -i staging all -m ansible.builtin.ping >"$LOGS/bench-lab.log" 2>&1 || die "the lab does not answer (make lab): ${LOGS#"$ROOT"/}/bench-lab.log"
PYTHONPATH=collections exec python -m ansible_collections.resto.golive.tests.bench "$@"
