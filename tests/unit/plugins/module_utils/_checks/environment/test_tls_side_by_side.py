# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hundred names cost little more than one, because they are looked at side by side. Counted at the server; no clock proves anything here."""

from __future__ import annotations

import contextlib
import multiprocessing
import pathlib
import select
import socket
import threading
import typing as t

import pytest
import tls_servers as servers

from ansible_collections.resto.golive.plugins.module_utils import _runner
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_certificate import TlsCertificate

NAMES = 200
#: A server that waits for company answers nobody before this is over, in seconds; whoever looks waits longer where company is sure to come.
COMPANY_S = 30.0

forked = multiprocessing.get_context("fork")


class Company:
    """Answers nobody until *wanted* connections are open at the same moment, and everybody from then on."""

    def __init__(self, wanted: int, answer: servers.Answer) -> None:
        self.wanted = wanted
        self.answer = answer
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.complete = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        with self.lock:
            if not self.complete.is_set():
                self.open = {one for one in (*self.open, connection) if not hung_up(one)}
                if len(self.open) >= self.wanted:
                    self.complete.set()
        if self.complete.wait(COMPANY_S):
            self.answer(connection)


def hung_up(connection: socket.socket) -> bool:
    """Whether the other side has closed *connection*: what it sent before that may still be unread."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


@contextlib.contextmanager
def company(wanted: int, pem: pathlib.Path) -> t.Iterator[int]:
    """Yield the port of such a server. It is a process of its own: the runner forks, and must find no threads."""
    here, there = forked.Pipe()

    def serve() -> None:
        with servers.listening(Company(wanted, servers.tls(pem))) as port:
            there.send(port)
            there.recv()

    server = forked.Process(target=serve, daemon=True)
    server.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        server.join(10)
        server.kill()


@pytest.fixture
def statuses(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[int, int, float], list[str]]:
    """Look at *count* names of a server that wants *wanted* at once, waiting *limit_s* for each answer."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *args, **kwargs: real("127.0.0.1", port, *args, **{**kwargs, "flags": 0}))
    authority = servers.Authority(tmp_path)
    pem = authority.issue("all", ("*.shop.test",))

    def look(count: int, wanted: int, limit_s: float) -> list[str]:
        names = [f"n{number}.shop.test" for number in range(count)]
        with company(wanted, pem) as port:
            options = {"domains": {"first": names[0]}, "endpoints": names[1:], "port": port, "redirect_port": servers.closed_port()}
            options |= {"ca_bundle": str(authority.bundle), "connect_timeout_s": limit_s}
            units = [_runner.Unit(TlsCertificate, "endpoint", f"{name}:{port}", options, {}, 2 * COMPANY_S) for name in names]
            return [row["status"] for row in _runner.run(units, budget_s=4 * COMPANY_S)]

    return look


def test_200_names_are_looked_at_side_by_side(statuses: t.Callable[[int, int, float], list[str]]) -> None:
    # So that slow names too take no more than three times the time of one.
    assert -(-NAMES // _runner.THREADS) <= 3
    # The one domain has no plain HTTP that leads to HTTPS; endpoints are not asked for it.
    assert statuses(NAMES, _runner.THREADS, COMPANY_S) == ["warn"] + ["pass"] * (NAMES - 1)


def test_fewer_at_once_than_the_server_wants_are_never_answered(statuses: t.Callable[[int, int, float], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runner, "THREADS", 7)
    assert not {"pass", "warn"} & set(statuses(21, 8, 0.5))
