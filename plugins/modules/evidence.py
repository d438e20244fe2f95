#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door for a user's own proof: documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Record a task's result as evidence of an item
version_added: 0.1.0
description:
  - Adds an observation to the run, for an item of the catalogue that no check of this collection proves yet, or beside one.
  - It never takes the place of a check; it can only make an item worse where a check exists.
  - Evidence is kept, redacted, in the sealed ledger, with host, time and release.
  - Evidence that nobody records any more goes stale and blocks, as a check that was dropped does, until an approved entry of C(golive_retired) names it,
    by its C(item) and by its C(name) as C(target).
extends_documentation_fragment:
  - resto.golive.control
author:
  - Resto Golive (@resto-golive)
options:
  items:
    description:
      - Ids of the items that it is about, such as C(acceptance.smoke_ui).
    type: list
    elements: str
    required: true
  name:
    description:
      - What was done; the same name replaces earlier evidence.
    type: str
    required: true
  status:
    description:
      - What it showed. Use C(error) where it could not be known.
    type: str
    choices: [pass, warn, fail, error]
    required: true
  says:
    description:
      - One sentence for the report, without secrets.
    type: str
    required: true
  observed:
    description:
      - What was seen, as data.
    type: raw
  failed_fix:
    description:
      - It is a fix that failed; it blocks in this run only, because the next run tries again.
    type: bool
    default: false
attributes:
  check_mode:
    description: Records nothing, but for a fix that failed, which this run's own verdict tells of; nothing is kept.
    support: full
"""

EXAMPLES = r"""
- name: Record what the browser tests said
  resto.golive.evidence:
    items: [acceptance.smoke_ui]
    name: playwright
    status: "{{ 'pass' if tests.rc == 0 else 'fail' }}"
    says: "{{ tests.stdout_lines | last }}"
"""

RETURN = r"""
golive:
  description: What was recorded.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation for each item.
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

#: The action plugin of the same name asks for the same.
SPEC = {
    "items": {"type": "list", "elements": "str", "required": True},
    "name": {"type": "str", "required": True},
    "status": {"type": "str", "choices": ["pass", "warn", "fail", "error"], "required": True},
    "says": {"type": "str", "required": True},
    "observed": {"type": "raw"},
    "failed_fix": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    module.fail_json(msg="this runs on the control node, by the action plugin of the same name")


if __name__ == "__main__":
    main()
