# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.retention``: backups are kept for as long as declared, no longer, and nobody else deletes them.

Here: what is asked and what is seen. How copies are chosen: ``_pgbackup/retention``. How it is judged: ``retention_rules``.
"""

from __future__ import annotations

import configparser
import time
import typing as t
import zoneinfo

from ansible_collections.resto.golive.plugins.module_utils import _ship
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_report, retention_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_host import CONFIG, read_config, user_of
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_report import REPORT

#: As the role sets it up.
PGBACKREST_CONFIG = "/etc/golive/pgbackrest.conf"


class BackupRetention(Check):
    """One target: the backups of this host."""

    name = "backup_retention"
    items = ("postgres.retention",)
    vantage = "postgres"
    runs_as = "root"  # the job's file and the repository's password are not for everybody; the plan itself is made as the job's user
    timeout_s = 90.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "days": {"type": "list", "elements": "int", "default": [7, 30, 90], "example": "postgres_retention_days: [7, 30, 90]   # daily, weekly, monthly"},
        "hourly_hours": {"type": "int", "default": 24, "example": "postgres_retention_hourly_hours: 24"},
        "zone": {"type": "str", "default": "UTC", "example": "postgres_retention_zone: America/Bogota"},
        "engine": {
            "type": "str",
            "choices": ["dump", "pgbackrest", "external", "managed"],
            "default": "dump",
            "variable": "postgres_backups_engine",
            "example": "postgres_backups_engine: dump",
        },
        "report": {**REPORT, "variable": "postgres_backups_report"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        _sane(ctx.options)
        if ctx.options["engine"] == "pgbackrest":
            return {"pgbackrest": {"settings": _pgbackrest(), "kept": _asked(ctx)}}
        if ctx.options["engine"] != "dump":
            return {"now": time.time(), "reported": backup_report.read(ctx, ctx.options["report"])}
        return _asked(ctx)

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        if "reported" in seen:
            return retention_rules.judge_reported(seen, options)
        if "pgbackrest" in seen:
            return retention_rules.judge_pgbackrest(seen["pgbackrest"], options)
        return retention_rules.judge(seen, options)


def _asked(ctx: Context) -> dict[str, Json]:
    """Return what the declared engine's job says of its copies, asked as the job's own user."""
    config = read_config()
    if config is None or str(config.get("engine") or "dump") != ctx.options["engine"]:
        raise CannotKnow("backup_retention.no_job", path=str(CONFIG))
    seen = _ship.ask(ctx, user_of(config), "plan", str(CONFIG))
    if "failed" in seen:
        raise CannotKnow("backup_retention.plan_failed", phase=seen["failed"], why=str(seen["why"])[:300])
    return seen


def _sane(options: Options) -> None:
    """Refuse a policy that means nothing."""
    try:
        zoneinfo.ZoneInfo(options["zone"])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise CannotKnow("backup_retention.zone_unknown", zone=options["zone"]) from None
    days = options["days"]
    if len(days) != 3 or min(days) < 0 or max(days) == 0:
        raise CannotKnow("backup_retention.days_odd", days=str(days))


def _pgbackrest() -> dict[str, str]:
    """Return the settings of pgBackRest's ``[global]``."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        with open(PGBACKREST_CONFIG, encoding="utf-8") as handle:
            parser.read_file(handle)
    except (OSError, configparser.Error) as problem:
        raise CannotKnow("backup_retention.pgbackrest_unread", path=PGBACKREST_CONFIG, why=str(getattr(problem, "strerror", "") or problem)[:200]) from None
    return dict(parser["global"]) if parser.has_section("global") else {}
