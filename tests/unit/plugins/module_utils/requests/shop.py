# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small real shop over TLS on loopback: a panel with sessions and CSRF, an API with tokens, live events. Tests of requests and observers come in."""

from __future__ import annotations

import contextlib
import datetime
import http.cookies
import http.server
import json
import pathlib
import queue
import secrets
import ssl
import threading
import time
import typing as t
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "correct horse battery"


def certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Return a self-signed certificate for localhost, and the same with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    ca, both = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(pem)
    both.write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return ca, both


class Shop:
    """The shop's state, and what a test may change about it."""

    def __init__(self) -> None:
        self.sessions: dict[str, str] = {}
        self.logins = 0
        self.listeners: list[queue.Queue[str | None]] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.hooks: dict[tuple[str, str], t.Callable[[Handler, bytes], None]] = {}
        self.lock = threading.Lock()

    def publish(self, event: str) -> None:
        for listener in list(self.listeners):
            listener.put(event)

    def hang_up(self) -> None:
        for listener in list(self.listeners):
            listener.put(None)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shop: Shop

    def log_message(self, format: str, *args: t.Any) -> None:
        pass

    def answer(self, status: int, body: t.Any = None, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def cookie(self, name: str) -> str:
        found = http.cookies.SimpleCookie(self.headers.get("Cookie", "")).get(name)
        return found.value if found else ""

    @property
    def who(self) -> str:
        return self.shop.sessions.get(self.cookie("__Host-session") or self.headers.get("Authorization", "").removeprefix("Bearer "), "")

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        with self.shop.lock:
            self.shop.requests.append((self.command, self.path, dict(self.headers), body))
        hook = self.shop.hooks.get((self.command, path)) or ROUTES.get((self.command, path))
        if hook:
            hook(self, body)
        else:
            self.answer(404, {"error": "not found"})

    do_GET = do_POST = do_PUT = do_DELETE = handle_any


def login_page(request: Handler, body: bytes) -> None:
    token = secrets.token_hex(8)
    page = f'<html><meta name="csrf-token" content="{token}"><input name="_csrf" value="{token}"></html>'.encode()
    request.answer(200, page, Content_Type="text/html", Set_Cookie=f"csrf={token}; Path=/; Secure; SameSite=Lax")


def login(request: Handler, body: bytes) -> None:
    form = dict(urllib.parse.parse_qsl(body.decode()))
    if not request.cookie("csrf") or request.headers.get("X-CSRF-Token") != request.cookie("csrf"):
        return request.answer(403, {"error": "csrf"})
    if form.get("password") != PASSWORD:
        return request.answer(401, {"error": "no"})
    session = secrets.token_hex(8)
    request.shop.logins += 1
    request.shop.sessions[session] = form["email"]
    return request.answer(303, b"", Location="/", Set_Cookie=f"__Host-session={session}; Path=/; Secure; HttpOnly; SameSite=Lax")


def token(request: Handler, body: bytes) -> None:
    asked = json.loads(body)
    if asked.get("password") != PASSWORD:
        return request.answer(401, {"error": "no"})
    bearer = secrets.token_hex(8)
    request.shop.logins += 1
    request.shop.sessions[bearer] = asked["email"]
    return request.answer(200, {"access_token": bearer, "refresh_token": "refresh-" + bearer})


def me(request: Handler, body: bytes) -> None:
    request.answer(200, {"user": request.who}) if request.who else request.answer(401, {"error": "who?"})


def close(request: Handler, body: bytes) -> None:
    if not request.who or request.headers.get("X-CSRF-Token") != request.cookie("csrf"):
        return request.answer(403, {"error": "no"})
    if not (request.headers.get("Origin") or "").startswith("https://localhost"):
        return request.answer(403, {"error": "origin"})
    return request.answer(200, {"closed": True})


def order(request: Handler, body: bytes) -> None:
    request.answer(201, {"id": 7, "note": json.loads(body).get("note")}) if request.who else request.answer(401, {})


def echo(request: Handler, body: bytes) -> None:
    request.answer(200, {"path": request.path, "body": body.decode()}, X_Kind="echo")


def drip(request: Handler, body: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    with contextlib.suppress(OSError):
        for _turn in range(100):
            request.wfile.write(b".")
            request.wfile.flush()
            time.sleep(0.1)


def events(request: Handler, body: bytes) -> None:
    if not request.who:
        return request.answer(401, {})
    mine: queue.Queue[str | None] = queue.Queue()
    request.send_response(200)
    request.send_header("Content-Type", "text/event-stream; charset=utf-8")
    request.end_headers()
    request.shop.listeners.append(mine)  # before it is greeted: from then on it relies on hearing all
    request.wfile.write(b": hello\n\n")
    with contextlib.suppress(OSError):
        while (event := mine.get()) is not None:
            request.wfile.write(f"event: order\ndata: {event}\n\n".encode())
    request.close_connection = True
    return None


ROUTES: dict[tuple[str, str], t.Callable[[Handler, bytes], t.Any]] = {
    ("GET", "/login"): login_page,
    ("POST", "/login"): login,
    ("GET", "/api/me"): me,
    ("POST", "/v1/token"): token,
    ("GET", "/v1/me"): me,
    ("POST", "/api/orders/7/close"): close,
    ("POST", "/v1/orders"): order,
    ("GET", "/echo"): echo,
    ("POST", "/echo"): echo,
    ("GET", "/drip"): drip,
    ("GET", "/api/events"): events,
}


class Server(http.server.ThreadingHTTPServer):
    """Twenty messages at once is what it is made for: the listen queue of the standard library holds five."""

    daemon_threads = True
    request_queue_size = 64


@contextlib.contextmanager
def serving(shop: Shop, pem: pathlib.Path) -> t.Iterator[int]:
    """Serve *shop* for the length of a ``with`` and yield its port."""
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"shop": shop}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign] # a client that hangs up is part of the tests
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        shop.hang_up()
        server.shutdown()
        server.server_close()


def options(port: int, ca: pathlib.Path, **changes: t.Any) -> dict[str, t.Any]:
    """Return the options that say how this shop is used."""
    here = f"localhost:{port}"
    return {
        "ca_bundle": str(ca),
        "domains": {"admin": here, "api": here},
        "tenants": {"a": {"id": "test-a", "phone": "+570000000001"}, "b": {"id": "test-b"}},
        "realms": {
            "admin": {
                "send": {"http": "POST admin:/login", "form": {"email": "{user}", "password": "{password}"}},
                "me": "GET admin:/api/me",
                "csrf": {"from": "cookie:csrf", "to": "header:X-CSRF-Token"},
            },
            "api": {
                "send": {"http": "POST api:/v1/token", "json": {"email": "{user}", "password": "{password}"}},
                "token": "/access_token",
                "me": "GET api:/v1/me",
            },
        },
        "logins": {"owner": {"tenant": "a", "user": "owner@a.test", "password": "test/owner#password"}},
        "requests": {
            "order": {"http": "POST api:/v1/orders", "as": "owner", "json": {"note": "{cid}"}, "save": {"order": "/id"}, "undo": "close"},
            "close": {"http": "POST admin:/api/orders/{order}/close", "as": "owner"},
        },
        **changes,
    }


SECRETS = {"logins.owner.password": PASSWORD}
