#!/usr/bin/env bash
# The collection on the lab, from nothing to a verdict. Ends well if the run did its job, whatever the verdict.
source "$(dirname "$0")/lib.sh"

(($# == 0)) || die "usage: scripts/demo.sh"
started=$SECONDS
scripts/setup.sh run
scripts/lab.sh up
before=$(readlink -f reports/staging/latest || true)
ansible-playbook golive.yml -i staging -e golive_fail_on_no_go=false
latest=$(readlink -f reports/staging/latest || true)
[[ -n $latest && $latest != "$before" ]] || die "the run ended without a report of its own in reports/staging"
say "The report for people: ${latest#"$ROOT"/}/golive.html"
say "$((SECONDS - started)) s in all. Again, whenever you like: .venv/bin/ansible-playbook golive.yml -i staging"
