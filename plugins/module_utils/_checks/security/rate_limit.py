# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared routes refuse who sends too much, and nobody else: seen from outside, by counting.

What it sends is bounded by what the arithmetic needs (:mod:`rate_limit_rules`); :mod:`rate_limit_act` sends it, :mod:`rate_limit_clients` says as whom.
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _requests, _sessions
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.security import rate_limit_act, rate_limit_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_clients import other_login
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions

WHERE = "security_rate_limit_routes"
_EXAMPLE = """security_rate_limit_routes:
  - {request: "POST admin:/login", rate: 10/m, burst: 5, key: ip}
  - {request: order, rate: 30/m, burst: 10, key: login}"""

Route = t.Mapping[str, Json]


class RateLimit(Check):
    name = "rate_limit"
    items = ("security.rate_limit",)
    vantage = "probe"
    impact = "active"
    alone = True
    proven_by = "staging"
    timeout_s = 300.0
    options = {
        "routes": {"type": "list", "elements": "dict", "required": True, "variable": WHERE, "example": _EXAMPLE},
        "wait_s": {"type": "float", "default": 40.0, "widest": "item"},
        "sources": {"type": "list", "elements": "str", "default": [], "widest": "item"},
        **_sessions.OPTIONS,
    }

    @classmethod
    def targets(cls, options: Options) -> list[tuple[str, str]]:
        return [("route", name) for name in _by_name(options)]

    @classmethod
    def lane(cls, target: str, options: Options) -> str:
        """Routes that are counted by the same thing may be counted in one bucket."""
        return str(_by_name(options).get(target, {}).get("key", "ip"))

    @classmethod
    def secrets_needed(cls, options: Options) -> t.Collection[str] | None:
        """Who sends, and who is the other one."""
        logins: set[str] = set()
        for route in options.get("routes") or []:
            request = _parsed(route, options)
            if request is not None and request.login not in ("", "anonymous"):
                logins |= {request.login, other_login(options, request.login) if route.get("key") == "login" else request.login}
        return {f"logins.{login}.{key}" for login in logins for key in ("password", "totp")}

    def observe(self, ctx: Context) -> dict[str, Json]:
        route = _by_name(ctx.options)[ctx.target]
        where = f"{WHERE}: {ctx.target}"
        try:
            limit = rate_limit_rules.Limit.of(route)
        except ValueError as error:
            raise CannotKnow("rate_limit.rate_malformed", route=ctx.target, value=str(error)) from None
        sessions = Sessions.of(ctx)
        acting = ctx.shared("rate_limit acting", threading.Lock)
        act = rate_limit_act.Act(ctx, ctx.target, limit, sessions.parse(route["request"], where), sessions, acting)
        with acting:
            return {"route": {key: value for key, value in route.items() if key != "request"}, "name": ctx.target, **act.seen()}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return rate_limit_rules.judge(seen)


def _by_name(options: Options) -> dict[str, Route]:
    """Return the routes by what they are called in reports: their request line and what they are counted by."""
    return {f"{_line(route, options)} ({route.get('key', 'ip')})": route for route in options.get("routes") or []}


def _line(route: Route, options: Options) -> str:
    request = _parsed(route, options)
    return f"{request.method} {request.address}" if request is not None else str(route.get("request"))[:100]


def _parsed(route: Route, options: Options) -> _requests.Request | None:
    try:
        return _requests.parse(route.get("request"), options.get("requests") or {}, WHERE)
    except CannotKnow:
        return None  # it is refused, and told, when it is looked at
