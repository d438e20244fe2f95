#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``restore_drill``: the data comes back, exact, in a measured time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_drill
short_description: Restore the newest backup of Postgres in a cage and prove that the data is all there
version_added: 0.1.0
description:
  - Fetches the newest backup from the second place, checks every file's SHA-256, makes a cluster of its own in a folder of its own, restores into it, and
    compares rows, content, schema, sequences, roles, extensions and the answers to your own questions with the manifest, exactly. Runs C(pg_amcheck).
  - Measures what would be lost (RPO) and how long it takes (RTO), phase by phase, and removes everything again.
  - The copy runs under C(systemd-run) as a user without rights, without a network, with low priority and a memory cap, and listens on a socket of its own only.
    The live cluster is asked for nothing.
  - Could not be done is C(error), never a pass. A full disk, another drill, a running backup or a missing server version stops it before it begins.
requirements:
  - The backup job of the role C(resto.golive.postgres)
  - systemd
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres.backups
author:
  - Resto Golive (@resto-golive)
options:
  scratch:
    description: Folder under which the copy is made and removed. Variable C(postgres_restore_scratch).
    type: str
    default: /var/lib/golive
  rto_minutes:
    description: In how many minutes the data must be back. Variable C(postgres_restore_rto_minutes).
    type: float
    default: 120.0
  rpo_minutes:
    description:
      - How many minutes of orders may be lost. A fifth more is the time that a backup takes; beyond that it warns, and twice this fails.
      - Variable C(postgres_backups_rpo_minutes). Default 60, with V(pgbackrest) 15.
    type: float
  settings:
    description:
      - V(tuned) restores without durability, as the runbook does. V(production) is durable, with PostgreSQL's own defaults, whose time is several times as
        long. Neither is what C(postgresql.conf) of the live server says.
      - Variable C(postgres_restore_settings).
    type: str
    choices: [tuned, production]
    default: tuned
  jobs:
    description: How many tables are restored at once. Variable C(postgres_restore_jobs).
    type: int
    default: 2
  invariants:
    description:
      - Questions, each one select, whose answers must be the same on the copy as they were in the backup's snapshot. C({backup_at}) is that moment.
      - Variable C(postgres_restore_invariants).
    type: dict
    default: {}
  engine:
    description:
      - What makes the backups. Variable C(postgres_backups_engine). Copies of V(dump) and V(pgbackrest) are compared with their manifest, exactly; with
        V(pgbackrest) as of the manifest's moment, and then recovered to the last archived commit.
      - V(external) and V(managed) keep no manifest. Their copy must come back without an error, be sound, and answer at least one question of O(invariants).
  report:
    description: The list of backups, as in M(resto.golive.postgres_backup). Variable C(postgres_backups_report). Needed with V(external) and V(managed).
  command:
    description:
      - Argument list that brings the backup C({id}) into the empty folder C({target}), as a dump (any format; roles in C(globals.sql)) or as a data directory.
      - Variable C(postgres_restore_command). Needed with V(external) and V(managed).
    type: list
    elements: str
  command_as:
    description: OS user that the command runs as. Variable C(postgres_restore_command_as).
    type: str
    default: nobody
"""

EXAMPLES = r"""
- name: Rehearse the restore
  resto.golive.restore_drill:
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(postgres.restore).
      type: list
      elements: dict
      sample:
        - item: postgres.restore
          check: restore_drill
          target: {kind: host, name: db1}
          status: pass
          reason: {code: restore_drill.proven, params: {id: 20261124T142241Z-68f5db25, tables: 12, rows: 3400, invariants: 2}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.restore_drill import RestoreDrill
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(RestoreDrill)


if __name__ == "__main__":
    main()
