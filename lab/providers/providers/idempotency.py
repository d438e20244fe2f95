# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Idempotency keys: the answer to a key's first request is the answer to all of them; another request under it is refused."""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from collections import OrderedDict

from providers.call import Answer, Call

#: Keys that are remembered; vendors keep them for a day.
KEPT = 10_000


class Reused(Exception):
    """The key was used for another request."""


class Keys:
    def __init__(self) -> None:
        self._answers: OrderedDict[str, tuple[str, Answer]] = OrderedDict()
        self._lock = threading.Lock()

    def once(self, key: str, call: Call, make: t.Callable[[], Answer]) -> tuple[Answer, bool]:
        """Return the answer, and whether it is one that was given before. Without a key each request is its own. Raises ``Reused``."""
        if not key:
            return make(), False
        said = f"{call.method} {call.path} {call.body}"
        with self._lock:
            if key in self._answers:
                before, answer = self._answers[key]
                if before != said:
                    raise Reused
                return dataclasses.replace(answer, events=(), replayed=True), True
            answer = make()
            # As vendors do, only what was carried out is remembered: a request that was refused may be mended and sent again.
            if answer.status < 400:
                self._answers[key] = said, answer
                while len(self._answers) > KEPT:
                    self._answers.popitem(last=False)
            return answer, False
