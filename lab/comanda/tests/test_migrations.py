# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations: all go up, down and up again, the app's role owns nothing, and what the release before writes still fits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest
from comanda import schema
from conftest import World
from servers import ROOT

# What the code of the release that ended at 0005 writes, in its own words.
OLD_ORDER = "insert into orders (tenant_id, channel, note, currency, total_minor, cid) values (%s, 'web', 'x', 'COP', 1, 'old') returning id"
OLD_OUTBOX = "insert into outbox (tenant_id, kind, body, cid, trace_id) values (%s, 'order_taken', '{}', 'old', 'x')"
OLD_PAYMENT = "insert into payments (tenant_id, order_id, provider, event_id, amount_minor, currency) values (%s, %s, 'stripe', 'old', 1, 'COP')"


@pytest.fixture
def empty(world: World) -> Iterator[tuple[str, Callable[..., None]]]:
    """A database of its own, and Alembic for it."""
    with psycopg.connect(world.postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("create database moving owner comanda_owner")

    def alembic(*arguments: str) -> None:
        variables = {**os.environ, "DATABASE_URL": world.postgres.url("comanda_owner", "moving"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "alembic", "-c", str(ROOT / "comanda/migrations/alembic.ini"), *arguments]
        subprocess.run(command, check=True, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    yield world.postgres.url("comanda_owner", "moving"), alembic
    with psycopg.connect(world.postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("drop database moving")


def test_up_and_down_again(empty: tuple[str, Callable[..., None]]) -> None:
    url, alembic = empty
    for where in (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head")):
        alembic(*where)
    with psycopg.connect(url) as connection:
        assert connection.execute("select version_num from alembic_version").fetchone() == (schema.head(),)


def test_the_release_before_goes_on_writing(empty: tuple[str, Callable[..., None]], world: World) -> None:
    url, alembic = empty
    alembic("upgrade", "head")
    with psycopg.connect(url, autocommit=True) as owner:
        row = owner.execute("insert into tenants (slug, name, zone, currency) values ('x', 'x', 'UTC', 'COP') returning id").fetchone()
    assert row
    with psycopg.connect(world.postgres.url("comanda_app", "moving")) as app:
        app.execute("select set_config('app.tenant', %s, true)", [str(row[0])])
        order = app.execute(OLD_ORDER, [row[0]]).fetchone()
        assert order
        app.execute(OLD_OUTBOX, [row[0]])
        app.execute(OLD_PAYMENT, [row[0], order[0]])


def test_the_app_owns_nothing_and_sees_no_row_without_a_restaurant(world: World) -> None:
    owned = "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = 'comanda_app'"
    assert world.postgres.rows(owned) == [(0,)]
    assert world.postgres.rows("select rolsuper or rolbypassrls or rolcreaterole from pg_roles where rolname = 'comanda_app'") == [(False,)]
    with psycopg.connect(world.postgres.url("comanda_app")) as connection:
        for table in ("orders", "messages", "outbox", "payments", "customers", "notices", "refresh_tokens"):
            assert connection.execute(f"select count(*) from {table}").fetchone() == (0,), table
