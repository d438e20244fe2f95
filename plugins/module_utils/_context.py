# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check is handed: its options and secrets, children under a deadline, and snapshots shared by all checks of one OS user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Completed, Options

#: A child's output is kept up to this many bytes: evidence, not an archive.
OUTPUT_LIMIT = 4 * 1024 * 1024


class Snapshots:
    """``shared``: each key is made once, by the first who asks; the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._made: dict[str, t.Any] = {}

    def get(self, key: str, make: t.Callable[[], t.Any]) -> t.Any:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]


class RunContext:
    """The :class:`~._check.Context` of one (check, target)."""

    def __init__(
        self,
        options: Options,
        secrets: t.Mapping[str, str],
        target: str,
        timeout_s: float,
        snapshots: Snapshots | None = None,
        child_started: t.Callable[[int], None] = lambda pid: None,
    ) -> None:
        self.options = options
        self.secrets = secrets
        self.target = target
        self.timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._snapshots = snapshots or Snapshots()
        self._child_started = child_started

    def remaining_s(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def shared(self, key: str, make: t.Callable[[], t.Any]) -> t.Any:
        return self._snapshots.get(key, make)

    def run(
        self,
        argv: t.Sequence[str],
        *,
        timeout_s: float | None = None,
        stdin: str | None = None,
        env: t.Mapping[str, str] | None = None,
        cwd: str | None = None,
        ok: t.Collection[int] | None = (0,),
    ) -> Completed:
        limit_s = min(timeout_s or self.timeout_s, self.remaining_s())
        if shutil.which(argv[0]) is None:
            raise CannotKnow("common.command_missing", command=argv[0])
        # Output goes to unnamed files, not pipes: a grandchild that keeps them open must not keep us waiting.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write((stdin or "").encode())
            given.seek(0)
            child = subprocess.Popen(
                list(argv), stdin=given, stdout=out, stderr=err, cwd=cwd, env={**os.environ, **(env or {}), "LC_ALL": "C"}, start_new_session=True
            )
            self._child_started(child.pid)
            try:
                rc = child.wait(limit_s)
            except subprocess.TimeoutExpired:
                raise CannotKnow("common.timeout", what=os.path.basename(argv[0]), seconds=round(limit_s, 1)) from None
            finally:
                kill_group(child.pid)
                child.wait()
            done = Completed(rc, _read(out), _read(err))
        if ok is not None and rc not in ok:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise CannotKnow("common.command_failed", command=os.path.basename(argv[0]), rc=rc, message=(last or [""])[0][:300])
        return done


def kill_group(pid: int) -> None:
    """End a child's whole session; one that has already gone is what we wanted."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read(stream: t.IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(OUTPUT_LIMIT).decode("utf-8", "replace")
