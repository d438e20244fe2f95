#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``backup_cron``: the backup comes by itself, and often enough."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_cron
short_description: Prove that the backup of Postgres starts by itself, often enough and gently
version_added: 0.1.0
description:
  - Looks at the systemd timer and service (or the crontab) that start the backup, and judges them by what is declared. It is on, comes with the host, makes
    up for runs that were missed while the host was off, has a low priority, does not run as root, and tells somebody when it fails.
  - The longest time between two runs of the schedule is held against the RPO that is promised. With V(pgbackrest) it is the archived WAL that keeps it.
  - With V(external) and V(managed) nothing of the schedule can be seen here; the times between the last eight backups are held against the RPO.
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres.backups
author:
  - Resto Golive (@resto-golive)
options:
  scheduler:
    description: What starts them. Variable C(postgres_backups_scheduler).
    type: str
    choices: [timer, cron]
    default: timer
  schedule:
    description:
      - When, as in a crontab, in the host's zone. Keys C(full) and, with V(pgbackrest), C(differential) and C(incremental). Variable
        C(postgres_backups_schedule).
      - A schedule that restricts both the day and the weekday is refused, because cron and systemd understand it differently.
    type: dict
    default: {full: "0 * * * *"}
  rpo_minutes:
    description: How many minutes of orders may be lost at most. Variable C(postgres_backups_rpo_minutes). Default 60, with V(pgbackrest) 15.
    type: float
"""

EXAMPLES = r"""
- name: See whether the backup comes by itself
  resto.golive.backup_cron:
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(postgres.backups).
      type: list
      elements: dict
      sample:
        - item: postgres.backups
          check: backup_cron
          target: {kind: host, name: db1}
          status: fail
          reason: {code: backup_cron.switched_off, params: {unit: golive-backup.timer}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_cron import BackupCron
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(BackupCron)


if __name__ == "__main__":
    main()
