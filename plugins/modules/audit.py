#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run many checks on one host in one module run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit
short_description: Observe go-live items on a host, many checks in one run
version_added: 0.1.0
description:
  - Runs every check that this host can answer, side by side, and returns one observation for each item, check and target.
  - The action plugin of the same name picks the checks by the host's groups, the tags of the run and the impact allowed,
    takes their options from inventory variables, and writes the observations into the run's part of the ledger.
  - Nothing on the host is changed, unless O(fix=true).
author:
  - Resto Golive (@resto-golive)
options:
  checks:
    description:
      - What to run. Left out, the action plugin fills it in from the catalogue and the inventory.
      - Each entry has C(check), C(module) (the file that defines it), C(targets) (each a kind and a name), C(timeout_s) in seconds for one target and
        C(options), without secrets, and C(user) where the inventory decides as which OS user it looks.
    type: list
    elements: dict
  secrets:
    description:
      - Values of secret options, by check and option. Filled in by the action plugin, never written in a playbook.
    type: dict
  drills:
    description:
      - Run the drills that are due instead of the checks.
    type: bool
    default: false
  step:
    description:
      - Some checks need several hosts, and what one of them saw before another can go on.
      - V(observe) is the audit's one run. V(follow) is the short second one, on the hosts that such a check still needs. V(join) contacts nobody, and
        judges what they saw together. V(alone) is for checks that disturb others, when all hosts are done; where one host alone looks from outside,
        they already ran at the end of its V(follow).
    type: str
    choices: [observe, follow, join, alone]
    default: observe
  fix:
    description:
      - Let the checks that can mend what they find do so.
    type: bool
    default: false
  budget_s:
    description:
      - Longest time that all checks of this host may take together, in seconds. What has not answered by then reads C(error).
    type: float
    default: 120.0
attributes:
  check_mode:
    description: Passive checks run, all others do not; nothing is written on either side.
    support: full
  diff_mode:
    description: With O(fix=true) shows what was found and what was, or would be, changed.
    support: full
  action:
    description: Runs on the control node first.
    support: full
seealso:
  - module: resto.golive.preflight
  - module: resto.golive.verdict
"""

EXAMPLES = r"""
- name: Observe everything that this host can answer
  resto.golive.audit:

- name: Run the drills that are due
  resto.golive.audit:
    drills: true
"""

RETURN = r"""
golive:
  description: What was observed on this host.
  returned: success
  type: dict
  contains:
    rows:
      description:
        - One observation for each item, check and target. In a run (C(golive.yml) and the other playbooks) only C(item), C(check), C(target), C(status) and
          C(reason) of each, because the run's ledger holds it whole; without one also C(expected), C(observed), C(evidence), C(changes),
          C(started_at) and C(duration_ms).
      type: list
      elements: dict
      sample:
        - item: redis.persistence
          check: redis_persistence
          target: {kind: host, name: cache1}
          status: fail
          reason: {code: redis_persistence.aof_off, params: {}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.resto.golive.plugins.module_utils._door import finish
from ansible_collections.resto.golive.plugins.module_utils._loader import class_of
from ansible_collections.resto.golive.plugins.module_utils._runner import Unit, as_user


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict"},
            "secrets": {"type": "dict", "no_log": True},
            "drills": {"type": "bool", "default": False},
            "step": {"type": "str", "choices": ["observe", "follow", "join", "alone"], "default": "observe"},
            "fix": {"type": "bool", "default": False},
            "budget_s": {"type": "float", "default": 120.0},
        },
        supports_check_mode=True,
    )
    secrets = module.params["secrets"] or {}
    units = []
    for entry in module.params["checks"] or []:
        check = as_user(class_of(entry["check"], entry["module"]), entry.get("user"))
        for kind, name in entry["targets"]:
            units.append(Unit(check, kind, name, entry["options"], secrets.get(entry["check"], {}), entry["timeout_s"]))
    finish(module, units, fix=module.params["fix"], budget_s=module.params["budget_s"])


if __name__ == "__main__":
    main()
