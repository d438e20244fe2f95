# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations tried on a real PostgreSQL: whom they block, what they rewrite, and whether the way back leads back."""

from __future__ import annotations

import pathlib
import typing as t

import psycopg
import pytest

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import rehearsal
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.rehearsal import Step

from .postgres_server import Cluster, binaries, cluster


@pytest.fixture(scope="module")
def server() -> t.Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def copy(server: Cluster) -> t.Iterator[t.Callable[[], psycopg.Connection[t.Any]]]:
    server.sql("drop database if exists copy", "create database copy")
    server.sql(
        "create table orders (id bigint primary key, n int, note text)",
        "insert into orders select i, i, repeat('x', 60) from generate_series(1, 100000) i",
        "create table small (id int primary key)",
        "analyze",
        database="copy",
    )

    def connect() -> psycopg.Connection[t.Any]:
        return server.connect("copy")

    yield connect
    server.sql("drop database copy")


def holds(told: dict[str, t.Any]) -> set[tuple[str, str]]:
    return {(one["table"], one["mode"]) for one in told["locks"]}


def test_a_quick_migration_and_its_way_back(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(
        copy, Step(("create table notes (id int primary key)", "alter table orders add tip int")), Step(("drop table notes", "alter table orders drop tip"))
    )
    assert told["up"]["failed"] is None
    assert [one["sql"] for one in told["up"]["statements"]] == ["create table notes (id int primary key)", "alter table orders add tip int"]
    assert told["schema"]["added"] == [
        "column public.notes.id", "column public.orders.tip", "constraint notes_pkey on notes", "index public.notes_pkey", "relation public.notes",
    ]  # fmt: skip
    assert told["up"]["rewritten"] == []
    assert max(one["seconds"] for one in told["up"]["blocked"].values()) < 1
    assert told["left"] == told["other"] == {"added": [], "removed": [], "changed": []}
    assert told["lost"] == {}


def test_a_rewrite_blocks_readers_for_as_long_as_it_takes(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(copy, Step(("begin; alter table orders alter n type bigint; select pg_sleep(0.5); commit",)))["up"]
    assert [one["table"] for one in told["rewritten"]] == ["public.orders"]
    assert ("public.orders", "AccessExclusiveLock") in holds(told)
    assert told["blocked"]["readers"]["table"] == "public.orders"
    assert 0.4 < told["blocked"]["readers"]["seconds"] <= told["seconds"] + 0.1
    assert told["wal_bytes"] > 1_000_000
    assert told["disk_peak_bytes"] > 1_000_000


def test_an_index_blocks_writers_and_not_readers_and_concurrently_nobody(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(copy, Step(("begin; create index slow on orders (note); select pg_sleep(0.4); commit",)))["up"]
    assert told["blocked"]["writers"]["seconds"] > 0.3
    assert told["blocked"]["readers"]["seconds"] == 0
    told = rehearsal.rehearse(copy, Step(("create index concurrently kind on orders (note, n)",)))["up"]
    assert told["failed"] is None
    assert told["blocked"]["writers"]["seconds"] == 0


def test_what_fails_says_where_and_ends_it(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(copy, Step(("create table a ()", "create unique index u on orders ((1))", "create table b ()")), Step(("drop table a",)))
    assert "create unique index u" in told["up"]["failed"]
    assert told["down"] is None
    with copy() as session:
        assert session.execute("select to_regclass('b')").fetchone() == (None,)


def test_a_way_back_that_forgets_something_or_loses_rows_is_told(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(
        copy,
        Step(("alter table orders add tip int", "create table a (id int)")),
        Step(
            (
                "alter table orders drop tip",
                "drop table a",
                "delete from orders where id <= 10",
                "drop index if exists x",
                "create index left_behind on small (id)",
            )
        ),
    )
    assert told["left"] == {"added": ["index public.left_behind"], "removed": [], "changed": []}
    assert told["lost"] == {"public.orders": [100000, 99990]}


def test_a_command_of_the_apps_is_watched_like_our_own_statements(copy: rehearsal.Connect, server: Cluster, tmp_path: pathlib.Path) -> None:
    psql = (str(binaries() / "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-h", str(server.sockets), "-U", "postgres", "-d", "copy", "-c")
    told = rehearsal.rehearse(
        copy, Step(command=(*psql, "begin; alter table orders alter n type bigint; select pg_sleep(0.3); commit"), environment={"LC_ALL": "C"})
    )["up"]
    assert told["failed"] is None
    assert told["blocked"]["readers"]["seconds"] > 0.2
    assert any("alter table orders" in one["sql"] for one in told["statements"])
    told = rehearsal.rehearse(copy, Step(command=(*psql, "select nonsense"), environment={"LC_ALL": "C"}))["up"]
    assert "ended with 1" in told["failed"]
    assert "did not end" in rehearsal.rehearse(copy, Step(command=("sleep", "5"), environment={"PATH": "/bin:/usr/bin"}, timeout_s=0.2))["up"]["failed"]
    assert rehearsal.rehearse(copy, Step(command=(str(tmp_path / "nothing"),)))["up"]["failed"].endswith("No such file or directory")


def test_a_table_that_goes_while_it_is_watched_is_no_trouble(copy: rehearsal.Connect) -> None:
    told = rehearsal.rehearse(
        copy,
        Step(("drop table small", "alter table orders rename to purchases")),
        Step(("alter table purchases rename to orders", "create table small (id int primary key)")),
    )
    assert told["up"]["failed"] is None
    assert told["left"] == {"added": [], "removed": [], "changed": []}
