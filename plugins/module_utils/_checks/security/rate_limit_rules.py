# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of ``security.rate_limit`` and its judgement: pure functions of the declared limit and of when each request was sent and answered.

The model: a bucket of B+1 tokens that is full when a client has been idle, gains r tokens a second and gives one to each request that is let in; a request
that finds none is refused and costs nothing. That is nginx's leaky bucket with ``nodelay`` (ngx_http_limit_req_module: its excess starts at 0, refuses above
the burst, and forgets refused requests), GCRA with a tolerance of B (ITU-T I.371), and a token bucket of capacity B+1. A counter in fixed windows is none of
them: it lets twice its number in around the window's end.

When a limiter decided lies between two moments that are known, sent and answered. So what it may have let in is a range, and outside of it nothing is excused.
"""

from __future__ import annotations

import dataclasses
import email.utils
import math
import re
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json

_RATE = re.compile(r"(\d+)/([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
#: RFC 6585, section 4.
TOO_MANY = 429
#: What nginx refuses with where nobody says ``limit_req_status`` (nginx.org/r/limit_req_status).
NGINX_DEFAULT = 503
#: Guards ``floor`` against 5.999999 where 6 is meant.
_EPSILON = 1e-9
#: A client that waits out ``Retry-After`` may be told a second less than the whole wait: seconds are whole ones.
_ROUNDING_S = 1.0
#: A delay that is long enough to be told from an application that is slow, in seconds.
_DELAY_S = 0.5

Event = t.Mapping[str, Json]
Events = t.Sequence[Event]


@dataclasses.dataclass(frozen=True)
class Limit:
    """A declared limit. ``per_s`` is r, ``burst`` is B; ``key`` is ``ip``, ``login`` or ``header:<name>``."""

    rate: str
    per_s: float
    burst: int
    key: str
    status: int

    @classmethod
    def of(cls, route: t.Mapping[str, Json]) -> Limit:
        """Return the limit of a declared route. Raises ``ValueError`` where its rate is none."""
        found = _RATE.fullmatch(str(route.get("rate")))
        if found is None or not int(found[1]):
            raise ValueError(str(route.get("rate")))
        per_s = int(found[1]) / _SECONDS[found[2]]
        return cls(str(route["rate"]), per_s, int(route.get("burst", 0)), str(route.get("key", "ip")), int(route.get("status", TOO_MANY)))

    @property
    def size(self) -> int:
        """What an idle client may send at once: B+1."""
        return self.burst + 1

    @property
    def slowest_per_s(self) -> float:
        """The rate that a limiter counting in thousandths may have made of it: nginx cuts 10/m down to 0.166/s."""
        return math.floor(self.per_s * 1000 + _EPSILON) / 1000 or self.per_s

    @property
    def pause_s(self) -> float:
        """How long one token takes."""
        return 1 / self.slowest_per_s

    @property
    def refill_s(self) -> float:
        """How long an empty bucket takes to be full."""
        return self.size / self.slowest_per_s

    @property
    def recovery(self) -> int:
        """How many tokens are waited for: what one second brings, at least one, at most the burst."""
        return max(1, min(self.burst, whole(self.per_s)))

    @property
    def first_count(self) -> int:
        """How many requests find the edge of an idle bucket: one too many, and what a second may bring meanwhile."""
        return self.size + 1 + whole(self.per_s)


def whole(value: float) -> int:
    return math.floor(value + _EPSILON)


@dataclasses.dataclass(frozen=True)
class Told:
    """A number of requests sent by one client, and what became of them."""

    sent: int
    accepted: int
    refused: int
    begun: float
    ended: float

    @classmethod
    def of(cls, events: Events) -> Told:
        return cls(
            len(events),
            sum(event["outcome"] == "accepted" for event in events),
            sum(event["outcome"] == "refused" for event in events),
            min((event["sent"] for event in events), default=0.0),
            max((event["answered"] for event in events), default=0.0),
        )

    def most(self, limit: Limit) -> int:
        """The most that a bucket which was full when this began may have let in by its end."""
        return limit.size + whole(limit.per_s * (self.ended - self.begun))


def outcome(status: int | None, body: str, limit: Limit, letting_in: t.Collection[int]) -> str:
    """Return what an answer says about the limiter: ``refused``, ``accepted`` (one of *letting_in*, known from a control), ``held`` (no answer in time)
    or ``odd``: the application's own failures count as neither."""
    if status is None:
        return "held"
    if status in (limit.status, TOO_MANY) or (status == NGINX_DEFAULT and "<center>nginx" in body):
        return "refused"
    return "accepted" if status in letting_in else "odd"


def left_at(limit: Limit, before: Events, moment: float) -> float:
    """Return the most that the bucket of *before* may have let in by *moment*: it was full when the first of them was sent, and had less than one token left
    when the last that was refused was decided."""
    told = Told.of(before)
    refused = max((float(event["sent"]) for event in before if event["outcome"] == "refused"), default=-math.inf)
    return max(0.0, min(limit.size + limit.per_s * (moment - told.begun) - told.accepted, 1 - _EPSILON * 2 + limit.per_s * (moment - refused)))


def most_after(limit: Limit, before: Events, events: Events) -> int:
    """Return the most of *events*, sent after *before*, that one and the same bucket may have let in."""
    told = Told.of(events)
    return min(whole(left_at(limit, before, told.ended)), told.most(limit))


def count_to_tell(limit: Limit, before: Events, moment: float, ahead_s: float) -> int:
    """Return how many requests, sent at *moment* and decided within *ahead_s*, are one more than the bucket of *before* can let in."""
    return min(whole(left_at(limit, before, moment + ahead_s)), limit.size + whole(limit.per_s * ahead_s)) + 1


def last_let_in(events: Events) -> float:
    return max(float(event["answered"]) for event in events if event["outcome"] == "accepted")


def recovered_at(limit: Limit, events: Events) -> float:
    """Return from when on the bucket of *events* must have the tokens that are waited for: counted from the last answer that let somebody in."""
    return last_let_in(events) + limit.recovery / limit.slowest_per_s


def counted(seen: t.Mapping[str, Json]) -> list[Event]:
    """Return all that the first client sent before it waited."""
    return [*seen["burst"]["events"], *(event for attempt in seen["spoofed"] for event in attempt["events"])]


def all_refused(clients: t.Sequence[t.Mapping[str, Json]]) -> bool:
    """Whether each of *clients* had something refused."""
    return all(any(event["outcome"] == "refused" for event in client["events"]) for client in clients)


def exact(limit: Limit, seen: t.Mapping[str, Json]) -> bool:
    """Whether the burst found the limit that was declared: of another one nothing more can be counted."""
    return all(assertion.status == "pass" for assertion in _Judgement(limit, {"name": "", **seen}).burst())


def judge(seen: t.Mapping[str, Json]) -> list[Assertion]:
    """Return what holds of one route and what does not. A limit that is not there, or another one, is all that can be said of it."""
    limit = Limit.of(seen["route"])
    judgement = _Judgement(limit, seen)
    return judgement.all()


class _Judgement:
    def __init__(self, limit: Limit, seen: t.Mapping[str, Json]) -> None:
        self._limit = limit
        self._seen = seen
        self._name = str(seen["name"])
        self._events: list[Event] = list(seen["burst"]["events"])

    def all(self) -> list[Assertion]:
        burst = self.burst()
        if any(assertion.status != "pass" for assertion in burst):
            return burst
        found = [*burst, *self._refusals(), *self._spoofed(), *self._second(), *self._keyless(), *self._recovery()]
        return sorted(found, key=lambda assertion: assertion.status == "pass")

    def _say(self, status: str, code: str, expected: Json = None, observed: Json = None, **params: Json) -> list[Assertion]:
        return [Assertion(status, f"rate_limit.{code}", {"route": self._name, **params}, expected=expected, observed=observed, source=self._name)]

    def _unclear(self, events: Events, most: int) -> list[Assertion]:
        """What stands in the way of counting: answers that say nothing about the limiter, or requests that came too slowly to exceed it."""
        odd = sorted({event["status"] for event in events if event["outcome"] == "odd"})
        told = Told.of(events)
        if odd:
            return self._say("error", "odd_answers", observed=odd, statuses=", ".join(map(str, odd)), letting_in=", ".join(map(str, self._seen["letting_in"])))
        if any(event["outcome"] == "held" for event in events):
            held = sum(event["outcome"] == "held" for event in events)
            return self._say("fail" if told.refused else "error", "held" if told.refused else "no_answer", count=held, seconds=self._seen["timeout_s"])
        if not told.refused and told.accepted <= most:
            return self._say("error", "too_slow", sent=told.sent, seconds=round(told.ended - told.begun, 1), rate=self._limit.rate)
        return []

    def burst(self) -> list[Assertion]:
        limit, events = self._limit, self._events
        told = Told.of(events)
        most = told.most(limit)
        if unclear := self._unclear(events, most):
            return unclear
        wanted = str(limit.size) if most == limit.size else f"{limit.size}..{most}"
        params: dict[str, Json] = {"rate": limit.rate, "burst": limit.burst, "sent": told.sent, "accepted": told.accepted, "wanted": wanted}
        params["seconds"] = round(told.ended - told.begun, 2)
        if not told.refused:
            return self._say("fail", "unlimited", wanted, told.accepted, **params)
        if told.accepted > most:
            return self._say("fail", "burst_large", wanted, told.accepted, **params)
        if told.accepted < limit.size:
            if self._seen["burst"]["rested"]:
                return self._say("fail", "burst_small", wanted, told.accepted, **params)
            return self._say("error", "not_idle", wanted, told.accepted, **params, refill_s=math.ceil(limit.refill_s))
        return self._say("pass", "burst_exact", wanted, told.accepted, **params) + self._at_once(events)

    def _at_once(self, events: Events) -> list[Assertion]:
        """Without ``nodelay`` nginx lets the burst in one by one: a guest waits, and their browser gives up."""
        took = [event["answered"] - event["sent"] for event in events if event["outcome"] == "accepted"]
        longest = max(took) - min(took)
        if self._limit.pause_s >= _DELAY_S and longest >= 0.9 * self._limit.pause_s:
            return self._say("warn", "delayed", "at once", round(longest, 1), seconds=round(longest, 1))
        return []

    def _refusals(self) -> list[Assertion]:
        limit = self._limit
        refused = [event for event in self._events if event["outcome"] == "refused"]
        other = sorted({event["status"] for event in refused} - {limit.status})
        if other == [NGINX_DEFAULT]:
            found = self._say("fail", "status_default", limit.status, NGINX_DEFAULT, wanted=limit.status)
        elif other:
            found = self._say("fail", "status_other", limit.status, other, wanted=limit.status, answered=", ".join(map(str, other)))
        else:
            found = self._say("pass", "status_right", limit.status, limit.status, answered=limit.status)
        return found + self._retry_after(refused)

    def _retry_after(self, refused: Events) -> list[Assertion]:
        given = [event["retry_after"] for event in refused]
        missing = [value for value in given if _retry_seconds(value) is None]
        if missing:
            shown = next((value for value in missing if value), None)
            return self._say("fail", "retry_after_missing", "seconds or a date", shown, count=len(missing), refused=len(given))
        told = Told.of(self._events)
        needed = 1 / self._limit.per_s - (told.ended - told.begun) - _ROUNDING_S
        shortest = min(seconds for seconds in map(_retry_seconds, given) if seconds is not None)
        if shortest < needed:
            pause = math.ceil(self._limit.pause_s)
            return self._say("warn", "retry_after_short", f">= {pause}", given[0], given=str(given[0]), seconds=pause)
        return self._say("pass", "retry_after_given", "seconds or a date", given[0], given=str(given[0]))

    def _spoofed(self) -> list[Assertion]:
        """A header that anybody can write must not make a new client of an old one."""
        named, events = [], self._events
        for attempt in self._seen["spoofed"]:
            told = Told.of(attempt["events"])
            most = most_after(self._limit, events, attempt["events"])
            if unclear := self._unclear(attempt["events"], most):
                return unclear
            if told.accepted > most:
                named.append(attempt["header"])
            events = [*events, *attempt["events"]]
        if named:
            # The first try sends all headers at once, the others one each: those say which.
            headers = ", ".join(named[1:] or named[:1])
            return self._say("fail", "spoofed", "refused", "let in", headers=headers)
        return self._say("pass", "not_spoofed", "refused", "refused")

    def _second(self) -> list[Assertion]:
        """While one client is refused, another one is let in. One that is refused may have been busy itself: so all must be."""
        second = self._seen["second"]
        if second["missing"]:
            return self._say("error", second["missing"], key=self._limit.key)
        for client in second["clients"]:
            told = Told.of(client["events"])
            if odd := sorted({str(event["status"]) for event in client["events"] if event["outcome"] in ("odd", "held")}):
                return self._say("error", "second_odd", observed=odd, client=client["name"], statuses=", ".join(odd))
            if not told.refused and told.accepted <= most_after(self._limit, client["before"], client["events"]):
                return self._say("error", "too_slow", sent=told.sent, seconds=round(told.ended - told.begun, 1), rate=self._limit.rate)
            if not told.refused:
                return self._say("pass", "isolated", "let in", "let in", client=client["name"])
        params: dict[str, Json] = {"clients": ", ".join(client["name"] for client in second["clients"]), "key": self._limit.key}
        if not second["rested"]:
            return self._say("error", "second_busy", "let in", "refused", **params, refill_s=math.ceil(self._limit.refill_s))
        return self._say("fail", "shared", "let in", "refused", **params)

    def _keyless(self) -> list[Assertion]:
        """Who leaves out what the limit counts by must be limited too: nginx lets an empty key pass without end."""
        events = self._seen["keyless"]
        if not events:
            return []
        told = Told.of(events)
        most = told.most(self._limit)
        if unclear := self._unclear(events, most):
            return unclear
        params = {"sent": told.sent, "accepted": told.accepted, "key": self._limit.key}
        if told.accepted > most:
            return self._say("fail", "keyless_unlimited", f"<= {most}", told.accepted, **params)
        return self._say("pass", "keyless_limited", f"<= {most}", told.accepted, **params)

    def _recovery(self) -> list[Assertion]:
        limit, recovery = self._limit, self._seen["recovery"]
        before = [*counted(self._seen), *recovery["drained"]]
        if len(self._seen["spoofed"]) > 1:
            return []  # which of what was let in the bucket gave is not known
        if recovery["unseen"]:
            return self._say("error", "recovery_unseen", seconds=math.ceil(limit.pause_s), wait_s=recovery["wait_s"], rate=limit.rate)
        told = Told.of(recovery["events"])
        last = last_let_in(before)
        least = min(whole(limit.slowest_per_s * (told.begun - last)), limit.size, told.sent)
        most = most_after(limit, before, recovery["events"])
        if unclear := self._unclear(recovery["events"], most):
            return unclear
        wanted = str(least) if least == most else f"{least}..{most}"
        params = {"wanted": wanted, "accepted": told.accepted, "seconds": round(told.begun - last, 2), "rate": limit.rate}
        if told.accepted < least:
            return self._say("fail", "recovery_slow", wanted, told.accepted, **params)
        if told.accepted > most:
            return self._say("fail", "recovery_fast", wanted, told.accepted, **params)
        return self._say("pass", "recovery_exact", wanted, told.accepted, **params)


def _retry_seconds(value: Json) -> float | None:
    """Return the seconds that ``Retry-After`` says (RFC 9110, 10.2.3), any number for a date, None for neither."""
    if isinstance(value, str) and value.isdecimal():
        return float(value)
    try:
        email.utils.parsedate_to_datetime(str(value))
    except (TypeError, ValueError):
        return None
    return math.inf
