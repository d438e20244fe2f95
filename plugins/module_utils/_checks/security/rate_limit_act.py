# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``rate_limit`` sends, and when: connections first, then the requests all at once, each with the moments between which it was decided. It judges nothing.

A request that changes something is sent without its content, so that the application turns it down: the limit stands before the application, and what is
counted is whether it got that far. One request alone shows how the application answers; whatever else it answers later counts as neither let in nor refused.
"""

from __future__ import annotations

import dataclasses
import functools
import secrets
import threading
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json
from ansible_collections.resto.golive.plugins.module_utils._checks.security import rate_limit_rules as rules
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_clients import WORDS, Caller, Callers
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit_rules import Event, Limit
from ansible_collections.resto.golive.plugins.module_utils._http import Answer, NoAnswer, Ready
from ansible_collections.resto.golive.plugins.module_utils._requests import Expect, Request
from ansible_collections.resto.golive.plugins.module_utils._sessions import Sessions

#: How long one request may take, in seconds.
TIMEOUT_S = 10.0
#: The most requests at once. Who allows more in one second is asking for a load test, which this is not.
MOST_AT_ONCE = 400
#: The longest wait that may be asked for, in seconds.
MOST_WAIT_S = 120.0
#: Connections are opened this many at a time: a handshake costs both sides.
OPENING = 16
#: How long it may take, in seconds, until the connections stand. The bucket fills on meanwhile, so more are opened than it would take now.
OPENS_S = 1.0
#: How far ahead of its answers a count is made: requests that arrive within this time find what was counted on.
AHEAD_S = 0.3
#: Waits end this much later than they must: clocks that count in thousandths, and timers that fire early.
MARGIN_S = 0.03

#: Headers that proxies and applications take a client's address from, as anybody can write them.
FORWARDED = {
    "X-Forwarded-For": "{}",
    "X-Real-IP": "{}",
    "Forwarded": "for={}",
    "True-Client-IP": "{}",
    "CF-Connecting-IP": "{}",
    "X-Client-IP": "{}",
}

#: How an application turns an empty request down: not understood, not allowed, not acceptable. 401 only of who has not logged in.
TURNED_DOWN = frozenset({400, 403, 409, 410, 411, 413, 415, 422})
#: No such route, or not with this method: whatever is counted here, it is not what was declared.
NOT_THERE = frozenset({404, 405, 501})


class Act:
    """One route, looked at once. Who calls holds *acting*; it is let go while nothing is sent, so that a route which is counted by something else can act."""

    def __init__(self, ctx: Context, name: str, limit: Limit, request: Request, sessions: Sessions, acting: threading.Lock) -> None:
        if limit.first_count > MOST_AT_ONCE:
            raise CannotKnow("rate_limit.too_many", route=name, count=limit.first_count, most=MOST_AT_ONCE)
        self._name = name
        self._limit = limit
        self._wait_s = min(float(ctx.options["wait_s"]), MOST_WAIT_S)
        self._request = harmless(request)
        self._sessions = sessions
        self._acting = acting
        self._callers = Callers(ctx, limit, self._request, sessions, time.time())
        self._letting_in: frozenset[int] = frozenset()

    def seen(self) -> dict[str, Json]:
        first, burst = self._edge()
        seen: dict[str, Json] = {
            "burst": burst,
            "letting_in": sorted(self._letting_in),
            "timeout_s": TIMEOUT_S,
            "spoofed": [],
            "second": {"missing": self._callers.missing, "clients": [], "rested": False},
            "keyless": [],
            "recovery": {"unseen": True, "wait_s": self._wait_s, "events": [], "drained": []},
        }
        if not rules.exact(self._limit, seen):
            return seen
        seen["spoofed"] = self._spoofed(first, burst["events"])
        before = rules.counted(seen)
        seen["second"]["clients"] = self._second(first, before)
        drained = [event for client in seen["second"]["clients"] for event in client["drained"]]
        before = [*before, *drained]
        seen["keyless"] = self._keyless()
        if len(seen["spoofed"]) == 1:
            seen["recovery"] = {**self._recovery(first, before), "drained": drained}
        if seen["recovery"]["events"] and rules.all_refused(seen["second"]["clients"]):
            # They may have been busy themselves; now each has had as long a rest as the first one.
            seen["second"] |= {"rested": True, "clients": self._second(first, [*before, *seen["recovery"]["events"]])}
        return seen

    def _edge(self) -> tuple[Caller, dict[str, Json]]:
        """Find the edge of an idle bucket. One that turns out to have been used is given up for another client's, and in the end waited for."""
        for attempt in range(self._callers.at_hand + 1):
            rested = attempt == self._callers.at_hand
            if rested:
                self._rest(self._limit.refill_s + MARGIN_S)
            first = self._callers.first(attempt)
            events = self._from_idle(first)
            told = rules.Told.of(events)
            short = told.accepted < self._limit.size and told.accepted + told.refused == told.sent
            if not short or first.fresh or (attempt + 1 == self._callers.at_hand and self._limit.refill_s > self._wait_s):
                break
        return first, {"client": first.name, "rested": rested or first.fresh, "events": events}

    def _from_idle(self, caller: Caller) -> list[Event]:
        """One request alone, then all the others at once. The connections stand before the first is sent."""
        lines = self._open(caller, self._limit.first_count)
        try:
            control = self._fire(caller, lines[:1])
            self._control(control[0])
            return control if control[0]["outcome"] == "refused" else control + self._fire(caller, lines[1:])
        finally:
            _close(lines)

    def _control(self, event: Event) -> None:
        """Take from an answer how the application answers here, or say that it answers as nobody can count with."""
        status, sent = event["status"], self._request
        if event["outcome"] in ("accepted", "refused"):
            return
        if event["outcome"] == "held":
            raise CannotKnow("rate_limit.no_answer", route=self._name, count=1, seconds=TIMEOUT_S)
        if status >= 500:
            raise CannotKnow("rate_limit.app_failing", route=self._name, answered=status)
        if status in NOT_THERE:
            raise CannotKnow("rate_limit.wrong_route", route=self._name, answered=status)
        if sent.expect != Expect():
            good = not sent.expect.misses(Answer(status, {}, b"", 0.0), WORDS, sent.where) if _status_only(sent.expect) else status < 500
        elif sent.unsafe:
            if status < 400:
                raise CannotKnow("rate_limit.would_change", route=self._name, answered=status)
            good = status in TURNED_DOWN or (status == 401 and sent.login in ("", "anonymous"))
        else:
            good = status < 300
        if not good:
            raise CannotKnow("rate_limit.control_odd", route=self._name, answered=status)
        self._letting_in = frozenset({status})
        t.cast("dict[str, Json]", event)["outcome"] = "accepted"

    def _spoofed(self, first: Caller, before: list[Event]) -> list[dict[str, Json]]:
        """Another address in every header that may say one; only if that helps, each header by itself, to name it."""
        found: list[dict[str, Json]] = []
        for names in (list(FORWARDED), *([name] for name in FORWARDED)):
            lines = self._open_to_tell(first, before)
            events = self._fire(first, lines, [forwarded(names) for _each in lines])
            found.append({"header": ", ".join(names), "events": events})
            if len(found) == 1 and rules.Told.of(events).accepted <= rules.most_after(self._limit, before, events):
                break
            before = [*before, *events]
        return found

    def _second(self, first: Caller, before: list[Event]) -> list[dict[str, Json]]:
        """While the first client is refused, others send more than its bucket could give, and no more than theirs has. A bucket that fills faster than
        connections are opened is drained again, right before."""
        clients: list[dict[str, Json]] = []
        for other in [] if self._callers.missing else self._callers.others(first):
            drained: list[Event] = []
            lines = self._open_to_tell(other, before)
            if len(lines) > self._limit.recovery:
                _close(lines)
                lines = self._open(other, self._limit.size)
                drained = self._fire(first, self._open(first, self._limit.first_count))
            events = self._fire(other, lines, anything=True)
            before = [*before, *drained]
            clients.append({"name": other.name, "events": events, "before": before, "drained": drained})
            if not rules.all_refused(clients):
                break
        return clients

    def _open_to_tell(self, caller: Caller, before: list[Event], moment: float = 0.0) -> list[Ready]:
        """Return as many open connections as requests tell, sent at *moment* (of the monotonic clock) or, where that is over, now: counted when they stand."""

        def count(ahead_s: float) -> int:
            return rules.count_to_tell(self._limit, before, max(moment, time.monotonic()), ahead_s)

        lines = self._open(caller, count(OPENS_S))
        needed = count(AHEAD_S)
        _close(lines[needed:])
        return lines[:needed]

    def _keyless(self) -> list[Event]:
        caller = self._callers.keyless()
        return self._fire(caller, self._open(caller, self._limit.first_count), anything=True) if caller is not None else []

    def _recovery(self, first: Caller, before: list[Event]) -> dict[str, Json]:
        recovered = rules.recovered_at(self._limit, before) + MARGIN_S
        if recovered - time.monotonic() > self._wait_s:
            return {"unseen": True, "wait_s": self._wait_s, "events": []}
        # The connections are opened just before, so that no server closes one for being idle.
        self._rest(max(0.0, recovered - OPENS_S - time.monotonic()))
        lines = self._open_to_tell(first, before, recovered)
        time.sleep(max(0.0, recovered - time.monotonic()))
        return {"unseen": False, "wait_s": self._wait_s, "events": self._fire(first, lines)}

    def _rest(self, seconds: float) -> None:
        """Send nothing for at least *seconds*."""
        self._acting.release()
        try:
            time.sleep(seconds)
        finally:
            self._acting.acquire()

    def _open(self, caller: Caller, count: int) -> list[Ready]:
        """Return *count* open connections. Raises ``NoAnswer`` where one cannot be had: nothing has been sent yet."""
        url = caller.prepared(self._sessions, self._request, WORDS)[0]
        found: list[Ready | NoAnswer] = []
        waiting = iter(range(count))
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    if next(waiting, None) is None or any(isinstance(one, NoAnswer) for one in found):
                        return
                try:
                    one: Ready | NoAnswer = caller.client.ready(url)
                except NoAnswer as problem:
                    one = problem
                found.append(one)

        _together([work] * min(OPENING, count))
        for one in found:
            if isinstance(one, NoAnswer):
                _close(line for line in found if isinstance(line, Ready))
                raise one
        return [one for one in found if isinstance(one, Ready)]

    def _fire(self, caller: Caller, lines: list[Ready], extra: list[dict[str, str]] | None = None, *, anything: bool = False) -> list[Event]:
        """Send one request over each of *lines*, all at once. With *anything*, whatever the application itself says counts as let in."""
        _url, headers, body = caller.prepared(self._sessions, self._request, WORDS)
        events: list[Event] = []
        gate = threading.Barrier(len(lines))

        def send(line: Ready, more: t.Mapping[str, str]) -> None:
            gate.wait(TIMEOUT_S)
            sent = time.monotonic()
            answer: Answer | None = None
            try:
                answer = line.send(self._request.method, {**headers, **more}, body)
            except NoAnswer as problem:
                if problem.kind != "timeout":
                    events.append({**self._event(sent, None, anything), "outcome": "odd", "status": problem.kind})
                    return
            events.append(self._event(sent, answer, anything))

        extra = extra or [{}] * len(lines)
        _together([functools.partial(send, line, more) for line, more in zip(lines, extra, strict=True)])
        return sorted(events, key=lambda event: float(event["sent"]))

    def _event(self, sent: float, answer: Answer | None, anything: bool) -> Event:
        letting_in = frozenset(range(200, 500)) - NOT_THERE if anything else self._letting_in
        return {
            "sent": sent,
            "answered": time.monotonic(),
            "status": answer.status if answer else None,
            "retry_after": answer.headers.get("retry-after") if answer else None,
            "outcome": rules.outcome(answer.status, answer.text[:500], self._limit, letting_in) if answer else "held",
        }


def _close(lines: t.Iterable[Ready]) -> None:
    for line in lines:
        line.close()


def _together(jobs: t.Sequence[t.Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _status_only(expect: Expect) -> bool:
    return dataclasses.replace(expect, status=Expect().status) == Expect()


def harmless(request: Request) -> Request:
    """Return *request* as it may be sent many times: one that may change something loses its content, unless it is declared to be turned down anyhow."""
    turned_down = all(status.startswith("4") for status in request.expect.status)
    if not request.unsafe or turned_down:
        return request
    empty: dict[str, Json] = {"json": {}, "form": {}, "text": ""}
    return dataclasses.replace(request, body=(request.body[0], empty[request.body[0]]) if request.body else None, expect=Expect(), save={})


def forwarded(names: t.Sequence[str]) -> dict[str, str]:
    """Return *names* as headers that claim an address nobody has claimed before (RFC 2544's, for tests of network devices)."""
    claimed = f"198.{18 + secrets.randbelow(2)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    return {name: FORWARDED[name].format(claimed) for name in names}
