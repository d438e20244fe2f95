#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is, in one small run: before anything else is asked of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: See that a host answers, and what it is
version_added: 0.1.0
description:
  - Reads the clock, the machine id, the Python version and the release that is deployed. Changes nothing.
  - The action plugin of the same name turns a host that cannot be reached into evidence instead of a failed task, and measures the clock's skew.
author:
  - Resto Golive (@resto-golive)
options:
  deploy_root:
    description:
      - Directory with C(releases/) and C(current), as in the variable C(environment_deploy_root). The name that C(current) points to is the release.
    type: str
  ask:
    description:
      - Where the tenants are flagged as test ones in the database, C(options), C(user) and C(timeout_s) of that question. Filled in by the action plugin.
    type: dict
  secrets:
    description: Values of the secrets that the question needs. Filled in by the action plugin, never written in a playbook.
    type: dict
attributes:
  check_mode:
    description: Never changes anything.
    support: full
  diff_mode:
    description: Never changes anything.
    support: N/A
  action:
    description: Runs on the control node first.
    support: full
"""

EXAMPLES = r"""
- name: See which hosts answer
  resto.golive.probe:
    deploy_root: /srv/comanda
"""

RETURN = r"""
golive:
  description: What the host is.
  returned: success
  type: dict
  contains:
    state:
      description: C(up) or C(down).
      type: str
    reason:
      description: Why it is down, a code with its parameters.
      type: dict
    machine:
      description: Its machine id.
      type: str
    release:
      description: The release that runs here, or null.
      type: str
    python:
      description: Version of the interpreter that modules run with.
      type: str
    servers:
      description: Sections of the checklist whose server runs here, whatever the inventory says, C(postgres) or C(redis).
      type: list
      elements: str
    clock_skew_ms:
      description: Its clock minus the control node's, in milliseconds.
      type: int
    flagged:
      description: For each tenant how many rows say that it is a test one, or why that could not be asked. On the first database host only.
      type: dict
"""

import contextlib
import glob
import os
import sys
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.resto.golive.plugins.module_utils._door import RESULT_KEY, machine_id

#: Servers' programs by the section of the checklist that is about them.
SERVERS = {"postgres": "postgres", "redis-server": "redis", "valkey-server": "redis"}


def release_of(deploy_root: str | None) -> str | None:
    """Return the name that ``current`` points to, which is what runs, whatever a variable says."""
    current = os.path.join(deploy_root, "current") if deploy_root else ""
    return os.path.basename(os.path.realpath(current)) if os.path.islink(current) else None


def servers(processes: str = "/proc") -> list[str]:
    """Return the sections whose server is among the processes that can be seen here."""
    found = set()
    for path in glob.glob(os.path.join(processes, "[0-9]*", "comm")):
        # A process that ends meanwhile is not here.
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as comm:
            found.add(SERVERS.get(comm.read().strip()))
    return sorted(section for section in found if section)


def answers(ask: dict[str, t.Any] | None, secrets: dict[str, str]) -> list[dict[str, t.Any]]:
    """Return the row of the question, or nothing where none is asked."""
    if not ask:
        return []
    # Only the one host that is asked loads what an answer takes.
    from ansible_collections.resto.golive.plugins.module_utils._parts import DatabaseObservers
    from ansible_collections.resto.golive.plugins.module_utils._runner import Unit, as_user, run

    return run([Unit(as_user(DatabaseObservers, ask["user"]), "host", "", ask["options"], secrets, ask["timeout_s"])], budget_s=ask["timeout_s"] + 5)


def main() -> None:
    module = AnsibleModule(
        argument_spec={"deploy_root": {"type": "str"}, "ask": {"type": "dict"}, "secrets": {"type": "dict", "no_log": True}}, supports_check_mode=True
    )
    clock = time.time()
    module.exit_json(
        changed=False,
        **{
            RESULT_KEY: {
                "time": clock,
                "machine": machine_id(),
                "release": release_of(module.params["deploy_root"]),
                "python": ".".join(str(part) for part in sys.version_info[:3]),
                "servers": servers(),
                "user": os.geteuid(),
                "asked": answers(module.params["ask"], module.params["secrets"] or {}),
            }
        },
    )


if __name__ == "__main__":
    main()
