# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what a database holds, taken inside the dump's own snapshot and taken again on the restored copy. They must be equal.

A count taken outside the snapshot is off by whatever was written meanwhile, and a comparison with a tolerance misses exactly that much.
"""

from __future__ import annotations

import hashlib
import typing as t

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from . import digest, files, programs

Json = t.Any
Connection = psycopg.Connection[t.Any]

#: How values are written as text, whatever the server's configuration says: hashes of content rest on it. ``row_security=off`` makes a query that
#: a policy would cut short fail instead. ``jit=off``: to compile a query that sums up one column takes longer than it saves.
PINNED = (
    ("timezone", "UTC"),
    ("datestyle", "ISO, MDY"),
    ("intervalstyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmlbinary", "base64"),
    ("row_security", "off"),
    ("search_path", "pg_catalog"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("jit", "off"),
)

#: The same, where the server is of this version or newer: (first version, name, value).
PINNED_SINCE = ((170000, "transaction_timeout", "0"),)

#: Tables whose rows pg_dump writes out: not those of an extension, which CREATE EXTENSION brings. Columns by name: a table that inherits may come back with
#: another order of them. The type stands beside it where it is PostgreSQL's own.
TABLES = """
select n.nspname as schema, c.relname as name, pg_table_size(c.oid) as bytes, c.relrowsecurity as row_security, array(
    select array[a.attname::text, case when y.typnamespace = 'pg_catalog'::regnamespace then y.typname::text else '' end]
    from pg_attribute a join pg_type y on y.oid = a.atttypid where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attname
  ) as columns
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
  and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 1, 2
"""

SEQUENCES = """
select schemaname as schema, sequencename as name, last_value, increment_by from pg_sequences
where schemaname not like 'pg\\_%' order by 1, 2
"""

#: Columns that a sequence fills, for "the next number is free" on the copy.
OWNED = """
select n.nspname as schema, s.relname as name, tn.nspname as table_schema, tc.relname as table_name, a.attname as column_name
from pg_depend d
join pg_class s on s.oid = d.objid and s.relkind = 'S' join pg_namespace n on n.oid = s.relnamespace
join pg_class tc on tc.oid = d.refobjid join pg_namespace tn on tn.oid = tc.relnamespace
join pg_attribute a on a.attrelid = tc.oid and a.attnum = d.refobjsubid
where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
order by 1, 2
"""

OBJECTS = """
with ours as (select oid from pg_namespace where nspname not like 'pg\\_%' and nspname <> 'information_schema')
select
  (select count(*) from pg_class where relkind in ('r', 'p') and relnamespace in (select oid from ours)) as tables,
  (select count(*) from pg_class where relkind in ('i', 'I') and relnamespace in (select oid from ours)) as indexes,
  (select count(*) from pg_class where relkind = 'S' and relnamespace in (select oid from ours)) as sequences,
  (select count(*) from pg_class where relkind in ('v', 'm') and relnamespace in (select oid from ours)) as views,
  (select count(*) from pg_constraint where connamespace in (select oid from ours)) as constraints,
  (select count(*) from pg_proc where pronamespace in (select oid from ours)) as functions,
  (select count(*) from pg_policy) as policies,
  (select count(*) from pg_trigger where not tgisinternal) as triggers,
  (select count(*) from pg_largeobject_metadata) as large_objects
"""

DATABASE = """
select datname as name, pg_get_userbyid(datdba) as owner, pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype,
  to_jsonb(d) ->> 'datlocprovider' as provider, coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as icu_locale,
  to_jsonb(d) ->> 'datcollversion' as collation_version, pg_database_size(oid) as bytes
from pg_database d where datname = current_database()
"""

#: What a user's roles are: those that the server itself brings cannot be missing.
ROLES = "select rolname as name from pg_roles where rolname not like 'pg\\_%' order by 1"


def pin(connection: Connection) -> None:
    """Make the session write values as every other session of ours does."""
    newer = ((name, value) for since, name, value in PINNED_SINCE if connection.info.server_version >= since)
    for name, value in (*PINNED, *newer):
        connection.execute("select set_config(%s, %s, false)", (name, value))


def rows(connection: Connection, query: t.Any, parameters: t.Any = None) -> list[dict[str, Json]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def row(connection: Connection, query: t.Any) -> dict[str, Json]:
    return rows(connection, query)[0]


def what_it_is(connection: Connection) -> dict[str, Json]:
    """Return everything but the content: database, extensions, roles, sequences, counts of objects. Milliseconds."""
    database = row(connection, DATABASE)
    return {
        "schema": files.SCHEMA,
        "system_identifier": str(row(connection, "select system_identifier from pg_control_system()")["system_identifier"]),
        "server_version": int(row(connection, "select current_setting('server_version_num') as v")["v"]),
        "data_checksums": row(connection, "select current_setting('data_checksums') as v")["v"] == "on",
        "database": database,
        "restored_bytes": int(database["bytes"]),
        "extensions": {one["name"]: one["version"] for one in rows(connection, "select extname as name, extversion as version from pg_extension order by 1")},
        "roles": [one["name"] for one in rows(connection, ROLES)],
        "objects": row(connection, OBJECTS),
        # Sequences stand outside of snapshots: read before the dump begins, they can only have moved on in it.
        "sequences": {f"{one['schema']}.{one['name']}": one["last_value"] if one["increment_by"] > 0 else None for one in rows(connection, SEQUENCES)},
    }


def content(connection: Connection) -> dict[str, dict[str, Json]]:
    """Return rows and a hash of each table, in one scan each. The hash is a sum, so the order of the rows does not matter; sums of bigint do not overflow."""
    found = {}
    for table in rows(connection, TABLES):
        query = sql.SQL("select count(*) as rows, coalesce(sum({}), 0)::text as hash from only {}").format(
            digest.of_row(table["columns"]), sql.Identifier(table["schema"], table["name"])
        )
        counted = rows(connection, query)[0]
        found[f"{table['schema']}.{table['name']}"] = {**counted, "bytes": int(table["bytes"]), "row_security": table["row_security"]}
    return found


def asked(connection: Connection, invariants: t.Mapping[str, str], backup_at: str) -> dict[str, Json]:
    """Return the answers to the user's own questions, as lists of texts. ``{backup_at}`` is bound to the moment of the snapshot, on both sides.

    One that fails answers ``{"error": its SQLSTATE and words}``, and the others are still asked.
    """
    found: dict[str, Json] = {}
    for name, question in invariants.items():
        try:
            with connection.transaction():  # a savepoint: a bad question must not spoil the snapshot
                connection.execute("set local search_path to public, pg_catalog")
                query = question.replace("%", "%%").replace("{backup_at}", "%(backup_at)s::timestamptz")
                answer = connection.execute(query.encode(), {"backup_at": backup_at}).fetchall()
                connection.execute("set local search_path to pg_catalog")  # it outlives the savepoint
        except psycopg.Error as problem:
            found[name] = {"error": f"{problem.sqlstate}: {problem}".splitlines()[0]}
        else:
            found[name] = [[None if value is None else str(value) for value in line] for line in answer]
    return found


def schema_lines(dump: str) -> list[str]:
    """Return what ``pg_dump --schema-only`` said, without what differs from one run to the next, sorted: objects may come in another order."""
    kept = (line.rstrip() for line in dump.splitlines() if not line.startswith(("--", "\\restrict", "\\unrestrict")))
    return sorted(line for line in kept if line)


def schema_hash(dump: str) -> str:
    return hashlib.sha256("\n".join(schema_lines(dump)).encode()).hexdigest()


def free_numbers(connection: Connection) -> list[str]:
    """Return the sequences whose next number is taken already, as ``schema.sequence``."""
    taken = []
    for owned in rows(connection, OWNED):
        sequence = sql.Identifier(owned["schema"], owned["name"])
        query = sql.SQL("select (select max({column})::numeric from {table}) > (select last_value from {sequence}) as taken").format(
            column=sql.Identifier(owned["column_name"]), table=sql.Identifier(owned["table_schema"], owned["table_name"]), sequence=sequence
        )
        if rows(connection, query)[0]["taken"]:
            taken.append(f"{owned['schema']}.{owned['name']}")
    return taken


def differences(wanted: t.Mapping[str, Json], found: t.Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return where the copy *found* is not what the manifest *wanted*, each as ``{code, name, wanted, found}``. Exact, without a tolerance.

    Raises :class:`programs.Failed` where another version of this program wrote the manifest: its hashes mean something else.
    """
    if wanted.get("schema") != found["schema"]:
        raise programs.Failed("verify", f"the manifest's format is {wanted.get('schema')}, and {found['schema']} is what can be compared: make another backup")
    told: list[dict[str, Json]] = []

    def tell(code: str, name: str, before: Json, after: Json) -> None:
        told.append({"code": code, "name": name, "wanted": before, "found": after})

    for name, table in wanted["tables"].items():
        there = found["tables"].get(name)
        if there is None:
            tell("table_missing", name, table["rows"], None)
        elif there["rows"] != table["rows"]:
            tell("partial_by_rls" if table["row_security"] and there["rows"] < table["rows"] else "rows_differ", name, table["rows"], there["rows"])
        elif there["hash"] != table["hash"]:
            tell("content_differs", name, table["hash"], there["hash"])
    for name in sorted(set(found["tables"]) - set(wanted["tables"])):
        tell("table_extra", name, None, found["tables"][name]["rows"])
    for name, value in wanted["sequences"].items():
        there = found["sequences"].get(name)
        if value is not None and (there is None or there < value):
            tell("sequence_behind", name, value, there)
    for code, key in (("extension_differs", "extensions"), ("objects_differ", "objects")):
        for name in sorted(set(wanted[key]) | set(found[key])):
            if wanted[key].get(name) != found[key].get(name):
                tell(code, name, wanted[key].get(name), found[key].get(name))
    for name in sorted(set(wanted["roles"]) - set(found["roles"])):
        tell("role_missing", name, name, None)
    for name, answer in wanted["invariants"].items():
        if found["invariants"].get(name) != answer:
            tell("invariant_differs", name, answer, found["invariants"].get(name))
    for key in ("encoding", "collate", "ctype", "provider", "icu_locale"):
        if wanted["database"].get(key) != found["database"].get(key):
            tell("locale_differs", key, wanted["database"].get(key), found["database"].get(key))
    return told
