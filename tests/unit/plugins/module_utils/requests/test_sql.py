# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selects against a real PostgreSQL: what is bound, what is refused, and the watch of the host that has the database."""

from __future__ import annotations

import socket
import threading
import time
import typing as t

import postgres as servers
import pytest

from ansible_collections.resto.golive.plugins.module_utils import _observers, _sql
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._parts import DatabaseObservers
from ansible_collections.resto.golive.plugins.module_utils._sql import Reader
from ansible_collections.resto.golive.plugins.plugin_utils import texts

ORDERS = {"sql": "select id as order, total from orders where cid = {cid}"}


@pytest.fixture(scope="module")
def server() -> t.Iterator[servers.Postgres]:
    with servers.running() as server:
        server.run(
            "create role reader login",
            "create role outsider login",
            "create table orders (id bigint generated always as identity, cid text, total numeric default 12.50, at timestamptz default now())",
            "grant select on orders to reader",
            "create function eager() returns int language sql as 'insert into orders (cid) values (''eager'') returning 1'",
            "grant insert on orders to reader",
        )
        yield server


@pytest.fixture
def database(server: servers.Postgres) -> servers.Postgres:
    server.run("truncate orders restart identity")
    return server


@pytest.fixture
def reader(database: servers.Postgres) -> t.Iterator[Reader]:
    reader = Reader(database.options(), {})
    yield reader
    reader.close()


def code(problem: CannotKnow) -> str:
    assert texts.texts()[problem.code]["es"].format(**problem.params)
    return problem.code


def test_words_are_bound_and_rows_are_plain(reader: Reader, database: servers.Postgres) -> None:
    database.run("insert into orders (cid) values ('golive-1'), ('it''s')")
    assert reader.rows(ORDERS["sql"], {"cid": "golive-1"}) == [{"order": 1, "total": 12.5}]
    assert reader.rows("select id from orders where cid = {cid}", {"cid": "it's"}) == [{"id": 2}]
    assert reader.rows("select id from orders where cid = {cid}", {"cid": "' or true --"}) == []
    assert reader.rows(
        "select id from orders where cid like 'golive-%' and (cid = any({cids}) or at < {before})",
        {"cids": ["golive-1"], "before": "2026-01-01T00:00:00+00:00"},
    )
    assert isinstance(reader.rows("select at from orders limit 1", {})[0]["at"], str)


def test_it_cannot_write(reader: Reader, database: servers.Postgres) -> None:
    with pytest.raises(CannotKnow) as told:
        reader.rows("select eager()", {})
    assert code(told.value) == "postgres.odd_answer"
    assert reader.rows("select count(*) as n from orders", {}) == [{"n": 0}]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("select pg_sleep(5)", "postgres.statement_timeout"),
        ("select 1 from nowhere", "postgres.relation_missing"),
        ("select rolpassword from pg_authid", "postgres.no_permission"),
        ("select 1 where {ordr} = 1", "request.word_unknown"),
    ],
)
def test_what_cannot_be_asked_says_why(reader: Reader, monkeypatch: pytest.MonkeyPatch, query: str, wanted: str) -> None:
    monkeypatch.setattr(_sql, "STATEMENT_S", 1)
    with pytest.raises(CannotKnow) as told:
        reader.rows(query, {"cid": "golive-1"})
    assert code(told.value) == wanted
    assert reader.rows("select 1 as one", {}) == [{"one": 1}]  # and the session goes on


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(CannotKnow) as told:
        Reader({"host": "127.0.0.1", "port": port, "user": "reader", "database": "postgres"}, {"password": "a password"}).rows("select 1", {})
    assert (code(told.value), told.value.status) == ("postgres.refused", "unreachable")
    assert "a password" not in str(told.value.params)


def test_a_user_that_the_server_does_not_know(database: servers.Postgres) -> None:
    with pytest.raises(CannotKnow) as told:
        Reader(database.options("stranger"), {}).rows("select 1", {})
    assert code(told.value) == "postgres.database_missing"


def test_a_session_that_was_ended_is_opened_again(reader: Reader, database: servers.Postgres) -> None:
    assert reader.rows("select 1 as one", {})
    database.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
    with pytest.raises(CannotKnow):
        reader.rows("select 1 as one", {})
    assert reader.rows("select 1 as one", {}) == [{"one": 1}]


def see(wait: t.Any, cid: str = "golive-1", **changes: t.Any) -> dict[str, t.Any]:
    return {
        "observer": ORDERS,
        "where": "acceptance_journey.order.see",
        "within_s": 1,
        "words": {"cid": cid},
        "never": {"cid": "golive-0"},
        "wait": wait,
        **changes,
    }


def watched(database: servers.Postgres, lead_s: float = 3, **sees: t.Any) -> dict[str, t.Any]:
    options = {**database.options(), "given": {"see": sees, "lead_s": lead_s}}
    check = DatabaseObservers()
    seen = check.observe(RunContext(options, {}, "db1", 30))
    assert [one.status for one in check.judge(seen, options)] == ["pass"]
    return t.cast("dict[str, t.Any]", seen["sights"])


def later(database: servers.Postgres, statement: str, after_s: float = 0.3) -> threading.Timer:
    timer = threading.Timer(after_s, database.run, [statement])
    timer.start()
    return timer


def test_a_row_that_comes_is_seen_when_it_comes(database: servers.Postgres) -> None:
    begun = time.time()
    timer = later(database, "insert into orders (cid) values ('golive-1')")
    seen = watched(database, order=see(True), never=see(False, "golive-2"))
    timer.join()
    assert begun + 0.2 < seen["order"]["first_seen"] < begun + 1.5
    assert seen["order"]["last_absent"] < seen["order"]["first_seen"]
    assert (seen["order"]["most"], seen["order"]["never"], seen["order"]["rows"]) == (1, 0, [{"order": 1, "total": 12.5}])
    assert (seen["never"]["count"], seen["never"]["looks"]) == (0, seen["order"]["looks"])


def test_what_never_comes_is_waited_for_no_longer_than_said(database: servers.Postgres) -> None:
    begun = time.monotonic()
    seen = watched(database, lead_s=0.3, order=see(True))
    assert 1.2 < time.monotonic() - begun < 4
    assert (seen["order"]["first_seen"], seen["order"]["count"]) == (None, 0)


def test_what_must_be_gone_is_waited_for(database: servers.Postgres) -> None:
    database.run("insert into orders (cid) values ('golive-1')")
    timer = later(database, "delete from orders")
    seen = watched(database, order=see(False), left=see("none"))
    timer.join()
    assert (seen["left"]["count"], seen["left"]["most"], seen["order"]["most"]) == (0, 1, 1)


def test_a_question_that_the_server_refuses_is_a_problem_of_its_own(database: servers.Postgres) -> None:
    seen = watched(database, lead_s=0, order=see(False), odd=see(False, observer={"sql": "select 1 from nowhere where {cid} = 'x'"}))
    assert seen["odd"]["problem"]["code"] == "postgres.relation_missing"
    assert seen["order"]["problem"] is None


def test_an_observer_counts_rows_that_hold_a_text(reader: Reader, database: servers.Postgres) -> None:
    database.run("insert into orders (cid) values ('golive-1 x'), ('golive-1 y')")
    observer = _observers.parse({"sql": "select cid from orders where cid like 'golive-1%'", "contains": "{word}"}, "x")
    assert reader.look(observer)({"word": "y"}).count == 1
