# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``environment.tls``, seen from outside: the certificate that every endpoint serves. The runner comes in; ``tls_certificate_rules`` judges."""

from __future__ import annotations

import http.client
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _tls
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.environment import tls_certificate_rules as rules

DOMAINS_EXAMPLE = """\
golive_domains:
  website: www.comanda.example
  admin: admin.comanda.example
  api: api.comanda.example
"""


class TlsCertificate(Check):
    name = "tls_certificate"
    items = ("environment.tls",)
    vantage = "probe"
    timeout_s = 40.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "domains": {"type": "dict", "required": True, "widest": "all", "example": DOMAINS_EXAMPLE},
        "endpoints": {"type": "list", "elements": "str", "default": [], "widest": "item"},
        "port": {"type": "int", "default": 443, "widest": "item"},
        "redirect_port": {"type": "int", "default": 80, "widest": "item"},
        "ca_bundle": {"type": "str", "default": "", "widest": "all"},
        "connect_timeout_s": {"type": "float", "default": 5.0, "widest": "item"},
        # certbot renews at a third of the lifetime, at half below ten days (since 4.0); the timer may come a whole period after that.
        "warn_fraction": {"type": "float", "default": 0.3333, "widest": "item"},
        "fail_fraction": {"type": "float", "default": 0.1667, "widest": "item"},
        "short_lifetime_days": {"type": "float", "default": 10.0, "widest": "item"},
        "short_warn_fraction": {"type": "float", "default": 0.5, "widest": "item"},
        "short_fail_fraction": {"type": "float", "default": 0.25, "widest": "item"},
        "timer_period_h": {"type": "float", "default": 24.0, "widest": "item"},
        # CA/Browser Forum, ballots SC-31 and SC-081v3 (Baseline Requirements 6.3.2): first day of issuance, longest lifetime in days.
        "public_lifetime_days": {
            "type": "dict",
            "default": {"2020-09-01": 398, "2026-03-15": 200, "2027-03-15": 100, "2029-03-15": 47},
            "widest": "item",
        },
        # Baseline Requirements 6.1.5 and Mozilla's "intermediate" profile 5.7.
        "min_rsa_bits": {"type": "int", "default": 2048, "widest": "item"},
        "min_ec_bits": {"type": "int", "default": 256, "widest": "item"},
        # RFC 8996 deprecates TLS 1.0 and 1.1.
        "min_version": {"type": "str", "default": "TLSv1.2", "choices": ["TLSv1.2", "TLSv1.3"], "widest": "item"},
    }

    @classmethod
    def targets(cls, options: Options) -> list[tuple[str, str]]:
        named = [f"{name}:{options['port']}" for name in options["domains"].values()]
        extra = [":".join(map(str, _tls.split_endpoint(endpoint, options["port"]))) for endpoint in options["endpoints"]]
        return [("endpoint", endpoint) for endpoint in dict.fromkeys(named + extra)]

    def observe(self, ctx: Context) -> dict[str, Json]:
        name, port = _split(ctx.target)
        limit_s = float(ctx.options["connect_timeout_s"])
        contexts = ctx.shared(f"tls:{ctx.options['ca_bundle']}", lambda: _contexts(ctx.options["ca_bundle"]))
        try:
            addresses = _tls.resolve(name, port)
        except (OSError, UnicodeError) as error:
            raise CannotKnow("tls_certificate.name_unresolved", "unreachable", name=name, message=str(error)) from None
        plain = name in ctx.options["domains"].values() and port == ctx.options["port"]
        seen = []
        for address in addresses:
            served = _tls.look(contexts, address, port, name, limit_s)
            if not served["problem"]:
                served["legacy"] = _tls.speaks_legacy(contexts, address, port, name, limit_s)
            served["redirect"] = _redirect(address, ctx.options["redirect_port"], name, limit_s) if plain else None
            seen.append(served)
        return {"now": time.time(), "name": name, "port": port, "addresses": seen}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return rules.judge(seen, options)


def _split(target: str) -> tuple[str, int]:
    name, _separator, port = target.rpartition(":")
    return name, int(port)


def _contexts(ca_bundle: str) -> _tls.Contexts:
    try:
        return _tls.make_contexts(ca_bundle)
    except OSError as error:
        raise CannotKnow("tls_certificate.ca_bundle_unreadable", path=ca_bundle, message=error.strerror or str(error)) from None


def _redirect(address: str, port: int, name: str, limit_s: float) -> dict[str, Json]:
    """Return what plain HTTP answers to those who type the name without ``https://``."""
    connection = http.client.HTTPConnection(address, port, timeout=limit_s)
    try:
        connection.request("GET", "/", headers={"Host": name, "Connection": "close"})
        answer = connection.getresponse()
        return {"problem": None, "status": answer.status, "location": answer.getheader("Location") or ""}
    except ConnectionRefusedError:
        return {"problem": "refused", "message": ""}
    except (OSError, http.client.HTTPException) as error:
        return {"problem": "unknown", "message": str(error) or type(error).__name__}
    finally:
        connection.close()
