# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a TLS server shows to a stranger: addresses, handshakes, certificates. Checks that look at certificates come in.

Whether a chain is trusted is OpenSSL's word (a verified handshake); what a certificate says is read by ``cryptography``, which is imported when it is needed.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import socket
import ssl
import typing as t
import warnings

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json

#: Verification errors of OpenSSL (x509_vfy.h) that speak of the name and leave the chain alone: hostname, e-mail, address mismatch.
NAME_ERRORS = frozenset({62, 63, 64})

#: What a server answers to a version that it does not speak; anything else says nothing about versions.
VERSION_REFUSALS = ("PROTOCOL_VERSION", "HANDSHAKE_FAILURE", "UNSUPPORTED_PROTOCOL", "INSUFFICIENT_SECURITY", "INTERNAL_ERROR", "UNEXPECTED_EOF")

#: These come from our own OpenSSL before anything was sent: the attempt proves nothing.
OWN_LIMITS = ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_CIPHER_MATCH", "UNSUPPORTED_SSL_VERSION")

#: How OpenSSL says that whoever answers does not speak TLS at all.
NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
)


@dataclasses.dataclass(frozen=True)
class Contexts:
    """One of each for a whole run: reading a trust store costs more than a handshake."""

    verified: ssl.SSLContext
    chain_only: ssl.SSLContext
    unverified: ssl.SSLContext
    legacy: ssl.SSLContext | None


class HandshakeProblem(Exception):
    """Why there was no handshake. ``kind``: refused, no_route, timeout, closed, not_tls, alert or unverified."""

    def __init__(self, kind: str, detail: str, code: int = 0) -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail
        self.code = code

    def as_json(self) -> dict[str, Json]:
        return {"kind": self.kind, "detail": self.detail, "code": self.code}


@dataclasses.dataclass(frozen=True)
class Handshake:
    der: bytes
    protocol: str
    cipher: str


def make_contexts(ca_bundle: str) -> Contexts:
    """Return contexts that trust *ca_bundle* (a PEM file), or the system's store where it is empty. Raises ``OSError`` where the file cannot be used."""
    verified, chain_only = _verifying_context(ca_bundle), _verifying_context(ca_bundle)
    chain_only.check_hostname = False
    return Contexts(verified, chain_only, _describing_context(), _legacy_context())


def _verifying_context(ca_bundle: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_bundle or None)
    # Python 3.13 adds checks that browsers do not make; a certificate must not be judged by the Python of the host that looks.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    return context


def _describing_context() -> ssl.SSLContext:
    """Only to read what is served after verification has refused it: nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    # A weak key is what we want to see; OpenSSL's default level would end the handshake first.
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _legacy_context() -> ssl.SSLContext | None:
    """A client of before 2018 (TLS 1.0 and 1.1), or None where this OpenSSL cannot be one."""
    if not (ssl.HAS_TLSv1 or ssl.HAS_TLSv1_1):
        return None
    context = _describing_context()
    with warnings.catch_warnings():
        # Python warns that these versions are deprecated, which is the very reason for asking.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def split_endpoint(endpoint: str, default_port: int) -> tuple[str, int]:
    """Return host and port of ``host``, ``host:port`` or ``[v6]:port``."""
    host, colon, port = endpoint.rpartition(":")
    if endpoint.startswith("[") or (colon and ":" not in host):
        return (host.strip("[]"), int(port)) if port.isdigit() else (endpoint.strip("[]"), default_port)
    return endpoint, default_port


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of *host* that this machine can use, each once, in the resolver's order. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connected socket. Raises :class:`HandshakeProblem`."""
    try:
        return socket.create_connection((address, port), timeout=timeout_s)
    except ConnectionRefusedError as error:
        raise HandshakeProblem("refused", str(error)) from None
    except TimeoutError:
        raise HandshakeProblem("timeout", f"no connection within {timeout_s:g} s") from None
    except OSError as error:
        raise HandshakeProblem("no_route", error.strerror or str(error)) from None


def handshake(context: ssl.SSLContext, address: str, port: int, name: str, timeout_s: float) -> Handshake:
    """Shake hands with *address* as a client of *name* and hang up. Raises :class:`HandshakeProblem`."""
    with connect(address, port, timeout_s) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=name) as secured:
                der = secured.getpeercert(binary_form=True)
                cipher = secured.cipher()
                if der is None:
                    raise HandshakeProblem("alert", "the server showed no certificate")
                return Handshake(der, secured.version() or "", cipher[0] if cipher else "")
        except ssl.SSLCertVerificationError as error:
            raise HandshakeProblem("unverified", error.verify_message, error.verify_code) from None
        except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError) as error:
            raise HandshakeProblem("closed", getattr(error, "reason", None) or "connection reset") from None
        except TimeoutError:
            raise HandshakeProblem("timeout", f"no handshake within {timeout_s:g} s") from None
        except ssl.SSLError as error:
            reason = (error.reason or str(error)).upper().replace(" ", "_")
            raise HandshakeProblem("not_tls" if any(word in reason for word in NOT_TLS) else "alert", reason) from None
        except OSError as error:
            raise HandshakeProblem("closed", error.strerror or str(error)) from None


def look(contexts: Contexts, address: str, port: int, name: str, timeout_s: float) -> dict[str, Json]:
    """Return what *address* serves for *name*.

    ``problem`` is None, or why nothing is known; ``verify``: ``chain`` and ``name`` are OpenSSL's two verdicts, with its message and code.
    """
    seen: dict[str, Json] = {"address": address, "problem": None}
    verify: dict[str, Json] = {"chain": True, "name": True, "code": 0, "message": "ok"}
    try:
        shaken = handshake(contexts.verified, address, port, name, timeout_s)
    except HandshakeProblem as problem:
        # A handshake that broke off may still be one that our strict client refused (an old version, a tiny key): the lenient one finds out.
        if problem.kind not in ("unverified", "alert", "closed"):
            return {**seen, "problem": problem.as_json()}
        verify = {"chain": False, "name": problem.kind != "unverified" or problem.code not in NAME_ERRORS, "code": problem.code, "message": problem.detail}
        try:
            shaken = handshake(contexts.unverified, address, port, name, timeout_s)
            if problem.code in NAME_ERRORS:
                verify["chain"] = _chain_holds(contexts, address, port, name, timeout_s)
        except HandshakeProblem as second:
            return {**seen, "problem": second.as_json()}
    return {**seen, "verify": verify, "protocol": shaken.protocol, "cipher": shaken.cipher, "certificate": describe(shaken.der)}


def _chain_holds(contexts: Contexts, address: str, port: int, name: str, timeout_s: float) -> bool:
    try:
        handshake(contexts.chain_only, address, port, name, timeout_s)
    except HandshakeProblem as problem:
        if problem.kind == "unverified":
            return False
        raise
    return True


def speaks_legacy(contexts: Contexts, address: str, port: int, name: str, timeout_s: float) -> dict[str, str]:
    """Return ``answer`` (accepted, refused or unknown) to a client that knows TLS 1.0 and 1.1 only, and what was said."""
    if contexts.legacy is None:
        return {"answer": "unknown", "detail": f"{ssl.OPENSSL_VERSION} has no TLS 1.0 and 1.1"}
    try:
        return {"answer": "accepted", "detail": handshake(contexts.legacy, address, port, name, timeout_s).protocol}
    except HandshakeProblem as problem:
        by_server = problem.kind == "closed" or any(word in problem.detail for word in VERSION_REFUSALS)
        return {"answer": "refused" if by_server and not any(word in problem.detail for word in OWN_LIMITS) else "unknown", "detail": problem.detail}


def describe(data: bytes) -> dict[str, Json]:
    """Return what a certificate (DER, or the first one of a PEM file) says of itself. Raises :class:`CannotKnow` without ``cryptography`` or for an odd one.

    ``serial`` and ``fingerprint`` (SHA-256) are lower-case hex; ``not_before`` and ``not_after`` seconds since the epoch; ``key`` is type and bits.
    """
    try:
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
    except ImportError:
        raise CannotKnow("common.library_missing", library="cryptography", package="python3-cryptography") from None
    try:
        certificate = x509.load_pem_x509_certificate(data) if data.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_certificate(data)
        key = certificate.public_key()
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            san = [str(name) for name in names.get_values_for_type(x509.DNSName)] + [str(name) for name in names.get_values_for_type(x509.IPAddress)]
        except x509.ExtensionNotFound:
            san = []
        algorithm = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CannotKnow("tls_certificate.unreadable", message=str(error)[:200]) from None
    kinds: dict[str, type] = {
        "RSA": rsa.RSAPublicKey,
        "EC": ec.EllipticCurvePublicKey,
        "DSA": dsa.DSAPublicKey,
        "Ed25519": ed25519.Ed25519PublicKey,
        "Ed448": ed448.Ed448PublicKey,
    }
    return {
        "serial": f"{certificate.serial_number:x}",
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
        "issuer": certificate.issuer.rfc4514_string(),
        "subject": certificate.subject.rfc4514_string(),
        "self_signed": certificate.issuer == certificate.subject,
        "san": san,
        "not_before": _epoch(certificate, "not_valid_before"),
        "not_after": _epoch(certificate, "not_valid_after"),
        "key": {"type": next((name for name, kind in kinds.items() if isinstance(key, kind)), "other"), "bits": int(getattr(key, "key_size", 0))},
        # Ed25519 and Ed448 hash inside the signature: there is no algorithm to be weak.
        "signature_hash": algorithm.name if algorithm else "intrinsic",
    }


def _epoch(certificate: object, attribute: str) -> float:
    """Debian 12's ``cryptography`` 38 only knows the naive attribute, in UTC; 42 and later warn about it and have ``…_utc``."""
    moment = getattr(certificate, f"{attribute}_utc", None) or getattr(certificate, attribute).replace(tzinfo=datetime.UTC)
    return float(moment.timestamp())


def matches(name: str, san: t.Iterable[str]) -> bool:
    """Whether *name* is one of *san*: exact, or a wildcard for exactly one whole left-most label (RFC 9525, 6.3). The subject's CN counts for nothing."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        wanted = _ascii(name)
        parent = wanted.partition(".")[2]
        return any(_ascii(entry) == wanted or (parent.count(".") > 0 and _ascii(entry) == f"*.{parent}") for entry in san)
    return str(address) in san


def _ascii(name: str) -> str:
    bare = name.rstrip(".").lower()
    try:
        return bare if bare.isascii() else bare.encode("idna").decode()
    except UnicodeError:
        return bare
