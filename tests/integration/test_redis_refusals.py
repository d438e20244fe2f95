# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``redis.persistence`` against real Redis servers and impostors: every way of not knowing has its name, and none is a pass."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import pathlib
import signal
import socket
import sys
import threading
import time
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow
from ansible_collections.resto.golive.plugins.module_utils._checks.redis import redis_files
from ansible_collections.resto.golive.plugins.module_utils._checks.redis.redis_persistence import RedisPersistence

from .redis_server import BARE, PASSWORD, Redis, codes, context, free_port, run, running, status


@pytest.fixture
def server(tmp_path: pathlib.Path) -> t.Iterator[Redis]:
    with running(tmp_path) as one:
        yield one


def why_not(port: int, **options: t.Any) -> tuple[str, str]:
    """Return status and code of a look that must be impossible, and see that it tells no password."""
    with pytest.raises(CannotKnow) as caught:
        RedisPersistence().observe(context(port, **options))
    assert PASSWORD not in str(caught.value.params)
    assert caught.value.__cause__ is None
    return caught.value.status, caught.value.code.removeprefix("redis_persistence.")


def test_wrong_missing_and_needless_passwords(server: Redis) -> None:
    assert why_not(server.port, password="not-" + PASSWORD) == ("error", "password_wrong")
    assert why_not(server.port, password="") == ("error", "password_missing")
    with server.client() as client:
        client.config_set("requirepass", "")
    assert why_not(server.port) == ("error", "password_unneeded")


@pytest.mark.parametrize(("rights", "fix"), [(["+info"], False), (["+config|get"], False), (["+info", "+config|get"], True)])
def test_a_user_without_the_rights(server: Redis, rights: list[str], fix: bool) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "golive", "on", f">{PASSWORD}", "+ping", *rights)
    outcome = run(server.port, fix=fix, username="golive")
    assert codes(outcome) == ["no_permission"]
    assert outcome.assertions["redis.persistence"][0].params["user"] == "golive"


def test_a_renamed_command(tmp_path: pathlib.Path) -> None:
    running = Redis(tmp_path, config=BARE + 'rename-command CONFIG ""\n')
    try:
        assert why_not(running.port) == ("error", "command_disabled")
    finally:
        running.stop()


def test_a_closed_port() -> None:
    assert why_not(free_port()) == ("unreachable", "refused")


def test_a_name_that_nobody_knows() -> None:
    assert why_not(6379, host="cache.invalid") == ("unreachable", "name_unknown")


def test_a_server_that_hangs_costs_one_deadline(server: Redis) -> None:
    server.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    assert why_not(server.port) == ("unreachable", "no_answer")
    assert time.monotonic() - started < 8


def test_tls_asked_of_a_server_without(server: Redis) -> None:
    assert why_not(server.port, tls=True) == ("unreachable", "no_answer"), "Redis takes a handshake for half a line and waits for the rest"
    assert why_not(server.port, tls=True, tls_ca_file="/nonexistent/ca.pem") == ("error", "tls_refused")


def test_tls_is_verified(tmp_path: pathlib.Path) -> None:
    certificate = self_signed(tmp_path)
    port = free_port()
    files = f"tls-cert-file {certificate}\ntls-key-file {certificate}\ntls-ca-cert-file {certificate}\ntls-auth-clients no\n"
    running = Redis(tmp_path, config=f"{BARE}tls-port {port}\n{files}")
    try:
        assert why_not(port, tls=True) == ("error", "tls_refused")
        assert why_not(port) == ("unreachable", "closed")
        assert status(run(port, tls=True, tls_ca_file=str(certificate))) == "fail"
    finally:
        running.stop()


def self_signed(folder: pathlib.Path) -> pathlib.Path:
    """Return a file with a key and a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cache")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "redis.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_replica(server: Redis) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", free_port())
    assert why_not(server.port) == ("error", "is_replica")


def test_a_server_elsewhere_is_never_a_pass(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    run(server.port, fix=True)
    monkeypatch.setattr(redis_files, "find_process", lambda process_id: None)
    outcome = run(server.port, fix=True)
    assert (status(outcome), codes(outcome)) == ("error", ["files_not_seen", "files_not_seen"])


def test_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CannotKnow) as caught:
        RedisPersistence().observe(context(6379))
    assert (caught.value.code, caught.value.params) == ("common.library_missing", {"library": "redis", "package": "python3-redis"})


@contextlib.contextmanager
def impostor(answer: bytes) -> t.Iterator[int]:
    """Something that listens and says *answer* to everything; with nothing to say it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError):
                    link, _address = listener.accept()
                    with link:
                        link.settimeout(2)
                        while answer and link.recv(4096):
                            link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "odd_answer"),
        (b"\x00\xff\xfe\r\n", "odd_answer"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-DENIED Redis is running in protected mode because\r\n", "protected_mode"),
        (b"-ERR max number of clients reached\r\n", "clients_exhausted"),
        (b"$0\r\n\r\n", "common.empty_answer"),
        (b"$9\r\nfoo:bar\r\n\r\n", "field_missing"),
        (b":42\r\n", "odd_answer"),
        (b"*0\r\n", "odd_answer"),
    ],
)
def test_something_else_answers(answer: bytes, code: str) -> None:
    with impostor(answer) as port:
        assert why_not(port, password="")[1] == code
