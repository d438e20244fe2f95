# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The support channel against real servers on loopback, with a private authority: what answers, and what only looks like an answer."""

from __future__ import annotations

import datetime
import http.server
import pathlib
import socket
import ssl
import sys
import threading
import time
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, assess
from ansible_collections.resto.golive.plugins.module_utils._checks.operations.support_channel import SupportChannel, error_in, mail_domain
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import validated

NOW = datetime.datetime.now(datetime.UTC)


def certificate(days: int, host: str) -> bytes:
    """Return a self-signed certificate of *host* with its key, PEM; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    signed = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), NOW - datetime.timedelta(days=9), NOW + datetime.timedelta(days=days)
        )
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return signed.public_bytes(serialization.Encoding.PEM) + secret


class Handler(http.server.BaseHTTPRequestHandler):
    pages: t.ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {
        "/good": (200, {}, b"<h1>Soporte</h1>"),
        "/json": (200, {}, b'{"channel": "open", "errors": [], "error": null, "ok": true}'),
        "/error": (200, {}, b'{"error": "database is down"}'),
        "/status": (200, {}, b'{"status": "DOWN"}'),
        "/false": (200, {}, b'{"ok": false}'),
        "/empty": (200, {}, b" \n"),
        "/nothing": (204, {}, b""),
        "/missing": (404, {}, b"no"),
        "/broken": (500, {}, b"sorry"),
        "/moved": (302, {"Location": "/good"}, b""),
        "/plain": (302, {"Location": "http://localhost/good"}, b""),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
        "/loop": (302, {"Location": "/loop"}, b""),
    }

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
        if self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _unused in range(40):
                self.wfile.write(b".")
                time.sleep(0.1)
            return
        status, headers, body = self.pages.get(self.path, (200, {}, b"late"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Clients that refuse our certificate or stop waiting are what the tests are about."""


Serve = t.Callable[..., tuple[str, str]]


@pytest.fixture
def serve(tmp_path: pathlib.Path) -> t.Iterator[Serve]:
    """Start a TLS server; return its base address and its authority's file."""
    servers = []

    def start(days: int = 5, host: str = "localhost") -> tuple[str, str]:
        pem = tmp_path / f"{host}-{days}.pem"
        pem.write_bytes(certificate(days, host))
        server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return f"https://localhost:{server.server_address[1]}", str(pem)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


#: The pages that do not end in time.
SLOW = ("/slow", "/drip")


def look(channel: str, **options: t.Any) -> Assertion:
    checked = validated(SupportChannel, {"channel": channel, "deadline_s": 1 if channel.endswith(SLOW) else 20, **options})
    (kind, target), *_others = SupportChannel.targets(checked)
    assert kind == "channel"
    (assertion,) = assess(SupportChannel(), RunContext(checked, {}, target, 20))[1]["operations.support"]
    return assertion


@pytest.mark.parametrize(
    ("page", "code", "status"),
    [
        ("/good", "answers", "pass"),
        ("/json", "answers", "pass"),
        ("/moved", "answers", "pass"),
        ("/error", "error_body", "fail"),
        ("/status", "error_body", "fail"),
        ("/false", "error_body", "fail"),
        ("/empty", "empty", "fail"),
        ("/nothing", "empty", "fail"),
        ("/missing", "status", "fail"),
        ("/broken", "status", "fail"),
        ("/loop", "status", "fail"),
        ("/plain", "plain_redirect", "fail"),
        ("/file", "status", "fail"),
        ("/slow", "timeout", "unreachable"),
        ("/drip", "timeout", "unreachable"),
    ],
)
def test_pages(serve: Serve, page: str, code: str, status: str) -> None:
    base, authority = serve()
    seen = look(base + page, ca_bundle=authority)
    assert (seen.code, seen.status) == (f"support_channel.{code}", status)


def test_the_text_that_a_page_must_have(serve: Serve) -> None:
    base, authority = serve()
    assert look(f"{base}/good", ca_bundle=authority, contains="Soporte").status == "pass"
    assert look(f"{base}/good", ca_bundle=authority, contains="Comanda").code == "support_channel.text_missing"


def test_certificates_that_nobody_would_trust(serve: Serve) -> None:
    base, authority = serve()
    assert look(f"{base}/good").code == "support_channel.certificate"
    base, authority = serve(days=-1)
    assert look(f"{base}/good", ca_bundle=authority).code == "support_channel.certificate"
    base, authority = serve(host="another.test")
    assert look(f"{base}/good", ca_bundle=authority).code == "support_channel.certificate"


def test_a_proxy_in_the_environment_is_not_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    base, authority = serve()
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert look(f"{base}/good", ca_bundle=authority).status == "pass"


def test_nobody_listens_and_somebody_speaks_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def greet() -> None:
            with listener.accept()[0] as client:
                client.sendall(b"220 mail\r\n" * 9)
                client.recv(4096)

        speaker = threading.Thread(target=greet)
        speaker.start()
        assert look(f"https://localhost:{port}/").code in ("support_channel.tls", "support_channel.broken")
        speaker.join()
    assert look(f"https://localhost:{port}/").code == "support_channel.refused"


def test_a_bundle_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    seen = look("https://localhost/", ca_bundle=str(tmp_path / "none.pem"))
    assert (seen.code, seen.status) == ("support_channel.ca_bundle", "error")


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(socket.EAI_NONAME, "name_dead", "fail"), (socket.EAI_AGAIN, "resolver", "unreachable"), (socket.EAI_FAIL, "resolver", "unreachable")],
)
def test_a_dead_name_and_a_dead_resolver_are_two_things(monkeypatch: pytest.MonkeyPatch, number: int, code: str, status: str) -> None:
    def fail(*given: t.Any, **named: t.Any) -> t.Any:
        raise socket.gaierror(number, "no")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    seen = look("https://soporte.comanda.test/")
    assert (seen.code, seen.status) == (f"support_channel.{code}", status)


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("tel:+57 601 000 0000", "number_well_formed"),
        ("TEL:+1-(212)-555.0100;ext=3", "number_well_formed"),
        ("tel:601 000 0000", "number_malformed"),
        ("tel:+0 601 000 0000", "number_malformed"),
        ("tel:+57", "number_malformed"),
        ("tel:+1234567890123456", "number_malformed"),
        ("tel:+57 601 LLAMAME", "number_malformed"),
        ("tel:", "number_malformed"),
        ("http://localhost/", "plain_http"),
        ("https://", "malformed"),
        ("https://[half/", "malformed"),
        ("https://host:port/", "malformed"),
        ("ftp://localhost/", "malformed"),
        ("the shop's phone", "malformed"),
        ("", "malformed"),
        ("mailto:", "mailbox_malformed"),
        ("mailto:soporte", "mailbox_malformed"),
        ("mailto:soporte@comanda", "mailbox_malformed"),
        ("mailto:a b@comanda.test", "mailbox_malformed"),
        ("mailto:a@b@comanda.test", "mailbox_malformed"),
    ],
)
def test_forms(channel: str, code: str) -> None:
    seen = look(channel)
    assert seen.code == f"support_channel.{code}"
    assert seen.status == ("pass" if code == "number_well_formed" else "fail")


@pytest.mark.parametrize(
    ("seen", "code", "status"),
    [
        ({"mail": "takes", "hosts": ["mx"]}, "mail_domain", "pass"),
        ({"mail": "refuses", "hosts": []}, "mail_refused", "fail"),
        ({"mail": "dead", "hosts": []}, "mail_domain_dead", "fail"),
    ],
)
def test_mail_is_judged_by_its_domain(seen: dict[str, t.Any], code: str, status: str) -> None:
    row = {"channel": "mailto:a@b.test", "scheme": "mailto", "domain": "b.test", **seen}
    (assertion,) = SupportChannel().judge(row, {})
    assert (assertion.code, assertion.status) == (f"support_channel.{code}", status)


class FakeResolver:
    """Stands where ``dns.resolver`` answers: the real one would leave this machine."""

    def __init__(self, answer: t.Any) -> None:
        self.answer = answer

    def __call__(self, *given: t.Any, **named: t.Any) -> t.Any:
        if isinstance(self.answer, list):
            return [type("MX", (), {"exchange": host})() for host in self.answer]
        raise self.answer


def test_mail_exchangers(monkeypatch: pytest.MonkeyPatch) -> None:
    import dns.exception
    import dns.resolver

    addresses = {"mx.comanda.test", "comanda.test"}

    def getaddrinfo(name: str, *given: t.Any, **named: t.Any) -> t.Any:
        if name not in addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for answer, mail in (
        (["mx.comanda.test."], "takes"),
        (["gone.test.", "mx.comanda.test."], "takes"),
        (["gone.test."], "dead"),
        (["."], "refuses"),
        (dns.resolver.NoAnswer(), "takes"),
        (dns.resolver.NXDOMAIN(), "dead"),
    ):
        monkeypatch.setattr(dns.resolver, "resolve", FakeResolver(answer))
        assert mail_domain("comanda.test")["mail"] == mail
    monkeypatch.setattr(dns.resolver, "resolve", FakeResolver(dns.exception.Timeout()))
    assert look("mailto:a@comanda.test").status == "unreachable"
    monkeypatch.setitem(sys.modules, "dns", None)
    monkeypatch.setitem(sys.modules, "dns.exception", None)
    assert look("mailto:a@comanda.test").code == "support_channel.mail_domain"
    addresses.clear()
    assert look("mailto:a@comanda.test").code == "common.library_missing"


@pytest.mark.parametrize("body", ["", "[]", "3", "not json", '{"error": ""}', '{"status": "ok"}', '{"errors": {}}'])
def test_bodies_that_say_nothing_of_an_error(body: str) -> None:
    assert error_in(body) == ""
