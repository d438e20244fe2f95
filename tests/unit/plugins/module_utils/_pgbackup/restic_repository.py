# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restic repository whose snapshots are only dates: written as its format says (restic's doc/design.rst), so that thousands of histories cost seconds.

The real ``restic forget --dry-run`` reads it. Its key is derived with a cheap scrypt, and there is nothing in it to protect.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pathlib
import subprocess
import typing as t

from restic_format import Keys, b64, key_file

PASSWORD = "nothing-to-protect"


def restic_version() -> tuple[int, ...]:
    said = subprocess.run(["restic", "version"], capture_output=True, text=True, check=True).stdout  # restic 0.14.0 compiled with …
    return tuple(int(number) for number in said.split()[1].partition("-")[0].split("."))


class Repository:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.number = 0
        for name in ("data", "index", "keys", "locks", "snapshots"):
            (folder / name).mkdir()
        self.keys = Keys.of(os.urandom(64))
        master = {"mac": {"k": b64(self.keys.k), "r": b64(self.keys.r)}, "encrypt": b64(self.keys.encrypt)}
        self._write("keys", key_file(json.dumps(master).encode(), PASSWORD.encode()))
        (folder / "config").write_bytes(self.keys.sealed(json.dumps({"version": 1, "id": "0" * 64, "chunker_polynomial": "25b468838dcb75"}).encode()))

    def _write(self, kind: str, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        (self.folder / kind / name).write_bytes(data)
        return name

    def add(self, host: str, times: t.Iterable[datetime.datetime]) -> dict[str, datetime.datetime]:
        """Add a snapshot of *host* for each of *times*, whose zones it keeps; return them by snapshot id."""
        made = {}
        for at in times:
            self.number += 1
            snapshot = {"time": at.isoformat(), "tree": f"{self.number:064x}", "paths": ["/"], "hostname": host, "username": "x"}
            made[self._write("snapshots", self.keys.sealed(json.dumps(snapshot).encode()))] = at
        return made

    def forget(self, zone: str, *policy: str) -> dict[str, set[str]]:
        """Return the ids of the snapshots that restic would keep, by host."""
        argv = ["restic", "--repo", str(self.folder), "--no-cache", "--no-lock", "forget", "--dry-run", "--json", "--group-by", "host", *policy]
        env = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "TZ": zone}
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env)
        groups = json.loads(done.stdout.splitlines()[0])
        return {group["host"]: {snapshot["id"] for snapshot in group["keep"] or ()} for group in groups}
