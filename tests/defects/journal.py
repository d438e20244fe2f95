# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is broken in the lab right now, written down before it is broken: a runner that was killed leaves it for the next one. One runner at a time.

It lies beside the lab, which is what is broken, and holds how to mend it: the defect's file may have changed by then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import pathlib
import sys
import typing as t

from trial import Defect

PATH = pathlib.Path(__file__).parents[2] / ".lab" / "defects.json"


class Journal:
    """The defects that may be in the lab: seeded, half seeded, or half mended."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: pathlib.Path = PATH) -> t.Iterator[Journal]:
        if not path.parent.is_dir():
            sys.exit("there is no lab: make demo")
        with path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.exit("another run is breaking this lab right now; wait for it")
            yield cls(path)

    def broken(self) -> list[Defect]:
        try:
            return [Defect(**one) for one in json.loads(self._path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []

    def note(self, *defects: Defect) -> None:
        """Write down that exactly *defects* may be in the lab; whole or not at all."""
        if not defects:
            self._path.unlink(missing_ok=True)
            return
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps([dataclasses.asdict(defect) for defect in defects]), encoding="utf-8")
        fresh.replace(self._path)
