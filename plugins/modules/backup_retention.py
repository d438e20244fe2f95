#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``backup_retention``: backups are kept for as long as declared, and nobody else deletes them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_retention
short_description: Prove that backups are kept for as long as declared, and that nobody else deletes them
version_added: 0.1.0
description:
  - Asks the backup job for its plan (what stays, what goes, and why), for what its last run kept and removed, and for what the policy will need once
    it is full.
  - The policy that the job carries out must be the declared one, carried out within a day, held by nothing; what it kept must still be there; as far
    back as there have been backups there must be a copy of each day, week and month. Where that is less than the policy's span, the policy is judged
    and the evidence says so.
  - The plan keeps the newest copy of each hour for O(hourly_hours) hours, of each day, ISO week and month for the numbers of days in O(days), counted
    from the newest good copy, as restic's C(--keep-within-daily) and its kin do. It never lets go of the newest good copy, of the newest that a drill
    brought back, of one dated in the future, or of one of another cluster.
  - Looks only. The job itself carries the policy out after each backup. With more than half of the copies to remove, two months to empty, or a failed
    last backup it waits for a word.
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres.backups
author:
  - Resto Golive (@resto-golive)
options:
  days:
    description: For how many days there is a daily, a weekly and a monthly copy. Variable C(postgres_retention_days).
    type: list
    elements: int
    default: [7, 30, 90]
  hourly_hours:
    description: For how many hours there is an hourly copy. Variable C(postgres_retention_hourly_hours).
    type: int
    default: 24
  zone:
    description: Time zone whose days, weeks and months they are, an IANA name. Variable C(postgres_retention_zone).
    type: str
    default: UTC
  engine:
    description:
      - What makes the backups. Variable C(postgres_backups_engine).
      - With V(pgbackrest), its own settings must keep at least as much, and its repository must have the backups.
      - With V(external) and V(managed), the copies that O(report) lists are held against the policy. A list that does not reach back far enough is no proof.
    type: str
    choices: [dump, pgbackrest, external, managed]
    default: dump
"""

EXAMPLES = r"""
- name: See what is kept, what goes, and why
  resto.golive.backup_retention:
    days: [7, 30, 90]
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(postgres.retention), with everything that was looked at as its evidence.
      type: list
      elements: dict
      sample:
        - item: postgres.retention
          check: backup_retention
          target: {kind: host, name: db1}
          status: pass
          reason: {code: backup_retention.policy_same, params: {have: 7/30/90, wanted: 7/30/90}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_retention import BackupRetention
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(BackupRetention)


if __name__ == "__main__":
    main()
