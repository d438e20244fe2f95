# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What any user of a machine may read of its processes: their arguments, sampled every few milliseconds.

The lab's hosts are containers, and their processes are seen from outside; ``planted`` proves it each time, so that a machine where it is not so fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
import typing as t

from .test_lab import connect

#: How long a planted process lives. A scan of some hundred processes takes a few milliseconds; what lives much shorter than this may go unseen.
LIVES_S = 0.1
TIMES = 5
#: Between two looks, in seconds: the rest of the machine has work to do.
PAUSE_S = 0.002
#: A process becomes another program soon after its start, or hardly ever: after so many looks one in fifty is enough.
YOUNG, SELDOM = 300, 50


class Watch:
    """Looks for *needles* in the arguments of all processes, between ``with`` and its end. ``found`` maps a needle's index to the programs that had it."""

    def __init__(self, needles: t.Sequence[str]) -> None:
        self._needles = [needle.encode() for needle in needles]
        self._any = re.compile(b"|".join(map(re.escape, self._needles)))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.found: dict[int, set[str]] = {}
        self.pids: dict[int, set[str]] = {}
        #: The longest time between two looks, in seconds: what lived shorter than this may have been missed.
        self.longest_s = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        looks: dict[str, int] = {}
        last = time.monotonic()
        while not self._done.wait(PAUSE_S):
            last, before = time.monotonic(), last
            self.longest_s = max(self.longest_s, last - before)
            looks = {pid: looks.get(pid, -1) + 1 for pid in os.listdir("/proc") if pid.isdigit()}
            for pid, times in looks.items():
                if times < YOUNG or times % SELDOM == 0:
                    self._look(pid)

    def _look(self, pid: str) -> None:
        with contextlib.suppress(OSError):
            handle = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY)
            try:
                arguments = os.read(handle, 1 << 17)
            finally:
                os.close(handle)
            for index, needle in enumerate(self._needles) if self._any.search(arguments) else ():
                if needle in arguments:
                    self.found.setdefault(index, set()).add(arguments.partition(b"\0")[0].decode(errors="replace"))
                    self.pids.setdefault(index, set()).add(pid)


def plant(first: str, second: str, host: str | None = None) -> None:
    """Start short processes with *first* and *second* joined in their arguments, here or on *host*; only there are they ever joined."""
    script = f'for n in $(seq {TIMES}); do python3 -c "import time; time.sleep({LIVES_S})" "$(printf %s%s {first} {second})"; done'
    if host:
        connect(host).check_output(script)
    else:
        subprocess.run(["sh", "-c", script], check=True)
