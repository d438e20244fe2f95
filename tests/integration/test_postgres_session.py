# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session that every Postgres check speaks through, against a real server: it reads, it cannot write, and each refusal has its name."""

from __future__ import annotations

import builtins
import socket
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils import _postgres
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.plugin_utils import texts

from .postgres_server import Cluster, cluster


@pytest.fixture(scope="module")
def server() -> t.Iterator[Cluster]:
    with cluster() as made:
        made.sql("create role shop login", "create table secret (word text)", "insert into secret values ('x')")
        yield made


def refused(options: dict[str, t.Any], ask: str = "select 1", secrets: t.Mapping[str, str] | None = None, **more: t.Any) -> CannotKnow:
    with pytest.raises(CannotKnow) as caught, _postgres.connect(options, secrets or {}, **more) as session:
        session.rows(ask)
    text = texts.render(caught.value.code, caught.value.params)
    assert "‹" not in text["es"] + text["en"], "the text lacks a word"
    return caught.value


def test_one_snapshot_by_column_name(server: Cluster) -> None:
    with _postgres.connect(server.options, {}) as session:
        assert session.rows("select 1 as one, 'a' as letter") == [{"one": 1, "letter": "a"}]
        before = session.value("select count(*) from secret")
        server.sql("insert into secret values ('later')")
        assert session.value("select count(*) from secret") == before
        assert session.version >= 130000


def test_it_cannot_write(server: Cluster) -> None:
    assert "read-only" in refused(server.options, "insert into secret values ('no')").params["message"]


def test_it_can_ask_again_after_a_refusal(server: Cluster) -> None:
    with _postgres.connect(server.options, {}) as session:
        with pytest.raises(CannotKnow):
            session.rows("select * from nowhere")
        assert session.value("select 1") == 1


@pytest.mark.parametrize(
    ("change", "ask", "code"),
    [
        ({"user": "shop"}, "select * from secret", "postgres.no_permission"),
        ({}, "select * from nowhere", "postgres.relation_missing"),
        ({"database": "nowhere"}, "", "postgres.database_missing"),
        ({"user": "nobody_here"}, "", "postgres.database_missing"),
        ({"host": "/nowhere"}, "", "postgres.refused"),
        ({"host": "127.0.0.1", "port": 1}, "", "postgres.refused"),
        ({"host": "no-such-host.invalid"}, "", "postgres.name_unknown"),
    ],
)
def test_each_refusal_has_its_name(server: Cluster, change: dict[str, t.Any], ask: str, code: str) -> None:
    assert refused({**server.options, **change}, ask).code == code


def test_a_statement_has_its_deadline(server: Cluster) -> None:
    assert refused(server.options, "select pg_sleep(5)", statement_s=0.1).code == "postgres.statement_timeout"


def test_a_full_server(server: Cluster) -> None:
    server.sql("alter role shop connection limit 0")
    try:
        assert refused({**server.options, "user": "shop"}).code == "postgres.connections_exhausted"
    finally:
        server.sql("alter role shop connection limit -1")


def test_passwords(server: Cluster) -> None:
    rules = server.data / "pg_hba.conf"
    kept = rules.read_text()
    try:
        rules.write_text("local all shop scram-sha-256\nlocal all postgres trust\n")
        server.sql("alter role shop password 'right'", "select pg_reload_conf()")
        options = {**server.options, "user": "shop"}
        assert refused(options).code == "postgres.password_missing"
        wrong = refused(options, secrets={"password": "sesame-1234"})
        assert wrong.code == "postgres.password_wrong"
        assert "sesame" not in str(wrong.params)
        with _postgres.connect(options, {"password": "right"}) as session:
            assert session.value("select 1") == 1
        server.sql("create role stranger login")
        assert refused({**server.options, "user": "stranger"}).code == "postgres.not_let_in"
    finally:
        rules.write_text(kept)
        server.sql("select pg_reload_conf()")


def test_who_answers_is_no_postgres(server: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        problem = refused({**server.options, "host": "127.0.0.1", "port": port})
    assert problem.code == "postgres.no_answer"


def test_a_server_that_is_stopped_meanwhile() -> None:
    with cluster() as made, _postgres.connect(made.options, {}) as session:
        made.stop()
        with pytest.raises(CannotKnow) as caught:
            session.rows("select 1")
    assert caught.value.code == "postgres.closed"


def test_without_the_driver(server: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: t.Any, **more: t.Any) -> t.Any:
        if name.startswith("psycopg"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert refused(server.options).code == "common.library_missing"
