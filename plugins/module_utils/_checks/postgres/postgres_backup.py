# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.backups``: there is a fresh, whole, encrypted copy of the shop's database on another machine.

Here: what is asked, what is seen, and what is mended. How it is judged: ``backup_rules``. The job itself: ``_pgbackup``.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_rules

CONFIG = pathlib.Path("/etc/golive/backup.json")
USER = "golive_backup"

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
            "required": True,
            "example": "postgres_backups_repository: /srv/backup   # on the backup_store host, or sftp:USER@HOST:/PATH, s3:https://…",
        },
        "repository_password": {
            "type": "str",
            "secret": True,
            "required": True,
            "example": 'postgres_backups_repository_password: "backup#RESTIC_PASSWORD"',
        },
        "access_key": {"type": "str", "secret": True, "example": 'postgres_backups_access_key: "backup#AWS_ACCESS_KEY_ID"'},
        "secret_key": {"type": "str", "secret": True, "example": 'postgres_backups_secret_key: "backup#AWS_SECRET_ACCESS_KEY"'},
        "directory": {"type": "str", "default": "/var/backups/golive", "example": "postgres_backups_directory: /var/backups/golive"},
        "rpo_minutes": {"type": "float", "example": "postgres_backups_rpo_minutes: 60"},
        "size_share_min": {"type": "float", "default": 0.5, "example": "postgres_backups_size_share_min: 0.5"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        if ctx.options["engine"] != "dump":
            raise CannotKnow("postgres_backup.engine_not_yet", engine=ctx.options["engine"])
        config = read_config()
        if config is None:
            return {"installed": False}
        seen = _ship.ask(ctx, USER, "look", str(CONFIG))
        missing = _access(ctx, config, "missing")
        place = config.get("offsite") or {}
        return {
            **seen,
            "installed": True,
            "outdated": _ship.outdated(),
            "access_missing": missing,
            "repository": place.get("repository", ""),
            "password_current": all(_holds(path, content) for path, content in _secret_files(config, ctx.secrets).items()),
        }

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return backup_rules.judge(seen, options)

    def remediate(self, ctx: Context, seen: dict[str, Json]) -> list[str]:
        """Give the job its secrets, its role and its repository. The program, its configuration and its schedule are the role's; so is its first run."""
        config = read_config()
        if config is None:
            return []
        changes = []
        for path, content in _secret_files(config, ctx.secrets).items():
            if not _holds(path, content):
                _write(path, content)
                changes.append(f"wrote {path}")
        changes += _access(ctx, config, "grant")
        if config.get("offsite"):
            told = _ship.ask(ctx, USER, "begin", str(CONFIG))
            if "failed" in told:
                raise CannotKnow(
                    backup_rules.OFFSITE_REFUSED.get(told["name"], "postgres_backup.offsite_refused"), repository=seen["repository"], why=told["why"]
                )
            changes += ["restic init"] if told["made"] else []
        return changes


def read_config() -> dict[str, Json] | None:
    """Return the job's configuration, or None where the role has not been."""
    try:
        return t.cast("dict[str, Json]", json.loads(CONFIG.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise CannotKnow("postgres_backup.config_unreadable", path=str(CONFIG), message=str(problem)) from None


def _access(ctx: Context, config: t.Mapping[str, Json], what: str) -> list[str]:
    """Return the statements that the job's role lacks. Over TCP it is the team's role, and its sight is judged by what it sees."""
    if not str(config["connection"]["host"]).startswith("/"):
        return []
    told = _ship.ask(ctx, "postgres", what, str(CONFIG))
    if "failed" in told:
        raise CannotKnow("postgres_backup.server_refused", why=told["why"])
    return list(told["statements"])


def _secret_files(config: t.Mapping[str, Json], secrets: t.Mapping[str, str]) -> dict[pathlib.Path, str]:
    """Return what the job's secret files hold, by their paths."""
    place = config.get("offsite") or {}
    found = {}
    if place.get("password_file") and secrets.get("repository_password"):
        found[pathlib.Path(place["password_file"])] = secrets["repository_password"]
    if place.get("environment_file") and secrets.get("access_key"):
        lines = {"AWS_ACCESS_KEY_ID": secrets["access_key"], "AWS_SECRET_ACCESS_KEY": secrets.get("secret_key", "")}
        found[pathlib.Path(place["environment_file"])] = "".join(f"{name}={value}\n" for name, value in lines.items())
    return found


def _holds(path: pathlib.Path, content: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == content and path.stat().st_mode & 0o077 == 0
    except OSError:
        return False


def _write(path: pathlib.Path, content: str) -> None:
    """Write a file that only the job's user may read, before anything is in it."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as handle:
        handle.write(content)
    shutil.chown(fresh, USER, USER)
    os.replace(fresh, path)
