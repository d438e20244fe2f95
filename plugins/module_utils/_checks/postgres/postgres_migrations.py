# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.migrations``: the database has every migration that the release carries, none is half done, and what is still to run stops nobody.

Here: what is asked and what is seen. Tools as the database knows them: ``_pgbackup/migration_tools``. How it is judged: ``migrations_rules``. What the
release carries is read on the control node (lookup ``resto.golive.migrations``). How long they really take and whom they block: ``migration_rehearsal``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _postgres
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import migrations_rules
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import migration_tools

FILES: dict[str, t.Any] = {
    "type": "dict",
    "required": True,
    "example": "postgres_migrations_files: \"{{ lookup('resto.golive.migrations', golive_repository) }}\"   # what the release carries",
}


class PostgresMigrations(Check):
    """One target: the database that the options name."""

    name = "postgres_migrations"
    items = ("postgres.migrations",)
    vantage = "postgres"
    runs_as = "postgres"
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **_postgres.CONNECTION,
        "files": FILES,
        "squawk_excluded": {
            "type": "list",
            "elements": "str",
            "default": [],
            "example": "postgres_migrations_squawk_excluded: [require-lock-timeout]   # the tool sets it for all of them",
        },
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        files = ctx.options["files"]
        if not files.get("tool") or not files.get("migrations"):
            raise CannotKnow("postgres_migrations.files_empty")
        with _postgres.connect(ctx.options, ctx.secrets, application="golive-migrations") as session:
            return look(session, files["tool"])

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return migrations_rules.judge(seen, options)


def look(session: _postgres.Session, wanted: str) -> dict[str, Json]:
    """Return what the database says of its migrations. Raises :class:`CannotKnow`."""
    from psycopg import sql

    def ask_table(query: str, placeholder: str, schema: str, name: str) -> migration_tools.Rows:
        return session.rows(sql.SQL(t.cast("t.Any", query)).format(**{placeholder: sql.Identifier(schema, name)}))

    try:
        return migration_tools.look(session.rows, ask_table, wanted)
    except migration_tools.Unread as problem:
        raise CannotKnow(f"postgres_migrations.{problem.code}", **problem.params) from None
