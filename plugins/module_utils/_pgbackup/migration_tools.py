# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migration tools as a database knows them: each by its table and the columns that tell it from others, with what it has applied and what broke.

The check ``postgres_migrations`` and the rehearsal come in. Three tools share ``schema_migrations``, two share ``migrations``: their columns tell them apart.
"""

from __future__ import annotations

import dataclasses
import typing as t

Json = t.Any
Rows = list[dict[str, Json]]
#: A code and its parameters.
Trouble = tuple[str, dict[str, Json]]


@dataclasses.dataclass(frozen=True)
class State:
    """``applied``: ids, or with ``position`` only where the database stands. ``checksums``: by id, where the tool keeps them."""

    applied: tuple[str, ...]
    troubles: tuple[Trouble, ...] = ()
    checksums: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Tool:
    """``columns`` must be there, ``absent`` must not; ``beside`` is another table that must (or, with a leading ``-``, must not) stand in the same schema."""

    name: str
    table: str
    columns: frozenset[str]
    query: str
    read: t.Callable[[Rows], State]
    absent: frozenset[str] = frozenset()
    beside: str = ""
    #: Rows of a second table, if it is there: the tool's lock, or what it knows of the environment.
    second: str = ""
    judge_second: t.Callable[[Rows], list[Trouble]] = lambda rows: []
    #: The table names only where the database stands; all that leads there is applied.
    position: bool = False
    #: What the tool itself refuses: rows whose file is gone. Others take them for somebody else's (Django's own apps, a squashed history).
    knows_all: bool = True


def _ids(column: str) -> t.Callable[[Rows], State]:
    return lambda rows: State(tuple(str(row[column]) for row in rows))


def _golang(rows: Rows) -> State:
    troubles: list[Trouble] = [("dirty", {"id": str(row["version"])}) for row in rows if row["dirty"]]
    return State(tuple(str(row["version"]) for row in rows), tuple(troubles))


def _flyway(rows: Rows) -> State:
    troubles: list[Trouble] = [("failed_half", {"id": str(row["version"] or row["script"])}) for row in rows if not row["success"]]
    versioned = [row for row in rows if row["version"] and row["success"]]
    checksums = {str(row["version"]): str(row["checksum"]) for row in versioned if row["checksum"] is not None}
    return State(tuple(str(row["version"]) for row in versioned), tuple(troubles), checksums)


def _prisma(rows: Rows) -> State:
    open_ones = [row for row in rows if row["finished_at"] is None and row["rolled_back_at"] is None]
    done = [row for row in rows if row["finished_at"] is not None and row["rolled_back_at"] is None]
    troubles: list[Trouble] = [("failed_half", {"id": str(row["migration_name"])}) for row in open_ones]
    return State(tuple(str(row["migration_name"]) for row in done), tuple(troubles), {str(row["migration_name"]): str(row["checksum"]) for row in done})


def _alembic(rows: Rows) -> State:
    return State(tuple(str(row["version_num"]) for row in rows), () if rows else (("unstamped", {}),))


def _rails_environment(rows: Rows) -> list[Trouble]:
    """Rails refuses to drop what it knows to be production; a database that says otherwise is one ``db:schema:load`` from empty."""
    return [
        ("wrong_environment", {"environment": str(row["value"])}) for row in rows if row["key"] == "environment" and row["value"] in ("development", "test")
    ]


def _knex_lock(rows: Rows) -> list[Trouble]:
    return [("locked", {}) for row in rows if row["is_locked"]]


#: The first that fits is the one.
TOOLS: tuple[Tool, ...] = (
    Tool("alembic", "alembic_version", frozenset({"version_num"}), "select version_num from {table}", _alembic, position=True),
    Tool("django", "django_migrations", frozenset({"app", "name", "applied"}), "select app || '.' || name as id from {table}", _ids("id"), knows_all=False),
    Tool("golang-migrate", "schema_migrations", frozenset({"version", "dirty"}), "select version, dirty from {table}", _golang, position=True),
    Tool(
        "rails", "schema_migrations", frozenset({"version"}), "select version from {table}", _ids("version"), frozenset({"dirty", "inserted_at"}),
        "ar_internal_metadata", "select key, value from {second}", _rails_environment,
    ),
    Tool(
        "dbmate", "schema_migrations", frozenset({"version"}), "select version from {table}", _ids("version"), frozenset({"dirty", "inserted_at"}),
        "-ar_internal_metadata",
    ),
    Tool(
        "flyway", "flyway_schema_history", frozenset({"installed_rank", "version", "success", "checksum"}),
        "select version, script, success, checksum from {table} where type <> 'BASELINE' order by installed_rank", _flyway,
    ),
    Tool(
        "prisma", "_prisma_migrations", frozenset({"migration_name", "finished_at", "rolled_back_at", "checksum"}),
        "select migration_name, finished_at, rolled_back_at, checksum from {table} order by started_at", _prisma,
    ),
    Tool(
        "knex", "knex_migrations", frozenset({"name", "batch", "migration_time"}), "select name from {table} order by id", _ids("name"),
        beside="knex_migrations_lock", second="select is_locked from {second}", judge_second=_knex_lock,
    ),
    Tool(
        "laravel", "migrations", frozenset({"migration", "batch"}), "select migration from {table} order by id", _ids("migration"),
        frozenset({"timestamp"}), knows_all=False,
    ),
)  # fmt: skip

#: Tables of tools that are not read here: found alone, they are said by name instead of "none".
OTHERS = {
    "databasechangelog": "Liquibase",
    "_sqlx_migrations": "sqlx",
    "goose_db_version": "goose",
    "SequelizeMeta": "Sequelize",
    "__drizzle_migrations": "Drizzle",
    "doctrine_migration_versions": "Doctrine",
    "pgroll": "pgroll",
}

#: Every table of a name in question, with its columns.
TABLES = """
select n.nspname as schema, c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
 where c.relkind in ('r', 'p') and c.relname = any(%s) and n.nspname not in ('pg_catalog', 'information_schema') and a.attnum > 0 and not a.attisdropped
 group by n.nspname, c.relname order by 1, 2
"""

NAMES = sorted({tool.table for tool in TOOLS} | {tool.beside.lstrip("-") for tool in TOOLS if tool.beside} | set(OTHERS))


def detect(tables: t.Sequence[t.Mapping[str, Json]]) -> list[tuple[Tool, str]]:
    """Return the tools whose tables are there, each with their schema."""
    by_schema: dict[str, dict[str, frozenset[str]]] = {}
    for table in tables:
        by_schema.setdefault(str(table["schema"]), {})[str(table["name"])] = frozenset(table["columns"])
    found = []
    for schema, names in by_schema.items():
        taken: set[str] = set()
        for tool in TOOLS:
            if tool.table in taken or not _fits(tool, names):
                continue
            taken.add(tool.table)
            found.append((tool, schema))
    return found


def _fits(tool: Tool, names: t.Mapping[str, frozenset[str]]) -> bool:
    columns = names.get(tool.table)
    if columns is None or not tool.columns <= columns or tool.absent & columns:
        return False
    wanted, absent = tool.beside.lstrip("-"), tool.beside.startswith("-")
    return not wanted or (wanted in names) is not absent


def others(tables: t.Sequence[t.Mapping[str, Json]]) -> list[str]:
    """Return the names of tools that are there and not read here."""
    return sorted({OTHERS[str(table["name"])] for table in tables if str(table["name"]) in OTHERS})


class Unread(Exception):
    """The database says nothing that can be read; ``code`` and ``params`` say why."""

    def __init__(self, code: str, **params: Json) -> None:
        super().__init__(code)
        self.code, self.params = code, params


#: Rows of a query with its parameters, and of a table of the tool's: (statement with {table} or {second}, placeholder, schema, name).
Ask = t.Callable[[str, t.Sequence[Json]], Rows]
AskTable = t.Callable[[str, str, str, str], Rows]


def look(ask: Ask, ask_table: AskTable, wanted: str) -> dict[str, Json]:
    """Return what a database says of its migrations: of the *wanted* tool, or of the only one that is there. Raises :class:`Unread`."""
    tables = ask(TABLES, [NAMES])
    found = detect(tables)
    chosen = [one for one in found if one[0].name == wanted] or found
    if not chosen:
        strangers = ", ".join(others(tables))
        raise Unread("tool_unread" if strangers else "no_table", tools=strangers, wanted=wanted)
    if len(chosen) > 1:
        raise Unread("several", tables=", ".join(f"{schema}.{tool.table} ({tool.name})" for tool, schema in chosen))
    tool, schema = chosen[0]
    state = tool.read(ask_table(tool.query, "table", schema, tool.table))
    troubles = list(state.troubles)
    if tool.second:
        troubles += tool.judge_second(ask_table(tool.second, "second", schema, tool.beside))
    return {
        "tool": tool.name,
        "table": f"{schema}.{tool.table}",
        "applied": list(state.applied),
        "checksums": dict(state.checksums),
        "troubles": troubles,
        "position": tool.position,
        "knows_all": tool.knows_all,
    }


def applied(seen: t.Mapping[str, Json], carried: t.Mapping[str, t.Mapping[str, Json]]) -> set[str]:
    """Return the ids of the carried migrations that the database has. Where it only says where it stands, all that leads there."""
    if not seen["position"]:
        return set(seen["applied"])
    if seen["tool"] == "golang-migrate":
        reached = max((int(one) for one in seen["applied"]), default=-1)
        return {one for one in carried if int(one) <= reached}
    reached_ids: set[str] = set()
    todo = list(seen["applied"])
    while todo:
        one = todo.pop()
        if one not in reached_ids:
            reached_ids.add(one)
            todo += carried.get(one, {}).get("after", ())
    return reached_ids


def placed(seen: t.Mapping[str, Json], carried: t.Container[str]) -> bool:
    """Return whether it can be said which of the carried migrations the database has: Alembic notes one revision, and nothing leads there without its file."""
    return seen["tool"] != "alembic" or (bool(seen["applied"]) and all(one in carried for one in seen["applied"]))


def in_order(carried: t.Sequence[t.Mapping[str, Json]]) -> list[t.Mapping[str, Json]]:
    """Return the migrations in the order in which their tool runs them: as their files stand, what one follows first."""
    left, done = list(carried), set[str]()
    ordered: list[t.Mapping[str, Json]] = []
    known = {str(one["id"]) for one in carried}
    while left:
        ready = next((one for one in left if set(one["after"]) & known <= done), left[0])
        left.remove(ready)
        done.add(str(ready["id"]))
        ordered.append(ready)
    return ordered
