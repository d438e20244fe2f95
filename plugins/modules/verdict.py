#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last door: documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verdict
short_description: Seal the run, decide, and write the report
version_added: 0.1.0
description:
  - Seals the run, checks the seals of all earlier ones, and decides from the sealed evidence alone.
  - The decision is C(GO), C(GO_WITH_WAIVERS) or C(NO_GO). What was not proven, for whatever reason, is C(NO_GO).
  - Writes C(golive.json), and from it C(golive.es.md), C(golive.md), C(golive.html), C(junit.xml), C(golive.sarif) and C(golive.prom).
extends_documentation_fragment:
  - resto.golive.control
author:
  - Resto Golive (@resto-golive)
options:
  fail_on_no_go:
    description:
      - Fail the task when the verdict is C(NO_GO), after the report is written.
    type: bool
    default: true
  drill:
    description:
      - Name of a check, such as C(restore_drill), that must have been run by this very run and passed on every host that it is meant for.
      - Otherwise the task fails, after the report is written, and says in one line which host failed, could not finish, or was left out.
      - Under check mode it only says that nothing was drilled.
    type: str
attributes:
  check_mode:
    description: Decides from what this run saw and from the ledger; neither seals nor writes.
    support: full
"""

EXAMPLES = r"""
- name: Decide
  resto.golive.verdict:
  run_once: true

- name: Report, and fail unless the restore drill of this run passed
  resto.golive.verdict:
    fail_on_no_go: false
    drill: restore_drill
  run_once: true
"""

RETURN = r"""
golive:
  description: The decision.
  returned: always
  type: dict
  contains:
    verdict:
      description: C(GO), C(GO_WITH_WAIVERS) or C(NO_GO).
      type: str
    report:
      description: Directory of the report on the control node; null under check mode.
      type: str
    summary:
      description: Number of items in each state.
      type: dict
    states:
      description: The state of each item, by its id.
      type: dict
    blockers:
      description: What stands in the way, with its owner.
      type: list
      elements: dict
    text:
      description: The decision as people read it, in C(es) and C(en).
      type: dict
    drill:
      description: What came of the drill that O(drill) names, in one line.
      returned: with O(drill)
      type: str
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={"fail_on_no_go": {"type": "bool", "default": True}, "drill": {"type": "str"}}, supports_check_mode=True)
    module.fail_json(msg="this runs on the control node, by the action plugin of the same name")


if __name__ == "__main__":
    main()
