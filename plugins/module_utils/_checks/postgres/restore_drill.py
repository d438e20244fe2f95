# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.restore``: the newest backup of the second place is fetched, restored in a cage, held against its manifest, timed, and thrown away.

Phases: preflight (writes nothing), fetch, the cage (check, restore, analyze, verify), measure, clean up. The live cluster is asked for nothing. Whether the
copy came back is written down for the retention policy, which never removes the newest that did, and counts none that did not.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, drill_metrics, drill_rules, drill_sources
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_host import CONFIG, read_config
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_report import REPORT
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import ENGINE
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files, programs

Source: t.TypeAlias = "drill_sources.Job | drill_sources.Theirs"

HISTORY = "history.jsonl"

#: Options whose drills take the same time for the same data: another engine's, or durable ones, say nothing about these.
KIND = ("engine", "settings")

#: restic's answer that means: what is stored is not what was written (``_pgbackup/offsite``).
DAMAGED = "damaged"

#: What a refusal of the second place means where it is not only told (``_pgbackup/offsite``).
LOCKED = "locked"

#: What the drill reads in a manifest before the copy holds all of it against its seal.
MANIFEST_NEEDED = {"at", "archive_bytes", "restored_bytes", "server_version", "system_identifier"}

#: A drill may take this long, in seconds; systemd ends it then, whatever became of us.
RUNTIME_S = 4 * 3600
MEMORY_MB = 1536

#: A backup that is running gets this long to end, in seconds: most are short, and a drill that begins on the hour meets the job of that hour.
BACKUP_ENDS_S = 60.0


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
        "rpo_minutes": {"type": "float", "variable": "postgres_backups_rpo_minutes", "example": "postgres_backups_rpo_minutes: 60"},
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
        with _caged.only_one(ctx, scratch):
            return drill_metrics.told(scratch, lambda: _drill(ctx, source, scratch), ctx.options)

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return drill_rules.judge(seen, options)


def _drill(ctx: Context, source: Source, scratch: pathlib.Path) -> dict[str, Json]:
    started = time.time()
    known = _when_idle(source)
    newest = known.get("newest")
    seen = _damaged(newest["id"] if newest else "?", known) if known.get("name") == DAMAGED else _brought(ctx, source, scratch, known, started)
    if newest:
        source.note(newest["id"], started, seen["verdict"])
    return seen


def _brought(ctx: Context, source: Source, scratch: pathlib.Path, known: t.Mapping[str, Json], started: float) -> dict[str, Json]:
    if "broken" in known:
        return _fail(known["newest"]["id"], [known["broken"]])
    newest, manifest = _preflight(known, scratch)
    with _caged.folder(ctx, scratch, "drill") as home:
        fetched = _fetch(source, newest, home)
        if fetched.get("name") == DAMAGED:
            return _damaged(newest["id"], fetched)
        if fetched["told"]:
            return _fail(newest["id"], fetched["told"], fetch=fetched["seconds"])
        plan = {"jobs": ctx.options["jobs"], "settings": ctx.options["settings"], "memory_mb": MEMORY_MB, "live_identifier": manifest["system_identifier"]}
        limits = (f"MemoryMax={MEMORY_MB}M", f"RuntimeMaxSec={RUNTIME_S}")
        came = _caged.run(ctx, home, "cage", {**plan, **source.plan(known, started)}, *limits)
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
        kind = {name: ctx.options[name] for name in KIND}
        line = {"at": started, "id": newest["id"], "bytes": came["copy_bytes"], "phases": came["phases"], **kind}
        with (scratch / HISTORY).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")
        seen["twice_the_size"] = drill_rules.extrapolated(_history(scratch, kind), 2 * came["copy_bytes"])
    return seen


def _when_idle(source: Source) -> t.Mapping[str, Json]:
    """Return what is stored once no backup is running, or, where one goes on, what there is beside it."""
    until = time.monotonic() + BACKUP_ENDS_S
    while ((known := source.stored()).get("running_s") is not None or known.get("name") == LOCKED) and time.monotonic() < until:
        time.sleep(1)
    return known


def _history(scratch: pathlib.Path, kind: t.Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the drills of this *kind* that went well, oldest first."""
    lines = (json.loads(line) for line in (scratch / HISTORY).read_text(encoding="utf-8").splitlines() if line.endswith("}"))
    return [line for line in lines if kind.items() <= line.items()]


def _damaged(name: str, told: t.Mapping[str, Json]) -> dict[str, Json]:
    """What is stored cannot be read back: that is not a drill that failed, it is a backup that does not come back."""
    return _fail(name, [{"code": "stored_damaged", "name": name, "wanted": "", "found": told["why"]}])


def _fail(name: str, told: list[dict[str, Json]], **phases: float) -> dict[str, Json]:
    return {"verdict": "fail", "id": name, "told": told, "phases": phases, "steps": []}


def _refused(told: t.Mapping[str, Json], otherwise: str) -> CannotKnow:
    return CannotKnow("restore_drill.stored_locked" if told.get("name") == LOCKED else otherwise, why=told["why"])


def _preflight(known: t.Mapping[str, Json], scratch: pathlib.Path) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the newest copy and its manifest, or say why a drill must not begin. Writes nothing."""
    if "failed" in known:
        raise _refused(known, "restore_drill.offsite_refused")
    if known["running_s"] is not None:
        raise CannotKnow("restore_drill.backup_running", minutes=round(known["running_s"] / 60, 1))
    if known.get("unlisted"):
        raise CannotKnow("restore_drill.stored_unlisted", id=known["unlisted"])
    newest, manifest = known["newest"], known["manifest"]
    if newest is None:
        raise CannotKnow("restore_drill.nothing_stored")
    ours, theirs = known.get("local_system"), newest.get("system_identifier")  # pgBackRest refuses another cluster itself
    if ours and theirs != ours:
        raise CannotKnow("restore_drill.stored_other_cluster", id=newest["id"], ours=ours, theirs=theirs)
    if not set(manifest or ()) >= MANIFEST_NEEDED:
        raise CannotKnow("restore_drill.no_manifest", id=newest["id"])
    if manifest.get("schema", files.SCHEMA) != files.SCHEMA:  # what others make has none, and is compared with nothing
        raise CannotKnow("restore_drill.manifest_older", id=newest["id"])
    major = manifest["server_version"] // 10000
    try:
        programs.postgres("postgres", major)
    except programs.Failed:
        raise CannotKnow("restore_drill.wrong_major", major=major) from None
    disk = shutil.disk_usage(scratch)
    missing = drill_rules.missing_bytes(manifest, disk.total, disk.free)
    if missing:
        raise CannotKnow("restore_drill.no_room", scratch=str(scratch), needed=drill_rules.needed_bytes(manifest), free=disk.free, missing=missing)
    return newest, manifest


def _fetch(source: Source, newest: t.Mapping[str, Json], home: pathlib.Path) -> dict[str, Json]:
    """Bring the copy from the second place, as whoever may, and hand it to the cage's user. Return the step, with what is wrong in the place it came from."""
    target = home / "backup"
    try:
        _caged.make(target, 0o700, source.user)
    except LookupError:
        raise CannotKnow("common.user_missing", user=source.user) from None
    told = source.fetch(newest, target, lambda order: _caged.readable(home / "fetch.json", json.dumps(order).encode()))
    if "failed" in told:
        if told.get("name") == DAMAGED:
            return told
        raise _refused(told, "restore_drill.fetch_failed")
    _caged.hand_over(target)
    return {"phase": "fetch", "argv": told.get("argv", []), "seconds": float(told["seconds"]), "told": told.get("told", [])}
