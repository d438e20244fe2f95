# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator of each kind, on loopback. Its own door is open to 127.0.0.1; the client of an application comes from 127.0.0.2."""

from __future__ import annotations

import http.client
import http.server
import json
import sys
import threading
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from providers.__main__ import KINDS
from providers.faults import Faults
from providers.record import Record
from providers.server import Server

TEMPLATES = [
    {"name": name, "language": "es", "status": status, "category": "UTILITY", "components": [{"type": "BODY", "text": text}]}
    for name, status, text in (
        ("order_confirmed", "APPROVED", "Pedido {{1}}: {{2}}"),
        ("order_ready", "APPROVED", "Pedido {{1}} listo"),
        ("promo", "PENDING", "Hola"),
    )
]


class Simulator:
    """One provider under the name 127.0.0.1, without TLS."""

    def __init__(self, name: str, **settings: t.Any) -> None:
        self.record, self.faults = Record(), Faults()
        self.server = Server(("127.0.0.1", 0), {"127.0.0.1": (name, KINDS[name](settings))}, self.record, self.faults, None, ())
        self.name, self.port = name, self.server.server_address[1]
        self.base = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def ask(self, method: str, path: str, body: t.Any = None, source: str = "127.0.0.1", **headers: str) -> tuple[int, t.Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5, source_address=(source, 0))
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()), dict(answer.headers)
        finally:
            connection.close()

    def fault(self, **given: t.Any) -> None:
        assert self.ask("POST", "/_golive/faults", {"for_s": 30, **given})[0] == 200

    def calls(self) -> list[dict[str, t.Any]]:
        found: list[dict[str, t.Any]] = self.ask("GET", "/_golive/calls")[1]
        return found


@pytest.fixture
def simulator() -> Iterator[t.Callable[..., Simulator]]:
    made: list[Simulator] = []

    def make(name: str, **settings: t.Any) -> Simulator:
        made.append(Simulator(name, **settings))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


class Arrived(t.NamedTuple):
    path: str
    headers: dict[str, str]
    body: str


class Receiver:
    """An application's webhooks; what arrives is kept. The first ``later`` tries are answered 503."""

    def __init__(self) -> None:
        receiver = self
        self.events: list[Arrived] = []
        self.later = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.later, refused = max(0, receiver.later - 1), receiver.later > 0
                if not refused:
                    receiver.events.append(Arrived(self.path, dict(self.headers.items()), body))
                self.send_response(503 if refused else 200)
                self.end_headers()

            def log_message(self, format: str, *args: t.Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def wait(self, count: int) -> list[Arrived]:
        end = time.monotonic() + 5
        while len(self.events) < count and time.monotonic() < end:
            time.sleep(0.02)
        return self.events


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()
