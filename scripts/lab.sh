#!/usr/bin/env bash
# The lab: a whole staging environment on this machine. Usage: scripts/lab.sh up|down
source "$(dirname "$0")/lib.sh"

case "${1:-}" in
    up)
        ansible-playbook -i inventories/staging lab/create.yml
        ansible-playbook -i inventories/staging lab/prepare.yml
        ;;
    down) ansible-playbook -i inventories/staging lab/destroy.yml ;;
    *) die "usage: scripts/lab.sh up|down" ;;
esac
