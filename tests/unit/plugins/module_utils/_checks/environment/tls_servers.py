# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real certificates and real servers on loopback, good and bad. Tests of this folder come in."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import socket
import ssl
import threading
import time
import typing as t
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority:
    """A private CA that signs whatever it is asked to, in *folder*."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name).public_key(self.key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - 400 * DAY).not_valid_after(now + 4000 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.bundle = folder / "ca.pem"
        self.bundle.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        san: t.Sequence[str] = ("shop.test",),
        begins_days: float = -1,
        lasts_days: float = 90,
        key: Key | None = None,
        self_signed: bool = False,
    ) -> pathlib.Path:
        """Write certificate and key into one PEM file and return its path."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        begins = datetime.datetime.now(datetime.UTC) + begins_days * DAY
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, san[0] if san else name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject if self_signed else self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(begins + lasts_days * DAY)
        if san:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(entry) for entry in san]), critical=False)
        signed = builder.sign(key if self_signed else self.key, hashes.SHA256())
        path = self.folder / f"{name}.pem"
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
        return path


Answer = t.Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(answer: Answer) -> t.Iterator[int]:
    """Give each connection to *answer*, in a thread of its own, and yield the port."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    over = threading.Event()

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            answer(connection)

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _address = server.accept()
                connection.settimeout(5)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        over.set()
        thread.join()
        server.close()


def tls(pem: pathlib.Path, *, newest: ssl.TLSVersion | None = None) -> Answer:
    """A TLS server; *newest* makes it an old one that speaks TLS 1.0 and 1.1 as well, up to that version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if newest or "weak" in pem.name:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(pem)
    if newest:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    return answer


def says(words: bytes) -> Answer:
    """A server that hears something and answers *words* in the clear (nothing at all, if they are empty), then hangs up."""

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(words)

    return answer


def silent(connection: socket.socket) -> None:
    """A server that accepts and then says nothing for longer than anyone waits."""
    time.sleep(3)


def closed_port() -> int:
    """Return a port on which nothing listens, and which no test is given meanwhile."""
    return 1
