# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom ``rate_limit`` sends: clients that the limit must tell apart, by their address, their login or a header. ``rate_limit_act`` comes in.

An address that was used up needs time to be idle again. So where the probe has several, the checks of one hour do not all use the same: whose turn it is
follows from the clock, and the address that all other checks come from is left alone where two others are to be had.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import secrets
import socket
import typing as t
import urllib.parse

from ansible_collections.resto.golive.plugins.module_utils import _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_rules import Limit
from ansible_collections.resto.golive.plugins.module_utils._http import Client
from ansible_collections.resto.golive.plugins.module_utils._requests import Request
from ansible_collections.resto.golive.plugins.module_utils._sessions import Login, Sessions

Prepared: t.TypeAlias = "tuple[str, dict[str, str], bytes | None]"


@dataclasses.dataclass(frozen=True)
class Caller:
    """Somebody the limit knows from others. ``fresh``: nobody can have sent as them before."""

    name: str
    client: Client
    login: Login | None
    headers: t.Mapping[str, str]
    fresh: bool = False

    def prepared(self, sessions: Sessions, request: Request, words: _words.Words) -> Prepared:
        url, headers, body = sessions.prepared(request, words, self.login)
        return url, {**headers, **self.headers}, body


def other_login(options: Options, login: str) -> str:
    """Return a login that is not *login*: the first declared; *login* itself where there is no other."""
    return next((name for name in options.get("logins") or {} if name != login), login)


class Callers:
    """The clients of one route, in the order in which they are tried; ``missing`` is why there is no second one."""

    def __init__(self, ctx: Context, limit: Limit, request: Request, sessions: Sessions, now: float) -> None:
        self._limit = limit
        self._request = request
        self._sessions = sessions
        self._options = ctx.options
        self.missing = ""
        self._addresses: list[str] = []
        if limit.key == "ip":
            url = sessions.prepared(dataclasses.replace(request, body=None), WORDS, None)[0]
            self._addresses = in_turn(addresses(ctx, url), limit, now)
            self.missing = "" if len(self._addresses) > 1 else "one_address"
        elif limit.key == "login":
            if request.login in ("", "anonymous"):
                raise CannotKnow("rate_limit.login_undeclared", where=request.where)
            self.missing = "" if other_login(ctx.options, request.login) != request.login else "one_login"

    @property
    def at_hand(self) -> int:
        """How many clients are worth a try before waiting: of the same login, each session has the same bucket, or one that is full."""
        return min(2, max(1, len(self._addresses)))

    def first(self, attempt: int) -> Caller:
        """Return who finds the limit's edge; at the next attempt, somebody else if there is anybody."""
        if self._limit.key == "login":
            return self._as(self._request.login)
        if self._limit.key == "ip":
            return self._from(self._addresses[attempt % len(self._addresses)])
        return self._with_header()

    def others(self, first: Caller) -> t.Iterator[Caller]:
        """Yield other clients, who are idle as far as is known."""
        if self._limit.key == "login":
            yield self._as(other_login(self._options, self._request.login))
        elif self._limit.key == "ip":
            yield from (self._from(address) for address in self._addresses if address != first.name)
        else:
            yield self._with_header()

    def keyless(self) -> Caller | None:
        """Return a client without what the limit counts by; None where everybody has it."""
        if self._limit.key == "ip":
            return None
        login = None if self._limit.key == "login" else self._login()
        return Caller("", login.client if login else self._sessions.client(), login, {})

    def _from(self, address: str) -> Caller:
        login = self._login()
        client = self._sessions.client(source=address)
        if login is not None:
            client.cookies = login.client.cookies
        return Caller(address, client, login, {})

    def _as(self, name: str) -> Caller:
        login = self._sessions.fresh_login(name, self._request.address.partition(":")[0])
        return Caller(name, login.client, login, {})

    def _with_header(self) -> Caller:
        login, value = self._login(), f"golive-{secrets.token_hex(8)}"
        client = login.client if login else self._sessions.client()
        return Caller(value, client, login, {self._limit.key.partition(":")[2]: value}, fresh=True)

    def _login(self) -> Login | None:
        if self._request.login in ("", "anonymous"):
            return None
        return self._sessions.login(self._request.login, self._request.address.partition(":")[0])


#: What a request of this check may say in braces, besides what its login provides.
WORDS: dict[str, Json] = {"cid": f"golive-{secrets.token_hex(8)}"}


def in_turn(found: t.Sequence[str], limit: Limit, now: float) -> list[str]:
    """Return *found* with the address whose turn it is first. The one that the system chooses by itself comes last, if three are to be had.

    Each has its turn for so long that, when it comes round again, its bucket has had time to be full.
    """
    usual, spare = (list(found[:1]), list(found[1:])) if len(found) > 2 else ([], list(found))
    turns = max(1, len(spare) - 1)
    chosen = int(now / (limit.refill_s / turns)) % len(spare)
    return [*spare[chosen:], *spare[:chosen], *usual]


def addresses(ctx: Context, url: str) -> list[str]:
    """Return the addresses of this host that the server of *url* can tell apart, the usual one first: declared, or those of the interface that leads there.

    Only addresses of one kind count: private ones on the way to a public server all become that of the router.
    """
    if ctx.options["sources"]:
        return list(ctx.options["sources"])
    parts = urllib.parse.urlsplit(url)
    target, usual = _usual(parts.hostname or "", parts.port or 443)
    try:
        listed = json.loads(ctx.run(["ip", "-j", "address", "show", "scope", "global"]).stdout)
    except (CannotKnow, ValueError):
        return [usual]
    return [usual, *(address for address in same_interface(listed, usual) if apart(address, target))]


def _usual(host: str, port: int) -> tuple[str, str]:
    """Return the server's address, and that of this host on the way to it. No packet is sent."""
    try:
        family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as looking:
            looking.connect(address)
            return str(address[0]), str(looking.getsockname()[0])
    except OSError as error:
        raise CannotKnow("rate_limit.no_way", "unreachable", host=host, message=error.strerror or type(error).__name__) from None


def same_interface(listed: t.Sequence[t.Mapping[str, Json]], usual: str) -> list[str]:
    """Return the other addresses of the interface that has *usual*, from what ``ip -j address`` listed."""
    for interface in listed:
        known = [entry for entry in interface.get("addr_info") or [] if entry.get("local")]
        if any(entry["local"] == usual for entry in known):
            return [str(entry["local"]) for entry in known if entry["local"] != usual and not (entry.get("deprecated") or entry.get("tentative"))]
    return []


def apart(source: str, target: str) -> bool:
    """Whether *source* arrives at *target* as it is: the same family, and not a private address on its way into the public network."""
    here, there = ipaddress.ip_address(source), ipaddress.ip_address(target)
    return here.version == there.version and (there.is_private or not here.is_private)
