# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.restore``: the newest backup of the second place is fetched, restored in a cage, held against its manifest, timed, and thrown away.

Phases: preflight (writes nothing), fetch, the cage (check, restore, analyze, verify), measure, clean up. The live cluster is asked for nothing. A copy that
came back is written down for the retention policy, which never removes the newest such copy.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import pwd
import re
import secrets
import shutil
import sys
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import drill_metrics, drill_rules, drill_sources
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_host import CONFIG, read_config
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_report import REPORT
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import ENGINE

Source: t.TypeAlias = "drill_sources.Job | drill_sources.Theirs"

DRILL_USER = "golive_drill"

#: Nothing is removed that does not hold this file and is not named so, right below the scratch folder.
MARKER = ".golive-drill"
NAME = re.compile(r"^drill-[0-9a-f]{12}$")
HISTORY = "history.jsonl"

#: restic's answer that means: what is stored is not what was written (``_pgbackup/offsite``).
DAMAGED = "damaged"

#: What the drill reads in a manifest before the copy holds all of it against its seal.
MANIFEST_NEEDED = {"at", "archive_bytes", "restored_bytes", "server_version", "system_identifier"}

#: A drill may take this long, in seconds; systemd ends it then, whatever became of us.
RUNTIME_S = 4 * 3600
MEMORY_MB = 1536

#: systemd.exec(5), systemd.resource-control(5). A container may ignore some of them: the copy looks itself which hold (``_pgbackup/walls``), and it is told.
CAGE = (
    f"User={DRILL_USER}",
    "PrivateNetwork=yes",
    "RestrictAddressFamilies=AF_UNIX",
    "IPAddressDeny=any",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "InaccessiblePaths=-/var/lib/postgresql",
    "InaccessiblePaths=-/run/postgresql",
    "Nice=19",
    "IOSchedulingClass=idle",
    "CPUWeight=20",
    "IOWeight=10",
    f"MemoryMax={MEMORY_MB}M",
    "MemorySwapMax=0",
    "TasksMax=200",
    "OOMPolicy=kill",
    "LimitCORE=0",
    f"RuntimeMaxSec={RUNTIME_S}",
)


class RestoreDrill(Check):
    """One target: the newest copy of this host's database in the second place."""

    name = "restore_drill"
    items = ("postgres.restore",)
    vantage = "postgres"
    impact = "active"
    drill = True
    alone = True
    runs_as = "root"  # it makes the cage; what runs inside has a user without rights
    timeout_s = float(RUNTIME_S)
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "scratch": {"type": "str", "default": "/var/lib/golive", "example": "postgres_restore_scratch: /var/lib/golive"},
        "rto_minutes": {"type": "float", "default": 120.0, "example": "postgres_restore_rto_minutes: 120"},
        "rpo_minutes": {"type": "float", "default": 60.0, "example": "postgres_restore_rpo_minutes: 60"},
        "settings": {"type": "str", "choices": ["tuned", "production"], "default": "tuned", "example": "postgres_restore_settings: tuned"},
        "jobs": {"type": "int", "default": 2, "example": "postgres_restore_jobs: 2"},
        "invariants": {"type": "dict", "default": {}, "example": 'postgres_restore_invariants: {orphans: "select count(*) from …"}'},
        "engine": {**ENGINE, "variable": "postgres_backups_engine"},
        "report": {**REPORT, "variable": "postgres_backups_report"},
        "command": {
            "type": "list",
            "elements": "str",
            "required_with": {"engine": ["external", "managed"]},
            "example": 'postgres_restore_command: [/usr/local/bin/fetch-backup, "{id}", "{target}"]   # leaves a dump or a data directory there',
        },
        "command_as": {"type": "str", "default": "nobody", "example": "postgres_restore_command_as: backup"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        source = drill_sources.of(ctx, read_config, CONFIG)
        scratch = pathlib.Path(ctx.options["scratch"])
        scratch.mkdir(mode=0o711, parents=True, exist_ok=True)
        with _only_one(scratch):
            reap(ctx, scratch)
            return drill_metrics.told(scratch, lambda: _drill(ctx, source, scratch), ctx.options)

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return drill_rules.judge(seen, options)


@contextlib.contextmanager
def _only_one(scratch: pathlib.Path) -> t.Iterator[None]:
    with (scratch / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotKnow("restore_drill.another_runs", scratch=str(scratch)) from None
        yield


def reap(ctx: Context, scratch: pathlib.Path) -> list[str]:
    """Remove what a killed drill left, and end what still runs of it. The lock is ours: no living drill is touched."""
    left = sorted(path.name for path in scratch.iterdir() if NAME.match(path.name))
    for name in left:
        ctx.run(["systemctl", "stop", f"golive-{name}.service"], ok=None)
        remove(scratch / name, scratch)
    return left


def remove(home: pathlib.Path, scratch: pathlib.Path) -> None:
    """Remove a drill's folder, if it is one: a real folder with our marker, right below the scratch folder."""
    if home.is_symlink() or home.parent != scratch or not NAME.match(home.name) or not (home / MARKER).is_file():
        raise CannotKnow("restore_drill.not_ours", path=str(home))
    shutil.rmtree(home)


def _drill(ctx: Context, source: Source, scratch: pathlib.Path) -> dict[str, Json]:
    started = time.time()
    known = source.stored()
    if known.get("name") == DAMAGED:
        return _damaged("manifest.json", known)
    newest, manifest = _preflight(known, scratch)
    home = scratch / f"drill-{secrets.token_hex(6)}"
    _folder(home, 0o711)
    (home / MARKER).touch()
    try:
        fetched = _fetch(source, newest, home)
        if fetched.get("name") == DAMAGED:
            return _damaged(newest["id"], fetched)
        if fetched["told"]:
            return {"verdict": "fail", "id": newest["id"], "told": fetched["told"], "phases": {"fetch": fetched["seconds"]}, "steps": []}
        came = _caged(ctx, home, manifest, source.plan(known, started))
        if came["verdict"] == "pass":
            source.note(newest["id"], started, lambda order: _readable(home / "verified.json", json.dumps(order).encode()))
    finally:
        ctx.run(["systemctl", "stop", f"golive-{home.name}.service"], ok=None)
        remove(home, scratch)
    came["phases"] = {"fetch": fetched["seconds"], **came["phases"]}
    came["steps"] = [{key: fetched[key] for key in ("phase", "argv", "seconds")}, *came["steps"]]
    seen = {
        "at": manifest["at"],
        **came,
        "id": newest["id"],
        "started": started,
        "settings": ctx.options["settings"],
        "server_version": manifest["server_version"],
        "database": manifest["database"]["name"],
        "questions": manifest.get("questions", {}),
    }
    if came["verdict"] == "pass":
        line = {"at": started, "id": newest["id"], "bytes": came["copy_bytes"], "phases": came["phases"]}
        with (scratch / HISTORY).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")
        seen["twice_the_size"] = drill_rules.extrapolated(_history(scratch), 2 * came["copy_bytes"])
    return seen


def _history(scratch: pathlib.Path) -> list[dict[str, Json]]:
    """Return the drills that went well, oldest first."""
    return [json.loads(line) for line in (scratch / HISTORY).read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _damaged(name: str, told: t.Mapping[str, Json]) -> dict[str, Json]:
    """What is stored cannot be read back: that is not a drill that failed, it is a backup that does not come back."""
    wrong = {"code": "stored_damaged", "name": name, "wanted": "", "found": told["why"]}
    return {"verdict": "fail", "id": name, "told": [wrong], "phases": {}, "steps": []}


def _folder(path: pathlib.Path, mode: int, user: str | None = None) -> None:
    """Make a folder with exactly this mode, whatever the umask."""
    path.mkdir()
    path.chmod(mode)
    if user:
        shutil.chown(path, user, user)


def _readable(path: pathlib.Path, content: bytes) -> pathlib.Path:
    """Write a file that every user may read, whatever the umask: there is no secret in it."""
    path.write_bytes(content)
    path.chmod(0o644)
    return path


def _preflight(known: t.Mapping[str, Json], scratch: pathlib.Path) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the newest copy and its manifest, or say why a drill must not begin. Writes nothing."""
    if "failed" in known:
        raise CannotKnow("restore_drill.offsite_refused", why=known["why"])
    if known["running_s"] is not None:
        raise CannotKnow("restore_drill.backup_running", minutes=round(known["running_s"] / 60, 1))
    newest, manifest = known["newest"], known["manifest"]
    if newest is None:
        raise CannotKnow("restore_drill.nothing_stored")
    ours, theirs = known.get("local_system"), newest.get("system_identifier")  # pgBackRest refuses another cluster itself
    if ours and theirs != ours:
        raise CannotKnow("restore_drill.stored_other_cluster", id=newest["id"], ours=ours, theirs=theirs)
    if not set(manifest or ()) >= MANIFEST_NEEDED:
        raise CannotKnow("restore_drill.no_manifest", id=newest["id"])
    major = manifest["server_version"] // 10000
    if not pathlib.Path(f"/usr/lib/postgresql/{major}/bin/postgres").exists() and not shutil.which("postgres"):
        raise CannotKnow("restore_drill.wrong_major", major=major)
    disk = shutil.disk_usage(scratch)
    missing = drill_rules.missing_bytes(manifest, disk.total, disk.free)
    if missing:
        raise CannotKnow("restore_drill.no_room", scratch=str(scratch), needed=drill_rules.needed_bytes(manifest), free=disk.free, missing=missing)
    return newest, manifest


def _fetch(source: Source, newest: t.Mapping[str, Json], home: pathlib.Path) -> dict[str, Json]:
    """Bring the copy from the second place, as whoever may, and hand it to the cage's user. Return the step, with what is wrong in the place it came from."""
    target = home / "backup"
    try:
        _folder(target, 0o700, source.user)
    except LookupError:
        raise CannotKnow("common.user_missing", user=source.user) from None
    told = source.fetch(newest, target, lambda order: _readable(home / "fetch.json", json.dumps(order).encode()))
    if "failed" in told:
        if told.get("name") == DAMAGED:
            return told
        raise CannotKnow("restore_drill.fetch_failed", why=told["why"])
    for folder, _folders, names in os.walk(target):
        for name in (".", *names):
            os.lchown(pathlib.Path(folder) / name, *_ids(DRILL_USER))
    return {"phase": "fetch", "argv": told.get("argv", []), "seconds": float(told["seconds"]), "told": told.get("told", [])}


def _ids(user: str) -> tuple[int, int]:
    found = pwd.getpwnam(user)
    return found.pw_uid, found.pw_gid


def _caged(ctx: Context, home: pathlib.Path, manifest: t.Mapping[str, Json], more: t.Mapping[str, Json]) -> dict[str, Json]:
    work = home / "work"
    _folder(work, 0o700, DRILL_USER)
    plan = {
        "home": str(work),
        "backup": str(home / "backup"),
        "jobs": ctx.options["jobs"],
        "settings": ctx.options["settings"],
        "memory_mb": MEMORY_MB,
        "live_identifier": manifest["system_identifier"],
        **more,
    }
    order = _readable(home / "plan.json", json.dumps(plan).encode())
    program = _readable(home / "golive_pgbackup.pyz", _ship.archive())
    properties = [f"--property={one}" for one in (*CAGE, f"ReadWritePaths={home}", f"WorkingDirectory={work}")]
    argv = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit=golive-{home.name}", *properties]
    done = ctx.run([*argv, sys.executable, "-I", str(program), "cage", str(order)], cwd="/", ok=None)
    try:
        return t.cast("dict[str, Json]", json.loads(done.stdout))
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["-"])[-1]
        raise CannotKnow("restore_drill.cage_failed", rc=done.rc, message=last[:300]) from None
