#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``migration_rehearsal``: migrations are tried on a copy before they are run on the real thing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_rehearsal
short_description: Try the migrations on a restored copy, and see whom they block and whether the way back leads back
version_added: 0.1.0
description:
  - Restores the newest backup (with C(dump) the local one, with C(pgbackrest) that of the repository, to the last commit) into a cluster of its own, without
    a network, run by a user without rights, and takes what is pending there up, back and up again. With nothing pending, the newest migration goes back and
    up again.
  - Meanwhile one session watches locks and statements, and two want every table again and again, as readers and as writers do. What they wait is what
    guests would have waited.
  - Tells the time of each statement, locks that keep somebody out, tables that were rewritten, WAL, the disk's peak, and what the way back left
    behind or lost.
  - Never connects to the live cluster. The copy goes again, also one that a killed run left.
  - Impact C(active); runs in staging, and prod takes staging's evidence.
requirements:
  - the backup job that the role C(resto.golive.postgres) installs, with a backup
  - systemd, and the server's programs of the backup's major version
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres.migrations
author:
  - Resto Golive (@resto-golive)
options:
  engine:
    description:
      - What makes the backups. Variable C(postgres_backups_engine).
      - Backups of V(external) and V(managed) cannot be rehearsed on.
    type: str
    choices: [dump, pgbackrest, external, managed]
    default: dump
  scratch:
    description: Directory for the copy, with room for two and a half times the database. Variable C(postgres_migrations_scratch).
    type: str
    default: /var/lib/golive
  command:
    description:
      - The app's own command that applies what is pending, on this host. Variable C(postgres_migrations_command).
      - Needed where migrations are no SQL that can be read (Django, Rails, Knex, Laravel, most of Alembic). It runs in the cage, with the copy's address in
        O(command_variable), what isolates its sessions in C(PGOPTIONS), and nothing else of ours in its environment.
    type: list
    elements: str
  command_down:
    description: The command that takes the newest migration back. Variable C(postgres_migrations_command_down).
    type: list
    elements: str
  command_variable:
    description: Environment variable that the app reads its database's address from. Variable C(postgres_migrations_command_variable).
    type: str
    default: DATABASE_URL
  blocked_s:
    description: For how many seconds a reader or a writer may be kept waiting. Variable C(postgres_migrations_blocked_s).
    type: float
    default: 1.0
  total_s:
    description: How many seconds a migration may take. Variable C(postgres_migrations_total_s).
    type: float
    default: 300.0
  rewrite_mb:
    description: How large a table may be that a migration rewrites, in MB. Variable C(postgres_migrations_rewrite_mb).
    type: float
    default: 100.0
"""

EXAMPLES = r"""
- name: Rehearse what is still to run
  resto.golive.migration_rehearsal:
    files: "{{ lookup('resto.golive.migrations', '~/src/comanda') }}"

- name: Rehearse with the app's own command
  resto.golive.migration_rehearsal:
    files: "{{ lookup('resto.golive.migrations', '~/src/shop') }}"
    command: [/srv/shop/current/manage.py, migrate]
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(postgres.migrations), with everything that was looked at as its evidence.
      type: list
      elements: dict
      sample:
        - item: postgres.migrations
          check: migration_rehearsal
          target: {kind: host, name: db1}
          status: pass
          reason: {code: migration_rehearsal.writers_pass, params: {id: "0008", seconds: 0.02, limit: 1.0}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.migration_rehearsal import MigrationRehearsal
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(MigrationRehearsal)


if __name__ == "__main__":
    main()
