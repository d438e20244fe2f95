# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis of one test's own on loopback, and one look at it through the check ``redis_persistence``.

Needs ``redis-server`` (Debian: redis-tools or redis-server). Each starts on a free port and is ended by its pid.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import typing as t

import redis

from ansible_collections.resto.golive.plugins.module_utils._check import Outcome, run_target, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.redis.redis_persistence import RedisPersistence
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import validated

PASSWORD = "lab-only-4f1c9a"
KEYS = 201

#: A little over what Debian ships: a password, no append-only file, no memory limit.
BARE = "bind 127.0.0.1\nport {port}\ndir {dir}\nrequirepass {password}\nappendonly no\nenable-debug-command local\n"


class Ended(Exception):
    """The server ended before it answered."""


class Redis:
    """A server of this test's own, which can be stopped and started again over the same files."""

    def __init__(self, folder: pathlib.Path, *, config: str = BARE, arguments: t.Sequence[str] = (), user: str | None = None) -> None:
        self.folder = folder
        self.config = folder / "redis.conf"
        # Under a name of our own: the kernel calls a process by the name it was started under, and redis-tools has the program as redis-check-rdb.
        program = folder / "redis-server"
        program.symlink_to(redis_server())
        self._argv = [str(program), *(arguments or [str(self.config)])]
        self._user = user
        for last in (False, False, True):
            self.port = free_port()
            self.config.write_text(config.format(port=self.port, dir=folder, password=PASSWORD))
            self.config.chmod(0o644)  # whatever the umask: the server may be another user's
            try:
                self.start()
                break
            except Ended:  # somebody else took the port between its being found free and now
                if last:
                    raise

    def start(self) -> None:
        said = self.folder / "redis-server.out"
        with said.open("wb") as output:
            self.process = subprocess.Popen(
                [word.format(port=self.port, dir=self.folder) for word in self._argv],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                user=self._user,
            )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            if self.process.poll() is not None:
                raise Ended(said.read_text(errors="replace"))
            time.sleep(0.02)
        with self.client() as client:
            while client.info("persistence")["loading"]:
                time.sleep(0.02)

    def client(self) -> redis.Redis:
        password = PASSWORD if "requirepass" in self.config.read_text() else None
        return redis.Redis(port=self.port, password=password, socket_timeout=5)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def fill(self) -> None:
        with self.client() as client:
            for number in range(KEYS):
                client.set(f"order:{number}", "pending")

    def count(self) -> int:
        with self.client() as client:
            return t.cast(int, client.dbsize())


def redis_server() -> str:
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    assert program, "redis-server is missing: apt-get install redis-server (or redis-tools, which has the program under another name)"
    return os.path.realpath(program)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return t.cast(int, probe.getsockname()[1])


@contextlib.contextmanager
def running(folder: pathlib.Path) -> t.Iterator[Redis]:
    server = Redis(folder)
    try:
        yield server
    finally:
        server.stop()


def context(port: int, *, password: str = PASSWORD, timeout_s: float = 30, **options: t.Any) -> RunContext:
    return RunContext(validated(RedisPersistence, {"port": port, **options}), {"password": password} if password else {}, "", timeout_s)


def run(port: int, *, fix: bool = False, check_mode: bool = False, **options: t.Any) -> Outcome:
    return run_target(RedisPersistence(), context(port, **options), fix=fix, check_mode=check_mode)


def status(outcome: Outcome) -> str:
    return worst(assertion.status for assertion in outcome.assertions["redis.persistence"])


def codes(outcome: Outcome) -> list[str]:
    return [a.code.removeprefix("redis_persistence.") for a in outcome.assertions["redis.persistence"] if a.status != "pass"]
