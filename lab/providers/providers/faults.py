# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults, scripted for each provider. Each has an end of its own: a drill that was killed leaves nothing broken for ever."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t
from collections.abc import Mapping

#: ``status``: that status is answered. ``delay``: the right answer, late. ``reset``: the request is read, then the connection is reset. ``half``: half of the
#: right answer. ``refuse``: no session at all (TLS is refused, a mail server says 421).
KINDS = ("status", "delay", "reset", "half", "refuse")
LONGEST_S = 3600.0
#: What a caller may say of a fault, and of which types.
NUMBER = (int, float)
FIELDS: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "for_s": NUMBER,
    "status": int,
    "retry_after": str,
    "delay_s": NUMBER,
    "times": int,
    "contains": str,
}
LONGEST_DELAY_S = 60.0


class Wrong(Exception):
    """What was asked for is no fault that we know."""


@dataclasses.dataclass
class Fault:
    """``times``: calls that meet it, None for all until it ends after ``for_s`` seconds. ``contains``: only calls whose body has this text."""

    kind: str
    for_s: float
    status: int = 503
    retry_after: str | None = None
    delay_s: float = 0.0
    times: int | None = None
    contains: str = ""
    ends_at: float = 0.0

    @classmethod
    def of(cls, given: Mapping[str, t.Any]) -> Fault:
        for name, value in given.items():
            if name not in FIELDS or isinstance(value, bool) or not isinstance(value, FIELDS[name]):
                raise Wrong(f"{name} is not known here, or not of its kind; known: {', '.join(FIELDS)}")
        if given.get("kind") not in KINDS:
            raise Wrong(f"kind is one of {', '.join(KINDS)}")
        if not 0 < given.get("for_s", 0) <= LONGEST_S:
            raise Wrong(f"for_s, how long it lasts, is above 0 and at most {LONGEST_S:.0f} seconds")
        if not 400 <= given.get("status", 503) <= 599 or given.get("times", 1) < 1:
            raise Wrong("status is from 400 to 599, times at least 1")
        if given["kind"] == "delay" and not 0 < given.get("delay_s", 0) <= LONGEST_DELAY_S:
            raise Wrong(f"delay_s is above 0 and at most {LONGEST_DELAY_S:.0f} seconds")
        return cls(**given, ends_at=time.monotonic() + given["for_s"])

    def shown(self) -> dict[str, t.Any]:
        told = dataclasses.asdict(self)
        return {"ends_in_s": round(told.pop("ends_at") - time.monotonic(), 1), **told}


class Faults:
    def __init__(self) -> None:
        self._by_provider: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()

    def add(self, provider: str, fault: Fault) -> None:
        with self._lock:
            self._by_provider.setdefault(provider, []).append(fault)

    def clear(self, provider: str) -> None:
        with self._lock:
            self._by_provider.pop(provider, None)

    def active(self, provider: str) -> list[Fault]:
        with self._lock:
            return list(self._live(provider))

    def met(self, provider: str, body: str = "", *, connecting: bool = False) -> Fault | None:
        """The fault that a call with *body* meets, counted; ``connecting``: before anything was said, which only ``refuse`` is about."""
        with self._lock:
            for fault in self._live(provider):
                if (fault.kind == "refuse") == connecting and fault.contains in body:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def _live(self, provider: str) -> list[Fault]:
        live = [fault for fault in self._by_provider.get(provider, ()) if fault.ends_at > time.monotonic() and fault.times != 0]
        self._by_provider[provider] = live
        return live
