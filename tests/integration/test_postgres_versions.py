# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What newer servers have and older ones lack, in a backup and on its copy. Every version is asked for the most that it can."""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._pgbackup import job

from .postgres_server import Cluster, version
from .test_postgres_restore import rehearse, resealed, told

#: From 17 on there is a provider of PostgreSQL's own, and a limit on transactions.
NEWER = version() >= 170000
LOCALE = "locale_provider builtin builtin_locale 'C.UTF-8'" if NEWER else "locale_provider icu icu_locale 'es'"
PROVIDER = "b" if NEWER else "i"
TIMEOUTS = ("statement_timeout", "transaction_timeout") if NEWER else ("statement_timeout",)


@pytest.fixture
def other(server: Cluster) -> t.Iterator[str]:
    """A second database of the shop's, with the newest kind of locale."""
    server.sql(f"create database other owner shop_owner template template0 {LOCALE}")
    server.sql("create table dishes (name text primary key)", "insert into dishes values ('ñoquis'), ('nachos')", database="other")
    yield "other"
    server.sql("drop database other")


def fetched(server: Cluster, database: str, home: pathlib.Path, invariants: dict[str, str]) -> pathlib.Path:
    """A backup of *database*, as the drill fetches it."""
    connection = {"host": str(server.sockets), "port": 5432, "user": "golive_backup"}
    (home / "made").mkdir(parents=True)
    line = job.back_up({"name": "db1", "database": database, "directory": str(home / "made"), "connection": connection, "invariants": invariants})
    assert line["ok"], json.dumps(line)
    shutil.move(home / "made" / str(line["id"]), home / "backup")
    (home / "work").mkdir()
    return home


@pytest.fixture
def home(server: Cluster) -> t.Iterator[pathlib.Path]:
    yield server.home / "drill"
    shutil.rmtree(server.home / "drill")


def test_its_locale_comes_back_and_another_is_told(server: Cluster, other: str, home: pathlib.Path) -> None:
    there = fetched(server, other, home, {})
    assert json.loads((there / "backup" / "manifest.json").read_text())["database"]["provider"] == PROVIDER
    assert rehearse(there)["verdict"] == "pass"
    shutil.rmtree(there / "work")
    (there / "work").mkdir()
    resealed(there / "backup", lambda body: body["database"].update(provider="c"))
    assert told(rehearse(there)) == {("locale_differs", "provider")}


def test_limits_that_the_shop_set_for_itself_end_neither_backup_nor_drill(server: Cluster, other: str, home: pathlib.Path) -> None:
    for timeout in TIMEOUTS:
        # A statement of ours has no limit from the start; a transaction has none once the server's version is known.
        limit = "1ms" if timeout == "statement_timeout" else "200ms"
        server.sql(f"alter role golive_backup set {timeout} = '{limit}'", f"alter database other set {timeout} = '1ms'")
    try:
        there = fetched(server, other, home, {"slow": "select pg_sleep(0.3)::text"})
        result = rehearse(there)
        assert result["verdict"] == "pass", result
    finally:
        server.sql("alter role golive_backup reset all")
