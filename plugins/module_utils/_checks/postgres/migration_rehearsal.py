# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.migrations``, tried: the newest local backup is restored into a cage, and the migrations go up, back and up again on it.

Here: what is asked and what is seen. How a migration is watched: ``_pgbackup/rehearsal``. The copy: ``_caged``. How it is judged: ``rehearsal_rules``.
"""

from __future__ import annotations

import pathlib
import shutil
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import _caged, rehearsal_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_host import CONFIG, read_config
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_migrations import FILES
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files

#: The most memory that the copy may take, in MiB, and the room it needs: its own size, indexes built anew, and a table that a migration writes once more.
MEMORY_MB = 1024
ROOM, SPARE_BYTES = 2.5, 1 << 30


class MigrationRehearsal(Check):
    """One target: the database of the newest local backup."""

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
        "scratch": {"type": "str", "default": "/var/lib/golive", "example": "postgres_migrations_scratch: /srv/scratch"},
        "command": {"type": "list", "elements": "str", "example": "postgres_migrations_command: [/srv/app/current/bin/alembic, upgrade, head]"},
        "command_down": {"type": "list", "elements": "str", "example": 'postgres_migrations_command_down: [/srv/app/current/bin/alembic, downgrade, "-1"]'},
        "command_variable": {"type": "str", "default": "DATABASE_URL", "example": "postgres_migrations_command_variable: DATABASE_URL"},
        "blocked_s": {"type": "float", "default": 1.0, "example": "postgres_migrations_blocked_s: 1"},
        "total_s": {"type": "float", "default": 300.0, "example": "postgres_migrations_total_s: 300"},
        "rewrite_mb": {"type": "float", "default": 100.0, "example": "postgres_migrations_rewrite_mb: 100"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        config = read_config()
        if config is None:
            raise CannotKnow("migration_rehearsal.no_job", path=str(CONFIG))
        directory = pathlib.Path(config["directory"])
        names = files.listed(directory)
        if not names:
            raise CannotKnow("migration_rehearsal.no_backup", directory=str(directory))
        scratch, backup = pathlib.Path(ctx.options["scratch"]), directory / names[0]
        with _caged.only_one(ctx, scratch):
            _see_room(scratch, backup)
            with _caged.folder(ctx, scratch, "rehearsal") as home:
                # A link in the backup's folder is not followed: what it leads to may be nobody's business but root's.
                shutil.copytree(backup, home / "backup", symlinks=True)
                _caged.hand_over(home / "backup")
                plan = {"jobs": 2, "settings": "tuned", "memory_mb": MEMORY_MB, "migrations": asked(ctx.options)}
                seen = _caged.run(ctx, home, "trial", plan, f"MemoryMax={MEMORY_MB * 2}M", f"RuntimeMaxSec={self.timeout_s:.0f}")
        if "failed" in seen:
            raise CannotKnow("migration_rehearsal.not_tried", backup=names[0], phase=seen["failed"], why=str(seen["why"])[:300])
        return {"backup": names[0], "steps": seen["steps_tried"], "untried": seen["untried"], "phases": seen["phases"]}

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


def _see_room(scratch: pathlib.Path, backup: pathlib.Path) -> None:
    """Raise :class:`CannotKnow` where the copy does not fit."""
    made = files.read_manifest(backup) if (backup / files.MANIFEST).is_file() else {"restored_bytes": 0}
    need, free = int(made["restored_bytes"] * ROOM) + SPARE_BYTES, shutil.disk_usage(scratch).free
    if free < need:
        raise CannotKnow("migration_rehearsal.no_room", path=str(scratch), free_mb=free >> 20, needed_mb=need >> 20)
