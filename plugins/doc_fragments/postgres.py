# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of PostgreSQL have in common: the connection, the backups and the release's migrations."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  host:
    description: Directory of the server's socket, or its host. Variable C(postgres_host).
    type: str
    default: /var/run/postgresql
  port:
    description: Port of PostgreSQL. Variable C(postgres_port).
    type: int
    default: 5432
  database:
    description: The app's database. Variable C(postgres_database).
    type: str
    required: true
  user:
    description: Role to connect as. Variable C(postgres_user).
    type: str
    default: postgres
  password:
    description: Password. Variable C(postgres_password), whose value is a name in the secret store.
    type: str
"""

    BACKUPS = r"""
options:
  engine:
    description: What makes the backups. Variable C(postgres_backups_engine).
    type: str
    choices: [dump, pgbackrest, external, managed]
    default: dump
  report:
    description:
      - Where the list of backups is that somebody else makes, newest first or not. Variable C(postgres_backups_report). Needed with V(external) and V(managed).
      - C(command) (argument list, run as the user C(as), default C(nobody)) prints JSON; or C(http) (C("GET https://…")), with C(token), a name in the secret
        store, as a bearer token.
      - C(list), C(id), C(at), C(bytes), C(encrypted) and C(place) are JSON pointers. C(list) leads to the list (default the whole answer), the others start at
        an entry (default C(/id) and C(/at)). C(at) is RFC 3339 or seconds since the epoch. What is not declared is not known, and reads C(error).
    type: dict
"""

    MIGRATIONS = r"""
options:
  files:
    description:
      - What the release carries, as P(resto.golive.migrations#lookup) reads it from the repository on the control node.
      - Variable C(postgres_migrations_files).
    type: dict
    required: true
"""
