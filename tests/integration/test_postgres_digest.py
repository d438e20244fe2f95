# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash of a table's content, of every kind of value, by a real server: it differs where pg_dump would write something else, and nowhere else.

Two schemas, ``here`` and ``there``, have the same tables. The other opinion on whether two tables differ is COPY's, whose lines are what pg_dump writes.
"""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from psycopg import sql

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import digest, manifest

from .postgres_server import Cluster, binaries, cluster

#: name: (columns, rows here, rows there). What the two differ in is what a type's own equality, or a careless sum of hashes, does not see.
DIFFERENT = {
    "bool": ("v bool", "(true)", "(false)"),
    "int2": ("v int2", "(1)", "(-1)"),
    "int4": ("v int", "(0)", "(-1)"),
    "int8 halves": ("v int8", "(1)", "(4294967296)"),
    "int8 halves, negative": ("v int8", "(-1)", "(-4294967296)"),
    "oid": ("v oid", "(1)", "(4294967295)"),
    "uuid": ("v uuid", "('00000000-0000-0000-0000-000000000001')", "('00000000-0000-0000-0000-000000000100')"),
    "numeric scale": ("v numeric", "(1.0)", "(1.00)"),
    "numeric sign": ("v numeric", "(1)", "(-1)"),
    "float8 zero": ("v float8", "('0')", "('-0')"),
    "float8 last digit": ("v float8", "(0.1)", "(0.10000000000000002)"),
    "float4 last digit": ("v float4", "(0.1)", "(0.10000001)"),
    "text case": ("v text", "('a')", "('A')"),
    "text blanks": ("v text", "('a')", "('a ')"),
    "varchar": ("v varchar(9)", "('a')", "('b')"),
    "char without a length": ("v bpchar", "('a')", "('a ')"),
    "char within a domain": ("v loose", "('a')", "('a ')"),
    "citext": ("v citext", "('a')", "('A')"),
    "a collation that ignores case": ("v text collate caseless", "('a')", "('A')"),
    "a domain with that collation": ("v caseless_text", "('a')", "('A')"),
    "name": ("v name", "('a')", "('A')"),
    "text null": ("v text", "(null)", "('')"),
    "int4 null": ("v int", "(null)", "(0)"),
    "int8 null": ("v int8", "(null)", "(0)"),
    "bytea null": ("v bytea", "(null)", "('')"),
    "jsonb null": ("v jsonb", "(null)", "('null')"),
    "citext null": ("v citext", "(null)", "('')"),
    "a record of nothing": ("v pair", "(null)", "(row(null, null))"),
    "date": ("v date", "('infinity')", "('-infinity')"),
    "time": ("v time", "('00:00')", "('24:00')"),
    "timetz": ("v timetz", "('10:00+00')", "('12:00+02')"),
    "timestamp": ("v timestamp", "('2026-01-01 00:00:00.000001')", "('2026-01-01 00:00:00.000002')"),
    "timestamptz halves": ("v timestamptz", "('2000-01-01 00:00:00.000001+00')", "('2000-01-01 01:11:34.967296+00')"),
    "interval": ("v interval", "('1 month')", "('30 days')"),
    "bytea": ("v bytea", "('\\x00')", "('\\x0000')"),
    "json": ("v json", "('{\"a\": 1}')", "('{\"a\":1}')"),
    "jsonb scale": ("v jsonb", "('{\"a\": 1.0}')", "('{\"a\": 1.00}')"),
    "jsonb sign": ("v jsonb", "('{\"a\": 1}')", "('{\"a\": -1}')"),
    "xml": ("v xml", "('<a/>')", "('<a></a>')"),
    "array bounds": ("v int[]", "('{1,2}')", "('[0:1]={1,2}')"),
    "array null": ("v text[]", "('{NULL}')", "('{\"NULL\"}')"),
    "array of numeric": ("v numeric[]", "('{1.0}')", "('{1.00}')"),
    "enum": ("v mood", "('calm')", "('busy')"),
    "record": ("v pair", "(row(1, '1.0'))", "(row(1, '1.00'))"),
    "range": ("v int4range", "('[1,2)')", "('[1,3)')"),
    "point": ("v point", "('(0,0)')", "('(-0,0)')"),
    "tsvector": ("v tsvector", "('a:1')", "('a:2')"),
    "inet": ("v inet", "('10.0.0.1/8')", "('10.0.0.1/9')"),
    "bit": ("v bit(2)", "('01')", "('10')"),
    "money": ("v money", "(1)", "(-1)"),
    '"char"': ('v "char"', "('a')", "('b')"),
    "two texts swapped": ("v text, w text", "('a', 'b')", "('b', 'a')"),
    "two numbers swapped": ("v int8, w int8", "(1, 2)", "(2, 1)"),
    "two nulls swapped": ("v text, w text", "(null, '')", "('', null)"),
    "two others swapped": ("v citext, w citext", "('a', 'b')", "('b', 'a')"),
    "moved over a border": ("v text, w text", "('ab', 'c')", "('a', 'bc')"),
    "others moved over a border": ("v citext, w citext", "('ab', 'c')", "('a', 'bc')"),
    "the same twice": ("v text, w text", "('a', 'a')", "('b', 'b')"),
    "the same number twice": ("v int8, w int8", "(1, 1)", "(2, 2)"),
    "two bytes null": ("v bytea, w bytea", "(null, null)", "('', '')"),
    "one column swapped between rows": ("v int, w text", "(1, 'a'), (2, 'b')", "(1, 'b'), (2, 'a')"),
    "another row twice": ("v int", "(1), (1), (2)", "(1), (2), (2)"),
    # Laid over each other in any way that loses bits, so many hashes have none left that says anything.
    "one column of many": (", ".join(f"c{n} int" for n in range(100)), f"({', '.join(['1'] * 100)})", f"({', '.join(['1'] * 99)}, 2)"),
}

#: name: (definition here, rows here, definition there, rows there). Nothing that pg_dump would write differs.
SAME = {
    "order of rows": ("(v int, w text)", "(1, 'a'), (2, 'b')", "(v int, w text)", "(2, 'b'), (1, 'a')"),
    "order of columns": ("(v citext, w xml, x int)", "('a', 'b', 1)", "(x int, w xml, v citext)", "(1, 'b', 'a')"),
    "a user's own types": ("(v mood, w pair, x mood[])", "('calm', row(1, 2), '{busy}')", "(v mood, w pair, x mood[])", "('calm', row(1, 2), '{busy}')"),
    "no columns": ("()", "", "()", ""),
}

#: Names that would break a careless query.
NAMED = '(golive_row int, "named" text, "%s {0} {column} ""quoted""" text, "select" int generated always as (golive_row * 2) stored)'


def types(schema: str, *, first: bool) -> tuple[str, ...]:
    """Return what makes a user's own types, whose numbers inside the server are others in the other schema."""
    made = [f"create type {schema}.mood as enum ('calm', 'busy')", f"create type {schema}.pair as (a int, b numeric)"]
    own = (f"create domain {schema}.loose as bpchar", f"create domain {schema}.caseless_text as text collate public.caseless")
    return (f"create schema {schema}", *(made if first else reversed(made)), *own)


@pytest.fixture(scope="module")
def server() -> t.Iterator[Cluster]:
    with cluster() as made:
        made.sql("create database kinds")
        made.sql(
            "create extension citext",
            "create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            *types("here", first=True),
            *types("there", first=False),
            database="kinds",
        )
        for side, schema in enumerate(("here", "there")):
            with made.connect("kinds") as session:
                session.execute(f"set search_path to {schema}, public".encode())
                for name, (columns, *rows) in DIFFERENT.items():
                    session.execute(table(name, f"({columns})", rows[side]).encode())
                for name, each in SAME.items():
                    session.execute(table(name, *each[2 * side : 2 * side + 2]).encode())
        yield made


def table(name: str, definition: str, rows: str) -> str:
    return f"create table {named(name)} {definition}; insert into {named(name)} {f'values {rows}' if rows else 'default values'}"


def named(name: str) -> str:
    """Return a table's name, quoted, and never a type's: a table is a type too."""
    return '"of {}"'.format(name.replace('"', ""))


def read(server: Cluster, database: str = "kinds") -> dict[str, str]:
    with server.connect(database) as session:
        manifest.pin(session)
        return {name: found["hash"] for name, found in manifest.content(session).items()}


@pytest.fixture(scope="module")
def found(server: Cluster) -> dict[str, str]:
    return read(server)


def alike(found: dict[str, str], names: t.Iterable[str]) -> set[str]:
    return {name for name in names if found["here." + named(name).strip('"')] == found["there." + named(name).strip('"')]}


def test_no_two_values_that_pg_dump_tells_apart_have_one_hash(server: Cluster, found: dict[str, str]) -> None:
    def lines(schema: str, name: str) -> list[bytes]:
        with server.connect("kinds") as session, session.cursor().copy(f"copy {schema}.{named(name)} to stdout".encode()) as copy:
            return sorted(bytes(line) for line in copy)

    for name in DIFFERENT:
        assert lines("here", name) != lines("there", name), f"{name}: not different, so the test shows nothing"
    assert alike(found, DIFFERENT) == set()


def test_what_a_restore_may_change_changes_no_hash(found: dict[str, str]) -> None:
    assert alike(found, SAME) == set(SAME)


def test_every_kind_comes_back_from_a_dump_with_its_hash(server: Cluster) -> None:
    """A table that inherits comes back with its columns in another order, a dropped column not at all."""
    server.sql(
        f"create table named {NAMED}",
        "insert into named values (1, 'a', 'b'), (2, null, '')",
        "create table parent (a citext)",
        "create table child (b citext, a citext)",
        "alter table child inherit parent",
        "alter table parent add column c citext",
        "insert into child values ('b', 'a', 'c')",
        "create table gone (a int, b int)",
        "insert into gone values (1, 2)",
        "alter table gone drop column a",
        "create table wide ({})".format(", ".join(f"c{number} int" for number in range(1600))),
        "insert into wide default values",
        database="kinds",
    )
    dump = server.home / "kinds.dump"
    where = ["-h", server.sockets, "-U", "postgres"]
    server.run("pg_dump", *where, "-Fc", "-f", dump, "kinds")
    server.sql("create database back template template0")
    subprocess.run([binaries() / "pg_restore", *where, "--exit-on-error", "-d", "back", dump], check=True)
    before = read(server)
    assert read(server, "back") == before
    assert len(before) == 2 * len(DIFFERENT) + 2 * len(SAME) + 5


def test_what_is_cast_to_text_has_no_other_cast_than_its_output(server: Cluster) -> None:
    names = ", ".join(f"'{name}'::regtype" for name in digest.WRITTEN)
    assert server.value(f"select count(*) from pg_cast where casttarget = 'text'::regtype and castsource in ({names})") == 0


def test_the_hash_of_a_table_is_the_exact_sum_of_its_rows_whoever_adds_them_up(server: Cluster) -> None:
    """Ours is added up in the server, also by several workers and beyond 64 bits; theirs is a plain sum of every row's own hash."""
    server.sql("create database many")
    server.sql("create table many as select i, md5(i::text) as word, i / 3.0 as part from generate_series(1, 5000) i", database="many")
    try:
        with server.connect("many") as session:
            manifest.pin(session)
            own = digest.of_row((("i", "int4"), ("part", "numeric"), ("word", "text")))
            each = [one["hash"] for one in manifest.rows(session, sql.SQL("select {} as hash from public.many").format(own))]
            alone = manifest.content(session)["public.many"]
            for name in ("min_parallel_table_scan_size", "parallel_setup_cost", "parallel_tuple_cost"):
                session.execute(f"set {name} to 0".encode())
            together = manifest.content(session)["public.many"]
    finally:
        server.sql("drop database many")
    assert abs(sum(each)) > 1 << 63, "the sum would fit into a bigint: the test shows nothing"
    assert (alone["rows"], alone["hash"]) == (together["rows"], together["hash"]) == (5000, str(sum(each)))
