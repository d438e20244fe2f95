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
from collections.abc import Iterator
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
        {"kind": "status", "for_s": 1, "status": 200},
        {"kind": "delay", "for_s": 1},
        {"kind": "delay", "for_s": 1, "delay_s": 61},
        {"kind": "reset", "for_s": 1, "times": 0},
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
    assert calls[1]["n"] == calls[0]["n"] + 1
    assert Record().calls("whatsapp") == []
    assert calls[0]["headers"]["X-Request-ID"] == "golive-1"
    assert "super-secret" not in json.dumps(calls)
    assert one.ask("GET", f"/_golive/calls?since={calls[0]['n']}")[1] == calls[1:]


def test_numbers_grow_over_a_restart_too() -> None:
    before, after = Record(), Record()
    before.add("stripe", "GET", "/", {}, "", 200)
    time.sleep(0.002)
    after = Record()
    after.add("stripe", "GET", "/", {}, "", 200)
    assert after.calls("stripe")[0]["n"] > before.calls("stripe")[0]["n"]


def test_the_record_is_asked_by_what_matters(simulator: Make) -> None:
    one = simulator("whatsapp")
    for to, text in (("+57 300", "golive-1"), ("+34 600", "golive-2")):
        one.ask("POST", "/v21.0/1/messages", {"messaging_product": "whatsapp", "to": to, "text": {"body": f"año {text}"}}, Authorization="Bearer x")
    one.ask("GET", "/v21.0/1", Authorization="Bearer x")

    def asked(query: str) -> list[str]:
        return [call["method"] + " " + call["to"] for call in one.ask("GET", f"/_golive/calls?{query}")[1]]

    assert asked("to=57300") == ["POST +57 300"]
    assert asked("contains=golive-2") == asked("contains=a%C3%B1o%20golive-2") == ["POST +34 600"]
    assert asked("method=POST&contains=golive") == ["POST +57 300", "POST +34 600"]
    assert asked("to=57300&contains=golive-2") == []
    assert [one.ask("GET", f"/_golive/calls?{query}")[0] for query in ("conains=x", "since=x")] == [400, 400]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v21.0/1?fields=id&access_token=SECRET", ""),
        ("/", "amount=1&card%5Bnumber%5D=SECRET&payment_method_data%5Bcard%5D%5Bcvc%5D=SECRET"),
        ("/", '{"token": "SECRET", "payer": {"email": "a@a.test"}, "card": {"security_code":"SECRET"}}'),
        ("/", '{"password": "with \\" SECRET"}'),
    ],
)
def test_what_must_not_be_kept_of_a_query_or_body_is_not(path: str, body: str) -> None:
    record = Record()
    record.add("stripe", "POST", path, {"X-Api-Key": "SECRET", "Stripe-Signature": "SECRET"}, body, 200)
    assert "SECRET" not in json.dumps(record.calls("stripe"))
    assert "kept-out" in json.dumps(record.calls("stripe"))


def test_a_reset_did_nothing_and_half_an_answer_did_it(simulator: Make) -> None:
    one = simulator("whatsapp")
    sent = {"messaging_product": "whatsapp", "to": "57300", "text": {"body": "hola"}}
    for kind in ("reset", "half"):
        one.fault(kind=kind, times=1)
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            one.ask("POST", "/v21.0/1/messages", sent, Authorization="Bearer x")
    one.ask("POST", "/v21.0/1/messages", sent, Authorization="Bearer x")
    assert [(call["fault"], call["status"], call["effect"]) for call in one.calls()] == [("reset", None, None), ("half", None, "new"), (None, 200, "new")]


def test_a_proxy_is_not_the_own_host(simulator: Make) -> None:
    assert simulator("stripe").ask("GET", "/_golive/calls", **{"X-Forwarded-For": "10.0.0.1"})[0] == 403


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

    def status(source: str, path: str = "/") -> int:
        with (
            socket.create_connection(server.server_address[:2], timeout=5, source_address=(source, 0)) as raw,
            trust.wrap_socket(raw, server_hostname="mp.test", suppress_ragged_eofs=False) as spoken,
        ):
            spoken.sendall(f"GET {path} HTTP/1.1\r\nHost: mp.test\r\nConnection: close\r\n\r\n".encode())
            return int(spoken.recv(4096).split()[1])

    try:
        assert status("127.0.0.2") == 200
        faults.add("mercadopago", Fault.of({"kind": "refuse", "for_s": 30}))
        with pytest.raises(ssl.SSLError):
            status("127.0.0.2")
        assert status("127.0.0.1", "/_golive/calls") == 200
        with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
            status("127.0.0.1")
        assert [(call["method"], call["fault"]) for call in record.calls("mercadopago")] == [("GET", None), ("CONNECT", "refuse"), ("GET", "refuse")]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[tuple[Record, Faults, t.Callable[..., None]]]:
    """A mail sink with a certificate, and a client that speaks to it as comanda does."""
    record, faults = Record(), Faults()
    served, private = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(served, private)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    door = mail.door({"token": "right", "port": port}, "127.0.0.1", tls, record, faults)
    door.start()
    trust = ssl.create_default_context(cafile=str(served))
    trust.check_hostname = False

    def send(password: str = "right") -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            client.ehlo()
            assert not client.has_extn("auth")
            client.starttls(context=trust)
            client.login("comanda", password)
            client.sendmail("a@a.test", "oncall@comanda.test", "Subject: disco\r\nX-Request-ID: golive-1\r\n\r\nlleno\r\n")

    yield record, faults, send
    door.stop()


Post = tuple[Record, Faults, t.Callable[..., None]]


def test_mail_is_kept_and_a_wrong_password_is_refused(post: Post) -> None:
    record, _faults, send = post
    send()
    with pytest.raises(smtplib.SMTPAuthenticationError):
        send("wrong")
    [kept] = record.calls("smtp", to="OnCall@comanda.test")
    assert (kept["method"], kept["path"], kept["headers"]["Subject"], kept["body"].strip()) == ("MAIL", "oncall@comanda.test", "disco", "lleno")


def test_a_mail_server_says_later_as_often_as_asked_for(post: Post) -> None:
    record, faults, send = post
    faults.add("smtp", Fault.of({"kind": "status", "status": 451, "for_s": 30, "times": 1}))
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send()
    assert refused.value.recipients["oncall@comanda.test"][0] == 451
    send()
    assert [(call["method"], call["status"], call["effect"]) for call in record.calls("smtp")] == [("RCPT", 451, None), ("MAIL", 250, "new")]


def test_a_mail_server_is_slow_breaks_off_or_is_not_there(post: Post) -> None:
    record, faults, send = post
    faults.add("smtp", Fault.of({"kind": "delay", "delay_s": 0.3, "for_s": 30, "times": 1}))
    started = time.monotonic()
    send()
    assert time.monotonic() - started >= 0.3
    for kind in ("reset", "refuse"):
        faults.add("smtp", Fault.of({"kind": kind, "for_s": 30, "times": 1}))
        with pytest.raises((ConnectionError, smtplib.SMTPServerDisconnected)):
            send()
    assert [(call["method"], call["fault"]) for call in record.calls("smtp")] == [("MAIL", None), ("RCPT", "reset"), ("CONNECT", "refuse")]
    send()


def test_half_an_answer_is_nothing_that_mail_has(simulator: Make) -> None:
    assert simulator("stripe").ask("POST", "/_golive/faults?provider=smtp", {"kind": "half", "for_s": 1})[0] == 400
