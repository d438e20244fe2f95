# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on purpose is seen by a client as it would be in the world; and who may ask for it."""

from __future__ import annotations

import datetime
import http.client
import json
import smtplib
import socket
import ssl
import threading
import time
import typing as t
from pathlib import Path

import pytest
from conftest import Simulator
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from providers import mail
from providers.__main__ import KINDS
from providers.faults import Fault, Faults, Wrong
from providers.record import Record
from providers.server import Server

Make = t.Callable[..., Simulator]


def test_a_status_with_retry_after_as_often_as_asked_for(simulator: Make) -> None:
    one = simulator("mercadopago")
    one.fault(kind="status", status=429, retry_after="7", times=1)
    status, _body, headers = one.ask("GET", "/")
    assert (status, headers["Retry-After"]) == (429, "7")
    assert one.ask("GET", "/")[0] == 200


def test_a_delay_is_late_and_right(simulator: Make) -> None:
    one = simulator("mercadopago")
    one.fault(kind="delay", delay_s=0.3)
    started = time.monotonic()
    assert one.ask("GET", "/")[0] == 200
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(("kind", "wanted"), [("reset", ConnectionResetError), ("half", (http.client.IncompleteRead, ConnectionResetError))])
def test_a_connection_that_breaks(simulator: Make, kind: str, wanted: t.Any) -> None:
    one = simulator("mercadopago")
    one.fault(kind=kind)
    with pytest.raises(wanted):
        one.ask("GET", "/")
    assert [(call["status"], call["fault"]) for call in one.calls()] == [(None, kind)]


def test_a_fault_ends_by_itself_and_by_being_taken_away(simulator: Make) -> None:
    one = simulator("mercadopago")
    one.fault(kind="status", for_s=0.2)
    one.fault(kind="status", for_s=30)
    assert len(one.ask("GET", "/_golive/faults")[1]) == 2
    time.sleep(0.25)
    assert len(one.ask("GET", "/_golive/faults")[1]) == 1
    assert one.ask("DELETE", "/_golive/faults")[:2] == (200, [])
    assert one.ask("GET", "/")[0] == 200


def test_a_fault_for_some_calls_only(simulator: Make) -> None:
    one = simulator("stripe")
    one.fault(kind="status", status=500, contains="golive-1")
    assert one.ask("POST", "/v1/payment_intents", "golive-2", Authorization="Bearer x")[0] == 400
    assert one.ask("POST", "/v1/payment_intents", "golive-1", Authorization="Bearer x")[0] == 500


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kind": "explode", "for_s": 1},
        {"kind": "reset"},
        {"kind": "reset", "for_s": 3601},
        {"kind": "reset", "for_s": 1, "often": 2},
        {"kind": "reset", "for_s": True},
    ],
)
def test_what_is_no_fault_is_refused(given: dict[str, t.Any]) -> None:
    with pytest.raises(Wrong):
        Fault.of(given)


def test_the_own_door_is_for_the_own_host(simulator: Make) -> None:
    one = simulator("mercadopago")
    for method, path in (("GET", "/_golive/calls"), ("POST", "/_golive/faults"), ("DELETE", "/_golive/faults")):
        assert one.ask(method, path, {"kind": "reset", "for_s": 9}, source="127.0.0.2")[0] == 403
    assert one.ask("GET", "/", source="127.0.0.2")[0] == 200
    assert one.ask("GET", "/_golive/calls?provider=nobody")[0] == 404


def test_the_record_counts_and_keeps_no_secrets(simulator: Make) -> None:
    one = simulator("whatsapp", token="super-secret")
    for _time in range(2):
        one.ask("POST", "/v21.0/1/messages", {"to": "x"}, Authorization="Bearer super-secret", **{"X-Request-ID": "golive-1"})
    calls = one.calls()
    assert [call["n"] for call in calls] == [1, 2]
    assert calls[0]["headers"]["X-Request-ID"] == "golive-1"
    assert "super-secret" not in json.dumps(calls)
    assert one.ask("GET", "/_golive/calls?since=1")[1] == calls[1:]


def certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mp.test")]), datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    made = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("mp.test")]), critical=False).sign(key, hashes.SHA256())
    paths = directory / "host.pem", directory / "host.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


def test_a_refused_session_is_no_session_but_for_who_reads_the_record(tmp_path: Path) -> None:
    served, private = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(served, private)
    record, faults = Record(), Faults()
    server = Server(("127.0.0.1", 0), {"mp.test": ("mercadopago", KINDS["mercadopago"]({}))}, record, faults, tls, ())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    trust = ssl.create_default_context(cafile=str(served))

    def status(source: str) -> int:
        with (
            socket.create_connection(server.server_address[:2], timeout=5, source_address=(source, 0)) as raw,
            trust.wrap_socket(raw, server_hostname="mp.test") as spoken,
        ):
            spoken.sendall(b"GET / HTTP/1.1\r\nHost: mp.test\r\nConnection: close\r\n\r\n")
            return int(spoken.recv(4096).split()[1])

    try:
        assert status("127.0.0.2") == 200
        faults.add("mercadopago", Fault.of({"kind": "refuse", "for_s": 30}))
        with pytest.raises(ssl.SSLError):
            status("127.0.0.2")
        assert status("127.0.0.1") == 200
        assert [(call["method"], call["fault"]) for call in record.calls("mercadopago")] == [("GET", None), ("CONNECT", "refuse"), ("GET", None)]
    finally:
        server.shutdown()
        server.server_close()


def test_mail_is_kept_and_its_faults_are_smtps() -> None:
    record, faults = Record(), Faults()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sink = mail.controller(mail.Sink({"token": "right"}, record, faults), "127.0.0.1", port)
    sink.start()

    def send(password: str = "right") -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            client.login("comanda", password)
            client.sendmail("a@a.test", "oncall@comanda.test", "Subject: disco\r\nX-Request-ID: golive-1\r\n\r\nlleno\r\n")

    try:
        send()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            send("wrong")
        faults.add("smtp", Fault.of({"kind": "status", "status": 451, "for_s": 30, "times": 1}))
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send()
        assert refused.value.recipients["oncall@comanda.test"][0] == 451
        kept = [call for call in record.calls("smtp") if call["method"] == "MAIL"]
        assert [(call["path"], call["headers"]["Subject"], call["body"].strip()) for call in kept] == [("oncall@comanda.test", "disco", "lleno")]
    finally:
        sink.stop()
