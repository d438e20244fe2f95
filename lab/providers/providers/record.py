# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: every call and every mail, numbered, without its secrets."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import deque
from collections.abc import Mapping

#: Calls that are kept. The oldest go first; their numbers are never given again.
KEPT = 5_000
#: Headers whose values never enter the record.
SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "x-hub-signature-256", "x-twilio-signature", "stripe-signature", "x-signature"})


class Record:
    def __init__(self) -> None:
        self._calls: deque[dict[str, t.Any]] = deque(maxlen=KEPT)
        self._number = 0
        self._lock = threading.Lock()

    def add(self, provider: str, method: str, path: str, headers: Mapping[str, str], body: str, status: int | None, fault: str | None = None) -> None:
        """Keep one call. ``status`` is what it was answered, None where no whole answer was given."""
        shown = {name: value for name, value in headers.items() if name.lower() not in SECRET}
        with self._lock:
            self._number += 1
            call = {"n": self._number, "at": time.time(), "provider": provider, "method": method, "path": path, "headers": shown}
            self._calls.append({**call, "body": body, "status": status, "fault": fault})

    def calls(self, provider: str, since: int = 0) -> list[dict[str, t.Any]]:
        """The calls to *provider* whose number is above *since*, oldest first."""
        with self._lock:
            return [call for call in self._calls if call["provider"] == provider and call["n"] > since]
