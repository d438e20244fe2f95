# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.backups``: there is a fresh, whole, encrypted copy of the shop's database on another machine.

Here: what is asked, what is seen, and what is mended. How it is judged: ``backup_rules``. The job itself: ``_pgbackup``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_engines, backup_host, backup_rules, second_place
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_host import CONFIG, USER, access, holds, read_config, secret_files, write
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_report import REPORT

ENGINE: dict[str, t.Any] = {
    "type": "str",
    "choices": ["dump", "pgbackrest", "external", "managed"],
    "default": "dump",
    "example": "postgres_backups_engine: dump",
}


class PostgresBackup(Check):
    """One target: the cluster that the role set the job up for."""

    name = "postgres_backup"
    items = ("postgres.backups",)
    vantage = "postgres"
    runs_as = "root"  # the job's user, its secrets and its files belong to nobody else; each part is looked at as its own user
    timeout_s = 300.0  # reading the newest copy's digests takes 2 s a GB
    fixes = True
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "engine": ENGINE,
        "repository": {
            "type": "str",
            "required_with": {"engine": ["dump", "pgbackrest"]},
            "example": "postgres_backups_repository: /srv/backup   # on the backup_store host, or sftp:USER@HOST:/PATH, s3:https://…",
        },
        "repository_password": {
            "type": "str",
            "secret": True,
            "required_with": {"engine": ["dump", "pgbackrest"]},
            "example": 'postgres_backups_repository_password: "backup#RESTIC_PASSWORD"',
        },
        "access_key": {"type": "str", "secret": True, "example": 'postgres_backups_access_key: "backup#AWS_ACCESS_KEY_ID"'},
        "secret_key": {"type": "str", "secret": True, "example": 'postgres_backups_secret_key: "backup#AWS_SECRET_ACCESS_KEY"'},
        "password": {"type": "str", "secret": True, "example": 'postgres_backups_password: "backup#POSTGRES_PASSWORD"   # where postgres_host is an address'},
        "directory": {"type": "str", "default": "/var/backups/golive", "example": "postgres_backups_directory: /var/backups/golive"},
        "rpo_minutes": {"type": "float", "example": "postgres_backups_rpo_minutes: 60"},
        "report": REPORT,
        "left_out": {"type": "list", "elements": "str", "default": [], "example": "postgres_backups_left_out: [metabase]   # needs no backup"},
        "size_share_min": {"type": "float", "default": 0.5, "example": "postgres_backups_size_share_min: 0.5"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        if ctx.options["engine"] != "dump":
            return backup_engines.observe(ctx)
        config = read_config()
        if config is None:
            return {"installed": False}
        seen = _ship.ask(ctx, USER, "look", str(CONFIG))
        missing = access(ctx, config, "missing")
        repository = str((config.get("offsite") or {}).get("repository", ""))
        return {
            **seen,
            "installed": True,
            "outdated": _ship.outdated(),
            "access_missing": missing,
            "repository": repository,
            "place": second_place.look(second_place.host_of(repository)),
            "keys_missing": backup_host.keys_missing(repository, ctx.secrets),
            "password_current": all(holds(path, content) for path, content in secret_files(config, ctx.secrets).items()),
        }

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return backup_engines.judge(seen, options) if "engine" in seen else backup_rules.judge(seen, options)

    def remediate(self, ctx: Context, seen: dict[str, Json]) -> list[str]:
        """Give the job its secrets, its role and its repository. The program, its configuration and its schedule are the role's; so is its first run."""
        if "engine" in seen:
            return backup_engines.remediate(ctx, seen)
        config = read_config()
        if config is None:
            return []
        changes = []
        for path, content in secret_files(config, ctx.secrets).items():
            if not holds(path, content):
                write(path, content, USER)
                changes.append(f"wrote {path}")
        changes += access(ctx, config, "grant")
        if config.get("offsite"):
            told = _ship.ask(ctx, USER, "begin", str(CONFIG))
            if "failed" in told:
                raise CannotKnow(
                    backup_rules.OFFSITE_REFUSED.get(told["name"], "postgres_backup.offsite_refused"), repository=seen["repository"], why=told["why"]
                )
            changes += ["restic init"] if told["made"] else []
        return changes
