# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of checks that need more than one host: what a host does or sees for a check whose judgement is made on the control node.

A part travels in the same module run as the host's checks. It proves nothing by itself: its row has no item, and what it saw stands in ``observed``.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _observers, _postgres
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._sql import Reader
from ansible_collections.resto.golive.plugins.module_utils._watch import PAUSE_S, Sight

#: The item of rows that are no observation.
NO_ITEM = "-"


class Part(Check):
    """What one host contributes. ``given`` (an option) is what the control node knows and the host does not."""

    items = (NO_ITEM,)

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return [Assertion("pass", "common.part", observed=seen)]


class DatabaseObservers(Part):
    """Looks for rows, again and again, until all that is waited for has been seen, or nothing more can be expected.

    ``given``: ``lead_s`` (how long the first sighting may take to come), ``settle_s`` (how long it goes on looking when all has been seen: for what comes
    twice) and ``see``: {name: {observer, where, within_s, words, never, wait}}. What ``wait``
    is true for is waited for; ``none`` is waited for to be gone; all others are looked at as long as anything is waited for, and at least once.
    """

    name = "database_observers"
    vantage = "postgres"
    timeout_s = 75.0
    options = {**_postgres.CONNECTION, "given": {"type": "dict", "default": {}}}

    def observe(self, ctx: Context) -> dict[str, Json]:
        given = ctx.options["given"]
        reader = Reader(ctx.options, ctx.secrets)
        try:
            sights = {}
            for name, one in given["see"].items():
                observer = _observers.parse(one["observer"], one["where"], within_s=one["within_s"])
                observer = dataclasses.replace(observer, none=one["wait"] == "none")
                sights[name] = Sight(observer, reader.look(observer), one["words"], one.get("never"))
            _watch(sights, {name for name, one in given["see"].items() if one["wait"]}, given["lead_s"], given.get("settle_s", 0.0))
            return {"sights": {name: sight.seen() for name, sight in sights.items()}}
        finally:
            reader.close()


def _watch(sights: t.Mapping[str, Sight], awaited: t.Collection[str], lead_s: float, settle_s: float) -> None:
    """Look at each in turn until the awaited have what they want, or none can come any more: nothing within the lead, or the longest limit after the first."""
    longest_s = max((sights[name].observer.within_s for name in awaited), default=0.0)
    ends = time.monotonic() + lead_s + longest_s
    begun = done = False
    while True:
        for sight in sights.values():
            sight.once()
        if not done and all(sights[name].satisfied for name in awaited):
            done, ends = True, time.monotonic() + settle_s
        if time.monotonic() >= ends:
            return
        if not (begun or done) and any(sights[name].count and not sights[name].observer.none for name in awaited):
            begun, ends = True, time.monotonic() + longest_s
        time.sleep(PAUSE_S)
