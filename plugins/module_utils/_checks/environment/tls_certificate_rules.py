# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a served certificate is judged: pure functions of what was seen and the options. ``tls_certificate`` alone comes in.

Sources: RFC 5280 (validity), RFC 9525 (names), CA/Browser Forum Baseline Requirements 6.1.5 and 6.3.2 (keys, lifetimes), RFC 8996 (TLS 1.0 and 1.1),
certbot's own renewal rule (a third of the lifetime, half of one up to ten days).
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _tls
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options

DAY_S = 86400.0
HOUR_S = 3600.0

#: What each problem of a connection says. A refusal disproves the item; silence proves nothing.
PROBLEMS = {
    "refused": ("fail", "refused"),
    "not_tls": ("fail", "not_tls"),
    "alert": ("fail", "handshake_failed"),
    "closed": ("fail", "handshake_failed"),
    "unverified": ("fail", "handshake_failed"),
    "timeout": ("unreachable", "no_answer"),
    "no_route": ("unreachable", "no_answer"),
}

#: Broken since 2004 and 2017: collisions have been made for both.
WEAK_HASHES = frozenset({"md5", "sha1"})

VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

REDIRECTS = frozenset({301, 302, 303, 307, 308})


def judge(seen: dict[str, Json], options: Options) -> list[Assertion]:
    """Return the assertions of every address, the most telling first, then what only all of them together show."""
    found: list[Assertion] = []
    for served in seen["addresses"]:
        found += _judge_address(seen, served, options)
    served = [address["certificate"] for address in seen["addresses"] if not address["problem"]]
    if len(seen["addresses"]) > 1 and served:
        found.append(_same_everywhere(seen, served))
    return found


def _judge_address(seen: dict[str, Json], served: dict[str, Json], options: Options) -> list[Assertion]:
    where = {"name": seen["name"], "address": served["address"], "port": seen["port"]}
    source = f"tls://{seen['name']}:{seen['port']} ({served['address']})"
    if served["problem"]:
        status, code = PROBLEMS[served["problem"]["kind"]]
        detail = served["problem"]["detail"]
        found = [Assertion(status, f"tls_certificate.{code}", {**where, "message": detail}, "handshake", served["problem"]["kind"], source)]
    else:
        certificate = served["certificate"]
        found = [
            _validity(where, certificate, seen["now"]),
            _name(where, served),
            _trust(where, served),
            _remaining(where, certificate, seen["now"], options),
            _key(where, certificate, options),
            _signature(where, certificate),
            _version(where, served, options),
            _legacy(where, served),
        ]
        if not options["ca_bundle"]:
            found.append(_lifetime(where, certificate, options))
        found = [_with_source(assertion, source) for assertion in found]
    if served["redirect"]:
        found.append(_with_source(_redirect(where, served["redirect"], options), f"http://{seen['name']}:{options['redirect_port']}/ ({served['address']})"))
    return found


def _with_source(assertion: Assertion, source: str) -> Assertion:
    return Assertion(assertion.status, f"tls_certificate.{assertion.code}", assertion.params, assertion.expected, assertion.observed, source)


def _moment(epoch: float) -> str:
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _days(seconds: float) -> float:
    return round(seconds / DAY_S, 1)


def _validity(where: dict[str, Json], certificate: dict[str, Json], now: float) -> Assertion:
    begins, ends = certificate["not_before"], certificate["not_after"]
    observed = {"serial": certificate["serial"], "not_before": _moment(begins), "not_after": _moment(ends)}
    if now > ends:
        return Assertion("fail", "expired", {**where, "moment": _moment(ends), "days": _days(now - ends)}, "not_after >= now", observed)
    if now < begins:
        return Assertion("fail", "not_yet_valid", {**where, "moment": _moment(begins)}, "not_before <= now", observed)
    return Assertion("pass", "valid_now", {**where, "moment": _moment(ends)}, "not_before <= now <= not_after", observed)


def _name(where: dict[str, Json], served: dict[str, Json]) -> Assertion:
    san = served["certificate"]["san"]
    listed = ", ".join(san) or "-"
    if not (_tls.matches(where["name"], san) and served["verify"]["name"]):
        return Assertion("fail", "name_missing", {**where, "san": listed}, where["name"], san)
    return Assertion("pass", "name_matches", where, where["name"], san)


def _trust(where: dict[str, Json], served: dict[str, Json]) -> Assertion:
    verify, certificate = served["verify"], served["certificate"]
    observed = {"code": verify["code"], "message": verify["message"], "issuer": certificate["issuer"], "fingerprint": certificate["fingerprint"]}
    if verify["chain"]:
        return Assertion("pass", "trusted", {**where, "issuer": certificate["issuer"]}, "chain verified", observed)
    code = "self_signed" if certificate["self_signed"] else "untrusted"
    return Assertion("fail", code, {**where, "issuer": certificate["issuer"], "message": verify["message"]}, "chain verified", observed)


def _remaining(where: dict[str, Json], certificate: dict[str, Json], now: float, options: Options) -> Assertion:
    """Hold what is left against a fraction of the lifetime: fixed days would be wrong for a 6-day certificate or for a 398-day one."""
    lifetime = certificate["not_after"] - certificate["not_before"]
    left = certificate["not_after"] - now
    kind = "short_" if lifetime <= options["short_lifetime_days"] * DAY_S else ""
    warn_below = lifetime * options[f"{kind}warn_fraction"] - options["timer_period_h"] * HOUR_S
    fail_below = lifetime * options[f"{kind}fail_fraction"]
    params = {**where, "days": _days(left), "lifetime_days": _days(lifetime), "moment": _moment(certificate["not_after"])}
    expected = {"warn_below_days": round(warn_below / DAY_S, 2), "fail_below_days": round(fail_below / DAY_S, 2)}
    observed = {"days_left": round(left / DAY_S, 2)}
    if left < fail_below:
        return Assertion("fail", "lifetime_critical", params, expected, observed)
    if left < warn_below:
        return Assertion("warn", "lifetime_low", params, expected, observed)
    return Assertion("pass", "lifetime_left", params, expected, observed)


def _lifetime(where: dict[str, Json], certificate: dict[str, Json], options: Options) -> Assertion:
    """The longest lifetime that public CAs may give, by the day of issuance. Both ends count, hence the second (Baseline Requirements 1.6.1)."""
    days = (certificate["not_after"] - certificate["not_before"] + 1) / DAY_S
    issued = _moment(certificate["not_before"])[:10]
    limits = [limit for day, limit in sorted(options["public_lifetime_days"].items()) if str(day) <= issued]
    params = {**where, "lifetime_days": round(days, 1), "limit": limits[-1] if limits else 0, "issued": issued}
    if not limits:
        return Assertion("warn", "lifetime_unjudged", params, "issued under a known limit", issued)
    too_long = days > float(limits[-1])
    return Assertion("fail" if too_long else "pass", "lifetime_too_long" if too_long else "lifetime_allowed", params, f"<= {limits[-1]} d", round(days, 5))


def _key(where: dict[str, Json], certificate: dict[str, Json], options: Options) -> Assertion:
    key = certificate["key"]
    wanted = {"RSA": options["min_rsa_bits"], "EC": options["min_ec_bits"], "Ed25519": 0, "Ed448": 0}.get(key["type"])
    params = {**where, "type": key["type"], "bits": key["bits"], "wanted": wanted if wanted is not None else "RSA / EC"}
    strong = wanted is not None and key["bits"] >= wanted
    return Assertion("pass" if strong else "fail", "key_strong" if strong else "key_weak", params, wanted, key)


def _signature(where: dict[str, Json], certificate: dict[str, Json]) -> Assertion:
    used = certificate["signature_hash"]
    weak = used in WEAK_HASHES
    return Assertion("fail" if weak else "pass", "signature_weak" if weak else "signature_strong", {**where, "hash": used}, "SHA-2", used)


def _version(where: dict[str, Json], served: dict[str, Json], options: Options) -> Assertion:
    spoken, wanted = served["protocol"], options["min_version"]
    enough = spoken in VERSIONS and VERSIONS.index(spoken) >= VERSIONS.index(wanted)
    params = {**where, "version": spoken or "?", "wanted": wanted}
    return Assertion("pass" if enough else "fail", "version_modern" if enough else "version_old", params, f">= {wanted}", [spoken, served["cipher"]])


#: What an answer to a client of TLS 1.0 and 1.1 comes to. What our own OpenSSL could not try is not proven, and says so.
LEGACY: dict[str, tuple[str, str]] = {"accepted": ("fail", "legacy_accepted"), "refused": ("pass", "legacy_refused"), "unknown": ("warn", "legacy_unknown")}


def _legacy(where: dict[str, Json], served: dict[str, Json]) -> Assertion:
    status, code = LEGACY[served["legacy"]["answer"]]
    return Assertion(status, code, {**where, "message": served["legacy"]["detail"]}, "refused", served["legacy"]["detail"])


def _redirect(where: dict[str, Json], answer: dict[str, Json], options: Options) -> Assertion:
    params = {**where, "port": options["redirect_port"], "message": answer.get("message", "")}
    if answer["problem"] == "refused":
        return Assertion("warn", "redirect_closed", params, "redirect to https", "refused")
    if answer["problem"]:
        return Assertion("warn", "redirect_unknown", params, "redirect to https", answer["message"])
    observed = f"{answer['status']} {answer['location']}".strip()
    secure = answer["status"] in REDIRECTS and answer["location"].lower().startswith("https://")
    return Assertion("pass" if secure else "fail", "redirects" if secure else "redirect_missing", {**params, "answer": observed}, "redirect to https", observed)


def _same_everywhere(seen: dict[str, Json], served: t.Sequence[dict[str, Json]]) -> Assertion:
    """Addresses that serve different certificates: one of them was not reloaded, or is on its own."""
    prints = sorted({certificate["fingerprint"] for certificate in served})
    params = {"name": seen["name"], "addresses": ", ".join(address["address"] for address in seen["addresses"]), "count": len(prints)}
    same = len(prints) == 1
    observed = sorted({certificate["serial"] for certificate in served})
    code = "tls_certificate.same_everywhere" if same else "tls_certificate.differ"
    return Assertion("pass" if same else "warn", code, params, "one serial", observed, f"tls://{seen['name']}:{seen['port']}")
