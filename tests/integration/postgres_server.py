# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real PostgreSQL clusters for tests: each on a socket of its own, run by an unprivileged user, ended and removed by its test.

Needs Debian's ``postgresql`` (``scripts/packages.sh dev``), or the binaries on ``PATH``.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import typing as t

import psycopg

from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import programs


def binaries() -> pathlib.Path:
    """Return the directory of the server whose major version ``GOLIVE_POSTGRES`` names; else of the newest that this machine has."""
    wanted = os.environ.get("GOLIVE_POSTGRES", "*")
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"{wanted}/bin/initdb"), key=lambda path: int(path.parts[-3]))
    program = found[-1] if found else pathlib.Path(shutil.which("initdb") or "")
    assert found or wanted == "*", f"PostgreSQL {wanted} is missing"
    assert program.is_file(), "PostgreSQL is missing: scripts/packages.sh dev"
    return program.parent


def version() -> int:
    """Return that server's version as it counts them: 150018 is 15.18."""
    return programs.version(binaries() / "postgres")


def wait_until(done: t.Callable[[], bool]) -> None:
    """Ask again and again for ten seconds: a server takes a moment."""
    pause = threading.Event()
    for _turn in range(200):
        if done():
            return
        pause.wait(0.05)
    raise AssertionError("it never came")


#: PostgreSQL refuses to run as root; Debian's package brings this user.
USER = "postgres" if os.geteuid() == 0 else None


class Cluster:
    """A running cluster. ``options`` says how checks reach it."""

    def __init__(self, home: pathlib.Path, *arguments: str) -> None:
        self.home = home
        self.data = home / "data"
        self.sockets = home / "s"
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--data-checksums", *arguments)
        self.start()
        if seen := os.environ.get("GOLIVE_POSTGRES_SEEN"):
            with open(seen, "a", encoding="utf-8") as listed:
                listed.write(f"{self.value('show server_version')}\n")

    @property
    def options(self) -> dict[str, t.Any]:
        return {"host": str(self.sockets), "port": 5432, "database": "postgres", "user": "postgres"}

    def run(self, program: str, *arguments: t.Any, check: bool = True) -> subprocess.CompletedProcess[str]:
        argv = [str(one) for one in (binaries() / program, *arguments)]
        return subprocess.run(argv, check=check, capture_output=True, text=True, user=USER, cwd=self.home, env={**os.environ, "LC_ALL": "C.UTF-8"})

    def start(self, *settings: str) -> None:
        given = " ".join(f"-c {setting}" for setting in ("fsync=off", "listen_addresses=''", f"unix_socket_directories={self.sockets}", *settings))
        # Its output goes to a file: a pipe would stay open for as long as the server runs.
        self.run("pg_ctl", "-D", self.data, "-w", "-o", given, "-l", self.home / "log", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop", check=False)

    def connect(self, database: str = "postgres", user: str = "postgres", **more: t.Any) -> psycopg.Connection[t.Any]:
        return psycopg.connect(host=str(self.sockets), dbname=database, user=user, autocommit=True, **more)

    def sql(self, *statements: str, database: str = "postgres") -> None:
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, statement: str, database: str = "postgres") -> t.Any:
        with self.connect(database) as connection:
            row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return row[0]


@contextlib.contextmanager
def cluster(*arguments: str) -> t.Iterator[Cluster]:
    """Lend a cluster for the length of a ``with``. Its directory is short, because a socket's path may have 107 bytes."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="golive-pg-"))
    (home / "s").mkdir()
    if USER:
        shutil.chown(home, USER)
        shutil.chown(home / "s", USER)
    made = None
    try:
        made = Cluster(home, *arguments)
        yield made
    finally:
        if made is not None:
            made.stop()
        shutil.rmtree(home)


#: A shop as the traps like it: row level security without an exception for owners, a column called like an alias, sequences, a domain, odd values.
SHOP = (
    "create role shop_owner login",
    "create role shop_app login password 'not-a-secret'",
    "create role golive_backup login bypassrls",
    "grant pg_read_all_data, pg_monitor to golive_backup",
    "grant select on pg_catalog.pg_authid to golive_backup",
    'create role "Odd Name"',
    "create database shop owner shop_owner",
)
CANARY = (
    "create schema golive authorization golive_backup",
    "create table golive.canary (at timestamptz not null, nonce text not null)",
    "alter table golive.canary owner to golive_backup",
)
SHOP_TABLES = (
    *CANARY,
    "set role shop_owner",
    "create table tenants (id int primary key, name text not null)",
    "create table orders (id bigserial primary key, tenant int not null references tenants, amount_minor int not null, note text, body jsonb, t timestamptz,"
    " raw bytea, part float8, created_at timestamptz not null default now())",
    "create index on orders (tenant, created_at)",
    "alter table orders enable row level security",
    "alter table orders force row level security",
    "create policy own on orders using (tenant = coalesce(nullif(current_setting('shop.tenant', true), ''), '1')::int)",
    "grant select, insert, update on all tables in schema public to shop_app",
    "grant usage on all sequences in schema public to shop_app",
    "reset role",
    "insert into tenants select i, 'Tenant ' || i from generate_series(1, 10) i",
    "insert into orders (tenant, amount_minor, note, body, t, raw, part) select 1 + i % 10, i * 10, 'Ñandú 🍕 ' || i, jsonb_build_object('n', i), now(),"
    " decode(md5(i::text), 'hex'), i / 3.0 from generate_series(1, 100) i",
)


def make_shop(server: Cluster) -> None:
    server.sql(*SHOP)
    server.sql(*SHOP_TABLES, database="shop")


def plan(home: pathlib.Path, **more: t.Any) -> dict[str, t.Any]:
    """Return what the cage is asked, with the backup and the copy below *home*, after all there is the copy's user's own."""
    if USER:
        for path in (home, *home.rglob("*")):
            shutil.chown(path, USER)
    folders = {"home": str(home / "work"), "backup": str(home / "backup")}
    return {**folders, "jobs": 2, "settings": "tuned", "memory_mb": 512, "user": USER, "caged": False, "live": _caged.seen_live(), **more}
