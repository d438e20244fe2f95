# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.backups``: the backup comes by itself, often enough, gently, also after a night switched off, and somebody hears when it fails."""

from __future__ import annotations

import pathlib
import re
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _cron, _systemd
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import ENGINE

SERVICE, TIMER = "golive-backup.service", "golive-backup.timer"
CRONTAB = pathlib.Path("/etc/cron.d/golive_backup")

TIMER_PROPERTIES = ("ActiveState", "UnitFileState", "Persistent", "TimersCalendar", "NextElapseUSecRealtime", "NextElapseUSecMonotonic", "LastTriggerUSec")
SERVICE_PROPERTIES = ("Nice", "IOSchedulingClass", "OnFailure", "Result", "ExecMainStatus", "ExecMainStartTimestamp", "User", "ActiveState")
CRON_PROPERTIES = ("ActiveState", "UnitFileState")

#: ionice's third class: served when nobody else wants the disk (ioprio_set(2)).
IDLE = "3"


class BackupCron(Check):
    """One target: this host's schedule."""

    name = "backup_cron"
    items = ("postgres.backups",)
    vantage = "postgres"
    runs_as = "root"
    timeout_s = 30.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "engine": ENGINE,
        "scheduler": {"type": "str", "choices": ["timer", "cron"], "default": "timer", "example": "postgres_backups_scheduler: timer"},
        "schedule": {"type": "dict", "default": {"full": "0 * * * *"}, "example": 'postgres_backups_schedule: {full: "0 * * * *"}'},
        "rpo_minutes": {"type": "float", "example": "postgres_backups_rpo_minutes: 60"},
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        if ctx.options["engine"] != "dump":
            raise CannotKnow("postgres_backup.engine_not_yet", engine=ctx.options["engine"])
        if ctx.options["scheduler"] == "cron":
            return {
                "crontab": CRONTAB.read_text(encoding="utf-8") if CRONTAB.exists() else None,
                "cron": _systemd.show(ctx, ["cron.service"], CRON_PROPERTIES)["cron.service"],
            }
        units = _systemd.show(ctx, [TIMER, SERVICE], [*TIMER_PROPERTIES, *SERVICE_PROPERTIES])
        now = time.time()
        return {"timer": units[TIMER], "service": units[SERVICE], "now": now, "next": _systemd.next_elapse(units[TIMER], now)}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        schedule = str(options["schedule"].get("full", ""))
        try:
            gap = _cron.worst_gap_s(schedule)
        except _cron.BadSchedule as bad:
            return [Assertion("fail", "backup_cron.bad_schedule", {"why": str(bad)}, source="postgres_backups_schedule")]
        rpo, params = backup_rules.rpo_minutes(options), {"schedule": schedule, "gap": backup_rules.minutes(gap)}
        promise = {**params, "rpo": rpo}
        told = [
            Assertion(
                "fail" if gap > rpo * 60 else "pass",
                "backup_cron.too_seldom" if gap > rpo * 60 else "backup_cron.often_enough",
                promise,
                f"<= {rpo:g} min",
                f"{gap / 60:g} min",
            )
        ]
        return told + (_crontab(seen, schedule) if "crontab" in seen else _timer(seen, schedule))


def _timer(seen: t.Mapping[str, Json], schedule: str) -> list[Assertion]:
    timer, service = seen["timer"], seen["service"]
    if timer.get("LoadState") != "loaded" or service.get("LoadState") != "loaded":
        return [Assertion("fail", "backup_cron.none", {"unit": TIMER}, source=TIMER)]
    told = []
    if timer["ActiveState"] != "active" or timer["UnitFileState"] not in ("enabled", "enabled-runtime") or seen["next"] is None:
        told.append(
            Assertion("fail", "backup_cron.switched_off", {"unit": TIMER}, "active, enabled", f"{timer['ActiveState']}, {timer['UnitFileState']}", TIMER)
        )
    if timer["Persistent"] != "yes":
        told.append(Assertion("fail", "backup_cron.not_persistent", {"unit": TIMER}, "yes", timer["Persistent"], TIMER))
    calendars = re.findall(r"OnCalendar=(.+?) ;", timer["TimersCalendar"])
    if calendars != [_cron.on_calendar(schedule)]:
        told.append(Assertion("fail", "backup_cron.other_schedule", {"wanted": _cron.on_calendar(schedule), "found": ", ".join(calendars)}, source=TIMER))
    if int(service["Nice"]) < 10 or service["IOSchedulingClass"] not in (IDLE, "idle"):
        told.append(
            Assertion("fail", "backup_cron.not_gentle", {"unit": SERVICE}, "Nice >= 10, idle", f"{service['Nice']}, {service['IOSchedulingClass']}", SERVICE)
        )
    if not service["OnFailure"]:
        told.append(Assertion("fail", "backup_cron.nobody_hears", {"unit": SERVICE}, source=SERVICE))
    if service["User"] in ("", "root"):
        told.append(Assertion("fail", "backup_cron.as_root", {"unit": SERVICE}, "golive_backup", service["User"] or "root", SERVICE))
    if service["Result"] != "success":
        told.append(Assertion("fail", "backup_cron.last_run_failed", {"result": service["Result"], "rc": service["ExecMainStatus"]}, source=SERVICE))
    return told or [Assertion("pass", "backup_cron.scheduled", {"next": backup_rules.minutes(seen["next"] - seen["now"])}, source=TIMER)]


def _crontab(seen: t.Mapping[str, Json], schedule: str) -> list[Assertion]:
    if seen["crontab"] is None:
        return [Assertion("fail", "backup_cron.none", {"unit": str(CRONTAB)}, source=str(CRONTAB))]
    lines = [line.split(None, 6) for line in seen["crontab"].splitlines() if line.strip() and not line.startswith("#") and "=" not in line.split()[0]]
    if [" ".join(line[:5]) for line in lines] != [schedule]:
        found = ", ".join(" ".join(line[:5]) for line in lines)
        return [Assertion("fail", "backup_cron.other_schedule", {"wanted": schedule, "found": found}, source=str(CRONTAB))]
    told = []
    if seen["cron"].get("ActiveState") != "active":
        told.append(Assertion("fail", "backup_cron.switched_off", {"unit": "cron.service"}, "active", seen["cron"].get("ActiveState", ""), "cron.service"))
    if lines[0][5] == "root":
        told.append(Assertion("fail", "backup_cron.as_root", {"unit": str(CRONTAB)}, "golive_backup", "root", str(CRONTAB)))
    if not {"nice", "ionice"} <= set(lines[0][6].split()):
        told.append(Assertion("fail", "backup_cron.not_gentle", {"unit": str(CRONTAB)}, "nice, ionice", lines[0][6], str(CRONTAB)))
    if "||" not in lines[0][6]:
        told.append(Assertion("fail", "backup_cron.nobody_hears", {"unit": str(CRONTAB)}, source=str(CRONTAB)))
    return told or [Assertion("pass", "backup_cron.scheduled_by_cron", {}, source=str(CRONTAB))]
