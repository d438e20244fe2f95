# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.migrations``, tried: the newest backup is restored into a cage, and the migrations go up, back and up again on it.

Here: what is asked and what is seen. How a migration is watched: ``_pgbackup/rehearsal``. The copy: ``_caged``. How it is judged: ``rehearsal_rules``.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, drill_sources, rehearsal_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_host import CONFIG, read_config
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import ENGINE
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_migrations import FILES
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files

#: The most memory that the copy may take, in MiB, and the room it needs: its own size, indexes built anew, and a table that a migration writes once more.
MEMORY_MB = 1024
ROOM, SPARE_BYTES = 2.5, 1 << 30


class MigrationRehearsal(Check):
    """One target: the database of the newest backup."""

    name = "migration_rehearsal"
    items = ("postgres.migrations",)
    vantage = "postgres"
    impact = "active"
    drill = True
    proven_by = "staging"
    runs_as = "root"  # to hand the backup to a user without rights, and to shut that one in
    timeout_s = 900.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "files": FILES,
        "engine": {**ENGINE, "variable": "postgres_backups_engine"},
        "scratch": {"type": "str", "default": "/var/lib/golive", "example": "postgres_migrations_scratch: /srv/scratch"},
        "command": {"type": "list", "elements": "str", "example": "postgres_migrations_command: [/srv/app/current/bin/alembic, upgrade, head]"},
        "command_down": {"type": "list", "elements": "str", "example": 'postgres_migrations_command_down: [/srv/app/current/bin/alembic, downgrade, "-1"]'},
        "command_variable": {"type": "str", "default": "DATABASE_URL", "example": "postgres_migrations_command_variable: DATABASE_URL"},
        "blocked_s": {"type": "float", "default": 1.0, "example": "postgres_migrations_blocked_s: 1"},
        "total_s": {"type": "float", "default": 300.0, "example": "postgres_migrations_total_s: 300"},
        "rewrite_mb": {"type": "float", "default": 100.0, "example": "postgres_migrations_rewrite_mb: 100"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        bring = BRING.get(ctx.options["engine"])
        if bring is None:
            raise CannotKnow("migration_rehearsal.not_ours", engine=ctx.options["engine"])
        config = read_config()
        if config is None or str(config.get("engine") or "dump") != ctx.options["engine"]:
            raise CannotKnow("migration_rehearsal.no_job", path=str(CONFIG))
        scratch = pathlib.Path(ctx.options["scratch"])
        with _caged.only_one(ctx, scratch), _caged.folder(ctx, scratch, "rehearsal") as home:
            backup = bring(ctx, config, home)
            _caged.hand_over(home / "backup")
            plan = {"engine": ctx.options["engine"], "jobs": 2, "settings": "tuned", "memory_mb": MEMORY_MB, "migrations": asked(ctx.options)}
            seen = _caged.run(ctx, home, "trial", plan, f"MemoryMax={MEMORY_MB * 2}M", f"RuntimeMaxSec={self.timeout_s:.0f}")
        if "failed" in seen:
            raise _not_tried(backup, seen)
        return {"backup": backup, "steps": seen["steps_tried"], "untried": seen["untried"], "phases": seen["phases"]}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return rehearsal_rules.judge(seen, options)


def asked(options: Options) -> dict[str, Json]:
    """Return what the cage is to try: the migrations that the release carries, or the app's own command."""
    command = None
    if options.get("command"):
        command = {
            "up": options["command"],
            "down": options.get("command_down"),
            "variable": options["command_variable"],
            "timeout_s": options["total_s"] * 4,
        }
    carried = [{key: one.get(key) for key in ("id", "after", "up", "down")} for one in options["files"]["migrations"]]
    return {"tool": options["files"]["tool"], "carried": carried, "command": command}


def _local(ctx: Context, config: t.Mapping[str, Json], home: pathlib.Path) -> str:
    """Copy the newest dump, which lies on this host, and return its name."""
    directory = pathlib.Path(config["directory"])
    names = files.listed(directory)
    if not names:
        raise CannotKnow("migration_rehearsal.no_backup", directory=str(directory))
    backup = directory / names[0]
    made = files.read_manifest(backup) if (backup / files.MANIFEST).is_file() else {"restored_bytes": 0}
    _see_room(home, made["restored_bytes"])
    # A link in the backup's folder is not followed: what it leads to may be nobody's business but root's.
    shutil.copytree(backup, home / "backup", symlinks=True)
    return names[0]


def _fetched(ctx: Context, config: t.Mapping[str, Json], home: pathlib.Path) -> str:
    """Have the job's user bring the newest backup from its repository, and return its name."""
    job = drill_sources.Job(ctx, config, CONFIG)
    known = job.stored()
    if "failed" in known:
        raise _not_tried("-", known)
    if known.get("unlisted"):
        raise CannotKnow("restore_drill.stored_unlisted", id=known["unlisted"])
    newest, made = known["newest"], known["manifest"]
    if newest is None:
        raise CannotKnow("migration_rehearsal.no_backup", directory="pgBackRest")
    if "broken" in known:
        raise _wrong(newest["id"], known["broken"])
    if made is None:
        raise CannotKnow("migration_rehearsal.no_manifest", backup=newest["id"])
    _see_room(home, made["restored_bytes"] + made["archive_bytes"])
    target = home / "backup"
    _caged.make(target, 0o700, job.user)
    told = job.fetch(newest, target, lambda order: _caged.readable(home / "fetch.json", json.dumps(order).encode()))
    if "failed" in told:
        raise _not_tried(newest["id"], told)
    if told["told"]:
        raise _wrong(newest["id"], told["told"][0])
    return str(newest["id"])


#: How the newest backup comes into the folder of the copy. What others make and keep, only their own command brings, for the restore drill.
BRING: dict[str, t.Callable[[Context, t.Mapping[str, Json], pathlib.Path], str]] = {"dump": _local, "pgbackrest": _fetched}


def _not_tried(backup: str, told: t.Mapping[str, Json]) -> CannotKnow:
    return CannotKnow("migration_rehearsal.not_tried", backup=backup, phase=told["failed"], why=str(told["why"])[:300])


def _wrong(backup: str, one: t.Mapping[str, Json]) -> CannotKnow:
    return _not_tried(backup, {"failed": "backup", "why": f"{one['code']} {one['name']}"})


def _see_room(home: pathlib.Path, restored_bytes: int) -> None:
    """Raise :class:`CannotKnow` where the copy does not fit."""
    need, free = int(restored_bytes * ROOM) + SPARE_BYTES, shutil.disk_usage(home).free
    if free < need:
        raise CannotKnow("migration_rehearsal.no_room", path=str(home.parent), free_mb=free >> 20, needed_mb=need >> 20)
