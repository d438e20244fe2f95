# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``tls_certificate``: judged at the edges of its thresholds, and looking at real servers, with openssl as the second opinion."""

from __future__ import annotations

import builtins
import pathlib
import re
import socket
import ssl
import subprocess
import typing as t

import pytest
import tls_servers as servers
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.resto.golive.plugins.module_utils import _tls
from ansible_collections.resto.golive.plugins.module_utils._check import STATUSES, Assertion, CannotKnow, run_target, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_certificate import TlsCertificate
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext
from ansible_collections.resto.golive.plugins.module_utils._options import validated

DAY = 86400.0
NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> servers.Authority:
    return servers.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(autouse=True)
def _names_are_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' names live on loopback; everything else goes to the real resolver."""
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return real("127.0.0.1" if host.endswith("shop.test") else host, port, *args, **{**kwargs, "flags": 0})

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def options(**given: t.Any) -> dict[str, t.Any]:
    return validated(TlsCertificate, {"domains": {"website": "shop.test"}, **given})


def look(authority: servers.Authority, port: int, **given: t.Any) -> list[Assertion]:
    chosen = options(port=port, ca_bundle=str(authority.bundle), **{"connect_timeout_s": 1.0, "redirect_port": servers.closed_port(), **given})
    name = next(iter(chosen["domains"].values()))
    return run_target(TlsCertificate(), RunContext(chosen, {}, f"{name}:{port}", 20)).assertions["environment.tls"]


def codes(assertions: t.Iterable[Assertion], *statuses: str) -> set[str]:
    return {assertion.code.removeprefix("tls_certificate.") for assertion in assertions if not statuses or assertion.status in statuses}


def reason(assertions: list[Assertion]) -> tuple[str, str]:
    status = worst(assertion.status for assertion in assertions)
    return status, next(assertion.code for assertion in assertions if assertion.status == status)


# Looking at real servers


def test_a_good_server_passes_everything_but_the_closed_port_80(authority: servers.Authority) -> None:
    with servers.listening(servers.tls(authority.issue("good", ("www.shop.test", "shop.test")))) as port:
        assertions = look(authority, port)
    assert codes(assertions, "fail", "error", "unreachable") == set()
    assert codes(assertions, "warn") == {"redirect_closed"}
    assert {"trusted", "name_matches", "valid_now", "lifetime_left", "key_strong", "legacy_refused", "version_modern"} <= codes(assertions, "pass")


BAD: dict[str, tuple[dict[str, t.Any], str]] = {
    "expired": ({"begins_days": -100}, "expired"),
    "not yet valid": ({"begins_days": 3}, "not_yet_valid"),
    "wrong name": ({"san": ("other.test",)}, "name_missing"),
    "no SAN, right CN": ({"san": ()}, "name_missing"),
    "wildcard one level too high": ({"san": ("*.test",)}, "name_missing"),
    "self-signed": ({"self_signed": True}, "self_signed"),
    "weak RSA key": ({"key": rsa.generate_private_key(65537, 1024)}, "key_weak"),
    "nearly expired": ({"begins_days": -80}, "lifetime_critical"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_certificate_fails_for_its_own_reason(authority: servers.Authority, case: str) -> None:
    how, code = BAD[case]
    with servers.listening(servers.tls(authority.issue(f"weak-{case.replace(' ', '-')}", **how))) as port:
        assertions = look(authority, port)
    assert reason(assertions)[0] == "fail"
    assert code in codes(assertions, "fail")


def test_a_chain_of_another_authority_is_untrusted_and_its_name_still_matches(authority: servers.Authority, tmp_path: pathlib.Path) -> None:
    with servers.listening(servers.tls(servers.Authority(tmp_path).issue("foreign"))) as port:
        assertions = look(authority, port)
    assert reason(assertions) == ("fail", "tls_certificate.untrusted")
    assert "name_matches" in codes(assertions, "pass")


def test_a_wrong_name_under_a_good_authority_leaves_the_chain_trusted(authority: servers.Authority) -> None:
    with servers.listening(servers.tls(authority.issue("misnamed", ("other.test",)))) as port:
        assertions = look(authority, port)
    assert codes(assertions, "fail") == {"name_missing"}
    assert "trusted" in codes(assertions, "pass")


#: The client's own openssl.cnf allows them: the positive control without which "refused" would prove nothing.
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_speaks_tls_1_1_is_caught(authority: servers.Authority, newest: ssl.TLSVersion) -> None:
    with servers.listening(servers.tls(authority.issue("old"), newest=newest)) as port:
        assertions = look(authority, port)
    assert "legacy_accepted" in codes(assertions, "fail")
    assert ("version_old" in codes(assertions, "fail")) is (newest == ssl.TLSVersion.TLSv1_1)


def test_a_client_without_old_versions_says_so(authority: servers.Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "HAS_TLSv1", False)
    monkeypatch.setattr(ssl, "HAS_TLSv1_1", False)
    with servers.listening(servers.tls(authority.issue("good"))) as port:
        assert "legacy_unknown" in codes(look(authority, port), "warn")


SILENT: dict[str, tuple[servers.Answer, tuple[str, str]]] = {
    "accepts and says nothing": (servers.silent, ("unreachable", "tls_certificate.no_answer")),
    "answers plain HTTP": (servers.says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), ("fail", "tls_certificate.not_tls")),
    "answers nothing and hangs up": (servers.says(b""), ("fail", "tls_certificate.handshake_failed")),
    "answers an ssh banner": (servers.says(b"SSH-2.0-OpenSSH_9.2\r\n"), ("fail", "tls_certificate.not_tls")),
}


@pytest.mark.parametrize("case", SILENT)
def test_what_is_no_tls_server_never_passes(authority: servers.Authority, case: str) -> None:
    answer, expected = SILENT[case]
    with servers.listening(answer) as port:
        assert reason(look(authority, port)) == expected


def test_a_closed_port_is_a_fail(authority: servers.Authority) -> None:
    assert reason(look(authority, servers.closed_port())) == ("fail", "tls_certificate.refused")


def test_no_route_is_no_verdict(authority: servers.Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    def unroutable(*args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "create_connection", unroutable)
    assert reason(look(authority, 443)) == ("unreachable", "tls_certificate.no_answer")


REDIRECTS: dict[str, tuple[bytes, str]] = {
    "to https": (b"HTTP/1.1 301 Moved\r\nLocation: https://shop.test/\r\nContent-Length: 0\r\n\r\n", "redirects"),
    "to http": (b"HTTP/1.1 301 Moved\r\nLocation: http://shop.test/x\r\nContent-Length: 0\r\n\r\n", "redirect_missing"),
    "page in the clear": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "redirect_missing"),
    "not HTTP": (b"hello\r\n", "redirect_unknown"),
    "nothing": (b"", "redirect_unknown"),
}


@pytest.mark.parametrize("case", REDIRECTS)
def test_port_80(authority: servers.Authority, case: str) -> None:
    words, code = REDIRECTS[case]
    with servers.listening(servers.tls(authority.issue("good"))) as port, servers.listening(servers.says(words)) as plain:
        assert code in codes(look(authority, port, redirect_port=plain))


# What cannot be known


def test_a_name_that_does_not_resolve_is_unreachable(authority: servers.Authority) -> None:
    assert reason(look(authority, 443, domains={"website": "nobody.invalid"})) == ("unreachable", "tls_certificate.name_unresolved")


def test_a_missing_ca_bundle_is_an_error() -> None:
    context = RunContext(options(ca_bundle="/nonexistent.pem"), {}, "shop.test:443", 5)
    with pytest.raises(CannotKnow) as raised:
        TlsCertificate().observe(context)
    assert (raised.value.code, raised.value.params["path"]) == ("tls_certificate.ca_bundle_unreadable", "/nonexistent.pem")


def test_an_empty_ca_bundle_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(CannotKnow, match="ca_bundle_unreadable"):
        TlsCertificate().observe(RunContext(options(ca_bundle=str(tmp_path / "empty.pem")), {}, "shop.test:443", 5))


def test_a_missing_library_is_named_with_its_package(authority: servers.Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    with servers.listening(servers.tls(authority.issue("good"))) as port:
        monkeypatch.setattr(builtins, "__import__", without)
        assertions = look(authority, port)
    assert reason(assertions) == ("error", "common.library_missing")
    assert assertions[0].params["package"] == "python3-cryptography"


def test_a_certificate_that_cannot_be_parsed_is_an_error() -> None:
    with pytest.raises(CannotKnow, match=r"tls_certificate\.unreadable"):
        _tls.describe(b"\x30\x03\x02\x01")


# The second opinion


def test_openssl_reads_the_same(authority: servers.Authority) -> None:
    path = authority.issue("oracle", ("shop.test", "*.shop.test"))
    with servers.listening(servers.tls(path)) as port:
        shaken = _tls.handshake(_tls.make_contexts(str(authority.bundle)).verified, "127.0.0.1", port, "shop.test", 2)
        argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "shop.test", "-CAfile", str(authority.bundle)]
        session = subprocess.run(
            [*argv, "-verify_hostname", "shop.test", "-verify_return_error"], input="", capture_output=True, text=True, timeout=10, check=False
        )
    assert "Verify return code: 0 (ok)" in session.stdout
    argv = ["openssl", "x509", "-noout", "-serial", "-fingerprint", "-sha256", "-enddate", "-ext", "subjectAltName", "-dateopt", "iso_8601"]
    said = subprocess.run(argv, input=session.stdout, capture_output=True, text=True, timeout=10, check=True).stdout
    ours = _tls.describe(shaken.der)
    (serial,) = re.findall(r"^serial=([0-9A-F]+)$", said, re.MULTILINE)
    assert int(serial, 16) == int(ours["serial"], 16)
    assert ours["fingerprint"].upper() in said.replace(":", "")
    assert ours["san"] == ["shop.test", "*.shop.test"]
    assert "DNS:shop.test, DNS:*.shop.test" in said


NAMES = ["shop.test", "a.shop.test", "a.b.shop.test", "shop.test.", "SHOP.test", "other.test", "test"]
SANS = [("shop.test",), ("*.shop.test",), ("*.test",), ("a.shop.test", "shop.test"), ()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("san", SANS, ids=str)
def test_names_match_as_openssl_says_or_stricter(authority: servers.Authority, name: str, san: tuple[str, ...]) -> None:
    path = authority.issue("names", san)
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-checkhost", name], input=path.read_bytes(), capture_output=True, timeout=10, check=False
    ).stdout.decode()
    # openssl falls back to the CN and takes a wildcard of a whole top-level domain: we do neither. It does not know the dot at the end, which DNS does.
    if _tls.matches(name, san):
        assert "does match" in said or name.endswith(".")
    elif san and san != ("*.test",):
        assert "does NOT match" in said


# Judging, at the edges


def seen(**changes: t.Any) -> dict[str, t.Any]:
    certificate = {
        "serial": "1",
        "fingerprint": "f",
        "issuer": "CN=CA",
        "subject": "CN=shop.test",
        "self_signed": False,
        "san": ["shop.test"],
        "not_before": NOW - 10 * DAY,
        "not_after": NOW + 80 * DAY,
        "key": {"type": "EC", "bits": 256},
        "signature_hash": "sha256",
    }
    certificate.update(changes)
    return {"now": NOW, "name": "shop.test", "port": 443, "addresses": [address(certificate)]}


def address(certificate: dict[str, t.Any], where: str = "192.0.2.1") -> dict[str, t.Any]:
    return {
        "address": where,
        "problem": None,
        "verify": {"chain": True, "name": True, "code": 0, "message": "ok"},
        "protocol": "TLSv1.3",
        "cipher": "TLS_AES_128_GCM_SHA256",
        "certificate": certificate,
        "legacy": {"answer": "refused", "detail": "TLSV1_ALERT_PROTOCOL_VERSION"},
        "redirect": {"problem": None, "status": 301, "location": "https://shop.test/"},
    }


def judged(facts: dict[str, t.Any], **given: t.Any) -> list[Assertion]:
    return TlsCertificate().judge(facts, options(**given))


def test_a_healthy_one_passes_whole() -> None:
    assert {assertion.status for assertion in judged(seen())} == {"pass"}


#: lifetime in days, days left, expected. 90 d: warn below 90 * 0.3333 - 1 = 28.997, fail below 15.003. 6 d: 2 and 1.5 (half less a day, a quarter).
REMAINING = [
    (90, 29.0, "pass"),
    (90, 28.99, "warn"),
    (90, 15.01, "warn"),
    (90, 14.99, "fail"),
    (45, 14.0, "pass"),
    (45, 13.9, "warn"),
    (45, 7.4, "fail"),
    (10, 4.01, "pass"),
    (10, 3.99, "warn"),
    (10, 2.49, "fail"),
    (10.5, 2.6, "pass"),
    (6, 2.01, "pass"),
    (6, 1.99, "warn"),
    (6, 1.49, "fail"),
]


@pytest.mark.parametrize(("lasts", "left", "status"), REMAINING)
def test_what_is_left_is_held_against_the_lifetime(lasts: float, left: float, status: str) -> None:
    facts = seen(not_before=NOW + (left - lasts) * DAY, not_after=NOW + left * DAY)
    assert next(assertion.status for assertion in judged(facts) if "lifetime_" in assertion.code and "warn_below_days" in str(assertion.expected)) == status


def test_validity_ends_with_its_last_second() -> None:
    assert "valid_now" in codes(judged(seen(not_after=NOW)))
    assert "expired" in codes(judged(seen(not_after=NOW - 1)), "fail")
    assert "valid_now" in codes(judged(seen(not_before=NOW)))
    assert "not_yet_valid" in codes(judged(seen(not_before=NOW + 1)), "fail")


#: First day of issuance (UTC midnight), days that are allowed from then on.
BALLOTS = [(1_598_918_400, 398), (1_773_532_800, 200), (1_805_068_800, 100), (1_868_227_200, 47)]


@pytest.mark.parametrize(("issued", "limit"), BALLOTS)
def test_the_longest_public_lifetime(issued: float, limit: int) -> None:
    exact = seen(not_before=issued, not_after=issued + limit * DAY - 1)
    over = seen(not_before=issued, not_after=issued + limit * DAY)
    assert "lifetime_allowed" in codes(judged(exact))
    assert "lifetime_too_long" in codes(judged(over), "fail")
    assert not {"lifetime_too_long", "lifetime_allowed"} & codes(judged(over, ca_bundle="/etc/ca.pem"))


def test_the_day_before_a_ballot_the_old_limit_holds() -> None:
    issued = 1_773_532_800 - 1
    assert "lifetime_allowed" in codes(judged(seen(not_before=issued, not_after=issued + 398 * DAY - 1)))
    ancient = 1_500_000_000
    assert "lifetime_unjudged" in codes(judged(seen(not_before=ancient)), "warn")


KEYS = [("RSA", 2048, "key_strong"), ("RSA", 2047, "key_weak"), ("EC", 256, "key_strong"), ("EC", 255, "key_weak")]


@pytest.mark.parametrize(("kind", "bits", "code"), [*KEYS, ("Ed25519", 0, "key_strong"), ("DSA", 4096, "key_weak")])
def test_keys(kind: str, bits: int, code: str) -> None:
    assert code in codes(judged(seen(key={"type": kind, "bits": bits})))


@pytest.mark.parametrize(
    ("used", "code"), [("sha1", "signature_weak"), ("md5", "signature_weak"), ("sha256", "signature_strong"), ("intrinsic", "signature_strong")]
)
def test_signatures(used: str, code: str) -> None:
    assert code in codes(judged(seen(signature_hash=used)))


@pytest.mark.parametrize(
    ("spoken", "wanted", "code"),
    [("TLSv1.2", "TLSv1.2", "version_modern"), ("TLSv1.1", "TLSv1.2", "version_old"), ("TLSv1.2", "TLSv1.3", "version_old"), ("", "TLSv1.2", "version_old")],
)
def test_versions(spoken: str, wanted: str, code: str) -> None:
    facts = seen()
    facts["addresses"][0]["protocol"] = spoken
    assert code in codes(judged(facts, min_version=wanted))


def test_the_worst_address_decides_and_differing_ones_are_named() -> None:
    facts = seen()
    old = {**facts["addresses"][0]["certificate"], "fingerprint": "old", "serial": "2"}
    facts["addresses"].append(address(old, "192.0.2.2"))
    assert reason(judged(facts)) == ("warn", "tls_certificate.differ")
    facts["addresses"][1] = {"address": "192.0.2.2", "problem": {"kind": "refused", "detail": "", "code": 0}, "redirect": None}
    assert reason(judged(facts)) == ("fail", "tls_certificate.refused")


def test_targets_are_the_names_then_the_extra_ones_each_once() -> None:
    chosen = options(domains={"a": "a.test", "b": "b.test", "c": "a.test"}, endpoints=["mail.test:465", "b.test", "[2001:db8::1]:8443"])
    assert TlsCertificate.targets(chosen) == [("endpoint", name) for name in ("a.test:443", "b.test:443", "mail.test:465", "2001:db8::1:8443")]


def test_every_status_is_a_known_one() -> None:
    assert {assertion.status for assertion in judged(seen())} <= set(STATUSES)
