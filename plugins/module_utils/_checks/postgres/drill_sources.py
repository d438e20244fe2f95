# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a drill's backup comes from: the job's own second place, or whatever a restore command of the user's brings.

The restore drill and the migration rehearsal come in.
"""

from __future__ import annotations

import json
import pathlib
import tempfile
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, backup_report
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_host import user_of
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import programs

Known = t.Mapping[str, Json]

#: How many times larger than its backup a database may be: pg_dump's best compression here was 10 (research, section 2).
UNPACKED = 10

#: Rows of a copy of somebody else's backup are compared with nothing; its manifest says only what the preflight asks for.
UNKNOWN = "?"


class Job:
    """The engines that keep a manifest: the job is asked, as its own user."""

    def __init__(self, ctx: Context, config: Known, path: pathlib.Path) -> None:
        self.ctx, self.config, self.path = ctx, config, path
        self.user = user_of(config)
        self.engine = str(config.get("engine") or "dump")

    def stored(self) -> dict[str, Json]:
        return _ship.ask(self.ctx, self.user, "stored", str(self.path))

    def fetch(self, newest: Known, target: pathlib.Path, order: t.Callable[[dict[str, Json]], pathlib.Path]) -> dict[str, Json]:
        wanted = {"config": dict(self.config), "id": newest["id"], "snapshot": newest["snapshot"], "target": str(target)}
        return _ship.ask(self.ctx, self.user, "fetch", str(order(wanted)))

    def plan(self, known: Known, started: float) -> dict[str, Json]:
        """Return what the copy must know besides: how far the live cluster was when the drill began."""
        return {"engine": self.engine, "live_xmax": known.get("live_xmax"), "started_at": started}

    def note(self, name: str, at: float, verdict: str) -> None:
        """Have the job remember how the drill of this copy ended."""
        with tempfile.TemporaryDirectory(prefix="golive-") as folder:
            pathlib.Path(folder).chmod(0o755)
            told = {"config": dict(self.config), "id": name, "at": at, "verdict": verdict}
            order = _caged.readable(pathlib.Path(folder) / "drilled.json", json.dumps(told).encode())
            _ship.ask(self.ctx, self.user, "drilled", str(order))


class Theirs:
    """The engines that others run: their list says what there is, their command brings it into a folder that is theirs for so long."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.user = str(ctx.options["command_as"])
        self.engine = str(ctx.options["engine"])

    def stored(self) -> dict[str, Json]:
        backups = backup_report.read(self.ctx, self.ctx.options["report"])
        if not backups:
            return {"running_s": None, "newest": None, "manifest": None}
        newest, majors = backups[0], programs.majors()
        if not majors:
            raise CannotKnow("restore_drill.no_server")
        size = int(newest.get("bytes") or 0)
        manifest = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(newest["at"])),
            "archive_bytes": size,
            "restored_bytes": size * UNPACKED,
            "server_version": majors[0] * 10000,
            "system_identifier": UNKNOWN,
            "database": {"name": UNKNOWN},
            "questions": dict(self.ctx.options["invariants"]),
        }
        return {"running_s": None, "newest": {"id": newest["id"], "snapshot": newest["id"]}, "manifest": manifest}

    def fetch(self, newest: Known, target: pathlib.Path, order: t.Callable[[dict[str, Json]], pathlib.Path]) -> dict[str, Json]:
        words = {"{id}": str(newest["id"]), "{target}": str(target)}
        argv = [_filled(str(word), words) for word in self.ctx.options["command"]]
        started = time.monotonic()
        done = self.ctx.run(["runuser", "-u", self.user, "--", *argv], cwd=str(target), ok=None)
        if done.rc:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            return {"failed": "fetch", "why": f"{argv[0]} ended with {done.rc}: {(last or ['-'])[0][:300]}"}
        return {"seconds": round(time.monotonic() - started, 2), "argv": argv}

    def plan(self, known: Known, started: float) -> dict[str, Json]:
        return {"engine": self.engine, "id": known["newest"]["id"], "at": known["manifest"]["at"], "questions": known["manifest"]["questions"]}

    def note(self, name: str, at: float, verdict: str) -> None:
        """Their retention is theirs."""


def _filled(word: str, words: t.Mapping[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def of(ctx: Context, config: t.Callable[[], Known | None], path: pathlib.Path) -> Job | Theirs:
    """Return where the declared engine's backups come from. Raises :class:`CannotKnow`."""
    if ctx.options["engine"] in ("external", "managed"):
        return Theirs(ctx)
    found = config()
    if found is None or str(found.get("engine") or "dump") != ctx.options["engine"]:
        raise CannotKnow("restore_drill.no_backups")
    return Job(ctx, found, path)
