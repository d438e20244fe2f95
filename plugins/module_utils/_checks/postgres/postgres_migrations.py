# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.migrations``: the database has every migration that the release carries, none is half done, and what is still to run stops nobody.

Here: what is asked and what is seen. Tools as the database knows them: ``migration_tools``. How it is judged: ``migrations_rules``. What the release carries is
read on the control node (lookup ``resto.golive.migrations``). How long they really take and whom they block: ``migration_rehearsal``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _postgres
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import migration_tools, migrations_rules


class PostgresMigrations(Check):
    """One target: the database that the options name."""

    name = "postgres_migrations"
    items = ("postgres.migrations",)
    vantage = "postgres"
    runs_as = "postgres"
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **_postgres.CONNECTION,
        "files": {
            "type": "dict",
            "required": True,
            "example": "postgres_migrations_files: \"{{ lookup('resto.golive.migrations', golive_repository) }}\"   # what the release carries",
        },
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
    """Return what the database says of its migrations: of the *wanted* tool, or of the only one that is there."""
    from psycopg import sql

    tables = session.rows(migration_tools.TABLES, [migration_tools.NAMES])
    found = migration_tools.detect(tables)
    chosen = [one for one in found if one[0].name == wanted] or found
    if not chosen:
        strangers = ", ".join(migration_tools.others(tables))
        raise CannotKnow("postgres_migrations.tool_unread" if strangers else "postgres_migrations.no_table", tools=strangers, wanted=wanted)
    if len(chosen) > 1:
        raise CannotKnow("postgres_migrations.several", tables=", ".join(f"{schema}.{tool.table} ({tool.name})" for tool, schema in chosen))
    tool, schema = chosen[0]
    rows = session.rows(sql.SQL(t.cast("t.Any", tool.query)).format(table=sql.Identifier(schema, tool.table)))
    state = tool.read(rows)
    troubles = list(state.troubles)
    if tool.second:
        second = session.rows(sql.SQL(t.cast("t.Any", tool.second)).format(second=sql.Identifier(schema, tool.beside)))
        troubles += tool.judge_second(second)
    return {
        "tool": tool.name,
        "table": f"{schema}.{tool.table}",
        "applied": list(state.applied),
        "checksums": dict(state.checksums),
        "troubles": troubles,
        "position": tool.position,
        "knows_all": tool.knows_all,
    }
