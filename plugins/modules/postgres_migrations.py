#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``postgres_migrations``: the database has what the release carries, and nothing is half done."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_migrations
short_description: Prove that the database has every migration of the release, none half done, and that the next ones stop nobody
version_added: 0.1.0
description:
  - Knows Alembic, Django, Rails, dbmate, golang-migrate, Flyway, Prisma, Knex and Laravel by their tables, told apart by columns where they share a name, and
    reads what each has applied and what it wrote down as broken.
  - Holds that against what the release carries (O(files)), and says what is pending, what the release does not know, and what was changed after it ran.
  - Pending SQL must be without grave findings of squawk, the linter. Findings about locks and about breaking the release that still runs are grave.
  - Reads in a read-only session, and runs nothing.
requirements:
  - psycopg >= 3.1 (Debian package C(python3-psycopg))
extends_documentation_fragment:
  - resto.golive.check
  - resto.golive.postgres
  - resto.golive.postgres.migrations
author:
  - Resto Golive (@resto-golive)
options:
  user:
    description: Role to connect as. It must be able to read the tool's table. Variable C(postgres_user).
  squawk_excluded:
    description: Rules of squawk that do not count, such as timeouts that the tool sets by itself. Variable C(postgres_migrations_squawk_excluded).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See whether the database has what the release carries
  resto.golive.postgres_migrations:
    database: comanda
    files: "{{ lookup('resto.golive.migrations', '~/src/comanda') }}"
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
          check: postgres_migrations
          target: {kind: host, name: db1}
          status: pass
          reason: {code: postgres_migrations.tool_same, params: {tool: alembic, table: public.alembic_version}}
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_migrations import PostgresMigrations
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(PostgresMigrations)


if __name__ == "__main__":
    main()
