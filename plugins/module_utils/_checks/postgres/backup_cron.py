# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.backups``: the backup comes by itself, often enough, gently, also after a night switched off, and somebody hears when it fails."""

from __future__ import annotations

import itertools
import pathlib
import re
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _cron, _systemd
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_report, backup_rules
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_report import REPORT
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import ENGINE

SERVICE, TIMER = "golive-backup.service", "golive-backup.timer"
CRONTAB = pathlib.Path("/etc/cron.d/golive_backup")

TIMER_PROPERTIES = ("ActiveState", "UnitFileState", "Persistent", "TimersCalendar", *_systemd.TIMER)
SERVICE_PROPERTIES = (
    "Nice",
    "IOSchedulingClass",
    "OnFailure",
    "Result",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "User",
    "ActiveState",
    "ExecStart",
    "ConditionResult",
    "ConditionTimestamp",
)
CRON_PROPERTIES = ("ActiveState", "UnitFileState")

#: The backup's own program, as the role installs it.
JOB = "golive_pgbackup.job run"

#: Of somebody else's backups the last so many show whether they come by themselves; fewer than three do not.
RUNS, RUNS_LEAST = 8, 3

#: The kinds of a schedule (``_pgbackup/pitr``): a dump is always full.
KINDS = ("full", "differential", "incremental")

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
        "report": REPORT,
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        if ctx.options["engine"] in ("external", "managed"):
            return {"moments": [one["at"] for one in backup_report.read(ctx, ctx.options["report"])[:RUNS]]}
        if ctx.options["scheduler"] == "cron":
            return {
                "crontab": CRONTAB.read_text(encoding="utf-8") if CRONTAB.exists() else None,
                "cron": _systemd.show(ctx, ["cron.service"], CRON_PROPERTIES)["cron.service"],
            }
        units = _systemd.show(ctx, [TIMER, SERVICE], [*TIMER_PROPERTIES, *SERVICE_PROPERTIES])
        now = time.time()
        return {"timer": units[TIMER], "service": units[SERVICE], "now": now, "next": _systemd.next_elapse(units[TIMER], now)}

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        if "moments" in seen:
            return [_regular(seen["moments"], backup_rules.rpo_minutes(options))]
        schedules = {kind: str(options["schedule"][kind]) for kind in KINDS if options["schedule"].get(kind)}
        try:
            gaps = {kind: _cron.worst_gap_s(schedule) for kind, schedule in schedules.items()}
            if not gaps:
                raise _cron.BadSchedule(f"no {' or '.join(KINDS)}")
        except _cron.BadSchedule as bad:
            return [Assertion("fail", "backup_cron.bad_schedule", {"why": str(bad)}, source="postgres_backups_schedule")]
        told = [_often(schedules, gaps, options)] if options["engine"] == "dump" else []
        return told + (_crontab(seen, list(schedules.values())) if "crontab" in seen else _timer(seen, list(schedules.values())))


def _often(schedules: t.Mapping[str, str], gaps: t.Mapping[str, int], options: Options) -> Assertion:
    """What a dump loses is what came since the last one; where WAL is archived, the schedule loses nothing."""
    schedule, gap, rpo = next(iter(schedules.values())), next(iter(gaps.values())), backup_rules.rpo_minutes(options)
    params = {"schedule": schedule, "gap": backup_rules.minutes(gap), "rpo": rpo}
    good = gap <= rpo * 60
    code = "backup_cron.often_enough" if good else "backup_cron.too_seldom"
    return Assertion("pass" if good else "fail", code, params, f"<= {rpo:g} min", f"{gap / 60:g} min")


def _regular(moments: t.Sequence[float], rpo: float) -> Assertion:
    """Somebody else's schedule, by what came of it."""
    if len(moments) < RUNS_LEAST:
        return Assertion("error", "backup_cron.reported_few", {"count": len(moments), "least": RUNS_LEAST}, RUNS_LEAST, len(moments), "postgres_backups_report")
    gap = max(later - sooner for later, sooner in itertools.pairwise(moments))
    params = {"count": len(moments), "gap": backup_rules.minutes(gap), "rpo": rpo}
    good = gap <= rpo * 60 * backup_rules.AGE_WARN
    code = "backup_cron.reported_regular" if good else "backup_cron.reported_gap"
    return Assertion("pass" if good else "fail", code, params, f"<= {rpo:g} min", f"{params['gap']} min", "postgres_backups_report")


def _timer(seen: t.Mapping[str, Json], schedules: t.Sequence[str]) -> list[Assertion]:
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
    wanted = sorted(_cron.on_calendar(schedule) for schedule in schedules)
    if sorted(calendars) != wanted:
        told.append(Assertion("fail", "backup_cron.other_schedule", {"wanted": ", ".join(wanted), "found": ", ".join(calendars)}, source=TIMER))
    if int(service["Nice"]) < 10 or service["IOSchedulingClass"] not in (IDLE, "idle"):
        told.append(
            Assertion("fail", "backup_cron.not_gentle", {"unit": SERVICE}, "Nice >= 10, idle", f"{service['Nice']}, {service['IOSchedulingClass']}", SERVICE)
        )
    if not any(JOB in command for command in _systemd.commands(service)):
        programs = _systemd.programs(service)
        told.append(Assertion("fail", "backup_cron.other_command", {"unit": SERVICE, "program": programs}, JOB, programs, SERVICE))
    if service["ConditionTimestamp"] and service["ConditionResult"] != "yes":
        told.append(Assertion("fail", "backup_cron.skipped", {"unit": SERVICE}, "yes", service["ConditionResult"], SERVICE))
    if not service["OnFailure"]:
        told.append(Assertion("fail", "backup_cron.nobody_hears", {"unit": SERVICE}, source=SERVICE))
    if service["User"] in ("", "root"):
        told.append(Assertion("fail", "backup_cron.as_root", {"unit": SERVICE}, "golive_backup", service["User"] or "root", SERVICE))
    if service["Result"] != "success":
        told.append(Assertion("fail", "backup_cron.last_run_failed", {"result": service["Result"], "rc": service["ExecMainStatus"]}, source=SERVICE))
    return told or [Assertion("pass", "backup_cron.scheduled", {"next": backup_rules.minutes(seen["next"] - seen["now"])}, source=TIMER)]


def _crontab(seen: t.Mapping[str, Json], schedules: t.Sequence[str]) -> list[Assertion]:
    if seen["crontab"] is None:
        return [Assertion("fail", "backup_cron.none", {"unit": str(CRONTAB)}, source=str(CRONTAB))]
    lines = [line.split(None, 6) for line in seen["crontab"].splitlines() if line.strip() and not line.lstrip().startswith("#") and "=" not in line.split()[0]]
    found = [" ".join(line[:5]) for line in lines]
    if sorted(found) != sorted(schedules):
        return [Assertion("fail", "backup_cron.other_schedule", {"wanted": ", ".join(schedules), "found": ", ".join(found)}, source=str(CRONTAB))]
    told = []
    if seen["cron"].get("ActiveState") != "active":
        told.append(Assertion("fail", "backup_cron.switched_off", {"unit": "cron.service"}, "active", seen["cron"].get("ActiveState", ""), "cron.service"))
    for line in lines:
        told += _cron_line(*[*line[5:], "", ""][:2])
    return told or [Assertion("pass", "backup_cron.scheduled_by_cron", {}, source=str(CRONTAB))]


def _cron_line(user: str, command: str) -> t.Iterator[Assertion]:
    """Hold one line against what it should start, as whom and how (crontab(5): the system's have a user)."""
    source = str(CRONTAB)
    if user in ("", "root"):
        yield Assertion("fail", "backup_cron.as_root", {"unit": source}, "golive_backup", user, source)
    if not {"nice", "ionice"} <= set(command.split()):
        yield Assertion("fail", "backup_cron.not_gentle", {"unit": source}, "nice, ionice", command, source)
    if JOB not in command:
        program = command.partition(" ")[0]
        yield Assertion("fail", "backup_cron.other_command", {"unit": source, "program": program}, JOB, program, source)
    if "||" not in command:
        yield Assertion("fail", "backup_cron.nobody_hears", {"unit": source}, source=source)
