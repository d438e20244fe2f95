#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first door: documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Lint the inventory, say what must be proven, start a run
version_added: 0.1.0
description:
  - Finds every mistake of the inventory at once, each with file and line, and fails with all of them before any host is touched.
  - Refuses tags that the catalogue does not know.
  - Writes the manifest, which are all rows (item, check and target) that the verdict asks for, and starts the run in the ledger.
  - With the tag C(inventory) it only lints, and shows every variable with its value and its place.
extends_documentation_fragment:
  - resto.golive.control
author:
  - Resto Golive (@resto-golive)
options:
  items:
    description:
      - The items that this run looks at, where the playbook decides that and not the tags. Tags may narrow it; where they leave nothing, the task fails.
    type: list
    elements: str
attributes:
  check_mode:
    description: The run is kept in Ansible's own temporary directory and goes with it.
    support: full
"""

EXAMPLES = r"""
- name: Lint the inventory and start a run
  resto.golive.preflight:
  register: golive_run
  run_once: true
"""

RETURN = r"""
golive:
  description: The run that was started; null where only the inventory was looked at.
  returned: success
  type: dict
  contains:
    run_id:
      description: Its id, which starts with the time in UTC.
      type: str
    path:
      description: Its directory on the control node.
      type: str
    environment:
      description: The environment's one name, such as C(staging).
      type: str
    impact:
      description: The most that is allowed here, C(passive), C(active) or C(disruptive).
      type: str
inventory:
  description: What is declared, one variable a line, with its place and the items that read it.
  returned: with the tag C(inventory)
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={"items": {"type": "list", "elements": "str"}}, supports_check_mode=True)
    module.fail_json(msg="this runs on the control node, by the action plugin of the same name")


if __name__ == "__main__":
    main()
