# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTPS server: one port, a provider for each name. It speaks to sockets itself, because some faults are below HTTP."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import struct
import sys
import time
import typing as t
from urllib.parse import parse_qsl, urlsplit

from providers import control, webhooks
from providers.call import Answer, Call
from providers.faults import Faults
from providers.record import Record

#: A client that says nothing for so long is let go.
IDLE_S = 60.0
LARGEST = 1 << 20
#: A request that a proxy passed on is not this host's own, though its connection is.
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
NAMES = ("whatsapp", "twilio", "stripe", "mercadopago", "smtp")


class Provider(t.Protocol):
    def answer(self, call: Call) -> Answer: ...


class Server(http.server.ThreadingHTTPServer):
    """``hosts``: name that is called: (provider's name, the provider)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        hosts: t.Mapping[str, tuple[str, Provider]],
        record: Record,
        faults: Faults,
        tls: ssl.SSLContext | None,
        trusted: t.Collection[str],
    ) -> None:
        self.hosts, self.record, self.faults, self.tls, self.trusted = hosts, record, faults, tls, trusted
        if tls is not None:
            tls.sni_callback = self._hello
        super().__init__(address, Handler)

    def trusts(self, connection: socket.socket) -> bool:
        """The record holds what customers wrote, and faults break things: both are for this host, and for whom it was told."""
        peer = str(connection.getpeername()[0])
        return peer == connection.getsockname()[0] or peer in self.trusted

    def _hello(self, connection: ssl.SSLObject, host: str | None, tls: ssl.SSLContext) -> int | None:
        """Refuse the session where that is scripted; who may read the record may do so meanwhile."""
        name = self.hosts.get((host or "").lower(), ("", None))[0]
        if self.trusts(t.cast("socket.socket", connection)) or not self.faults.met(name, connecting=True):
            return None
        self.record.add(name, "CONNECT", host or "", {}, "", None, "refuse")
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        """TLS is spoken in the connection's own thread: a client that stalls in its handshake keeps nobody else waiting."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(IDLE_S)
        try:
            spoken = self.tls.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            return
        try:
            super().finish_request(spoken, client_address)
        finally:
            spoken.close()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that goes away is no event here; anything else ends in the journal as always."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ssl.SSLError)):
            super().handle_error(request, client_address)


def reset(connection: socket.socket, close: t.Callable[[], None] | None = None) -> None:
    """End the connection with a reset instead of a farewell; ``close``: how, where a socket is not its owner's to close."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if close is None:
        socket.socket.close(connection)
    else:
        close()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    # Answers are small: waiting for more to send with them would only make them late.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: t.Any) -> None:
        """The record is the log."""

    def do(self) -> None:
        host = self.headers.get("Host", "").partition(":")[0].lower()
        name, provider = self.server.hosts.get(host, ("", None))
        length = int(self.headers.get("Content-Length") or 0)
        if provider is None or length > LARGEST:
            self.close_connection = True
            self._send(Answer(413 if provider else 421, {"error": f"no provider called {host}" if provider is None else "too large"}))
            return
        url = urlsplit(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        call = Call(self.command, url.path, dict(parse_qsl(url.query, keep_blank_values=True)), headers, self.rfile.read(length).decode("utf-8", "replace"))
        if call.path.startswith(control.PREFIX):
            self._send(
                control.answer(call, name, self.server.record, self.server.faults, NAMES)
                if self.server.trusts(self.connection) and not any(name in self.headers for name in PASSED_ON)
                else Answer(403, {"error": "ask from this host"})
            )
        else:
            self._provide(name, provider, call)

    do_GET = do_POST = do_PUT = do_DELETE = do

    def _provide(self, name: str, provider: Provider, call: Call) -> None:
        # A connection from before, or from this host, which is let in to read the record.
        fault = self.server.faults.met(name, connecting=True) or self.server.faults.met(name, call.body)
        if fault and fault.kind == "delay":
            time.sleep(fault.delay_s)
        if fault and fault.kind in ("reset", "refuse"):
            self._keep(name, call, None, fault.kind)
            self.close_connection = True
            reset(self.connection)
            return
        if fault and fault.kind == "status":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
            answer = Answer(fault.status, {"error": {"message": "scripted", "code": fault.status}}, headers)
        else:
            answer = provider.answer(call)
        half = bool(fault and fault.kind == "half")
        done = call.method != "GET" and answer.status < 400
        effect = ("replayed" if answer.replayed else "new") if done else None
        self._keep(name, call, None if half else answer.status, fault.kind if fault else None, effect)
        try:
            self._send(answer, half=half)
        finally:
            # What was done is told, also to who did not wait for the answer.
            webhooks.deliver(name, answer.events, self.server.record)

    def _keep(self, name: str, call: Call, status: int | None, fault: str | None, effect: str | None = None) -> None:
        self.server.record.add(name, call.method, self.path, dict(self.headers.items()), call.body, status, fault, effect)

    def _send(self, answer: Answer, *, half: bool = False) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if half:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            reset(self.connection)
        else:
            self.wfile.write(body)
