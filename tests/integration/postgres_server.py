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
import typing as t

import psycopg


def binaries() -> pathlib.Path:
    """Return the directory of the newest server that this machine has."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    program = found[-1] if found else pathlib.Path(shutil.which("initdb") or "")
    assert program.is_file(), "PostgreSQL is missing: scripts/packages.sh dev"
    return program.parent


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
