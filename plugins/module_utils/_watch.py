# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for what an observer must see: one thread an observer, first sightings on this host's clock, and the same look for an id that was never sent.

A look returns what is there now; a watch asks it again and again until its end. Nothing here decides whether what was seen is good.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Json
from ansible_collections.resto.golive.plugins.module_utils._observers import Observer
from ansible_collections.resto.golive.plugins.module_utils._words import Words

#: Between two looks, in seconds: a tenth of the smallest limit that anybody sets, and a load that no server feels.
PAUSE_S = 0.1


@dataclasses.dataclass(frozen=True)
class Found:
    """What one look found: how many, and the columns or saved words of each."""

    count: int
    rows: t.Sequence[t.Mapping[str, Json]] = ()


Look = t.Callable[[Words], Found]


class Sight:
    """What has been seen of one observer so far. ``never`` are the same words with an id that nobody sends: what sees it, sees anything."""

    def __init__(self, observer: Observer, look: Look, words: Words, never: Words | None = None) -> None:
        self.observer = observer
        self._look = look
        self._words = words
        self._never = never
        self._seen: dict[str, Json] = {
            **dict.fromkeys(("first_look", "last_look", "first_seen", "last_seen", "last_absent", "problem")),
            "looks": 0,
            "count": 0,
            "most": 0,
            "never": 0,
            "rows": [],
        }

    @property
    def count(self) -> int:
        return int(self._seen["count"])

    @property
    def blind(self) -> bool:
        """Whether no look has been possible yet."""
        return not self._seen["looks"]

    @property
    def satisfied(self) -> bool:
        """Whether it need not be waited for any more: it was there often enough, or, where it has to be gone, the last look found nothing."""
        if self.observer.none:
            return bool(self._seen["looks"]) and not self.count
        return self.observer.enough(int(self._seen["most"]))

    def once(self) -> None:
        """Look once."""
        begun = time.time()
        seen = self._seen
        try:
            found = self._look(self._words)
            if self._never is not None:
                seen["never"] = max(seen["never"], self._look(self._never).count)
        except CannotKnow as problem:
            seen["problem"] = {"code": problem.code, "status": problem.status, "params": problem.params}
            return
        seen["problem"] = None
        seen["first_look"] = seen["first_look"] or begun
        seen["last_look"] = begun
        seen["looks"] += 1
        seen["count"], seen["most"] = found.count, max(seen["most"], found.count)
        if found.count:
            seen["first_seen"] = seen["first_seen"] or time.time()
            seen["last_seen"] = begun
            seen["rows"] = [dict(row) for row in found.rows[:20]]
        elif seen["first_seen"] is None:
            seen["last_absent"] = begun

    def before(self) -> None:
        """Look once before anything was sent: what is there already is no effect of it."""
        self.once()
        self._seen["never"] = max(int(self._seen["never"]), self.count)

    def seen(self) -> dict[str, Json]:
        """Return ``{first_look, last_look, first_seen, last_seen, last_absent, looks, count, most, never, rows, problem}``.

        Times are epoch seconds on this host's clock: ``first_seen`` when the first look that saw it was over, ``last_absent`` when the last look before
        it began, ``last_seen`` when the last look that still saw it began. ``count`` is the last look's, ``most`` the highest of all.
        """
        return dict(self._seen)


class Watch(Sight):
    """One observer being watched by a thread of its own."""

    def __init__(self, observer: Observer, look: Look, words: Words, never: Words | None = None, *, pause_s: float = PAUSE_S) -> None:
        super().__init__(observer, look, words, never)
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Watch:
        self._thread.start()
        return self

    def wait(self, until: float) -> bool:
        """Wait until it has seen enough or the monotonic clock says *until*. Returns whether it has."""
        while not self.observer.enough(self.count) and time.monotonic() < until:
            time.sleep(max(0.0, min(0.02, until - time.monotonic())))
        return self.observer.enough(self.count)

    def end(self) -> dict[str, Json]:
        """Stop, look one last time, and return what was seen."""
        self._stop.set()
        self._thread.join(timeout=2 * self.observer.within_s)
        self.once()
        return self.seen()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.once()
            self._stop.wait(self._pause_s)
