# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How backups, their schedule and a drill's times are judged, at the edges of every threshold. No server."""

from __future__ import annotations

import datetime
import json
import pathlib
import types
import typing as t

import jinja2
import pytest
import yaml
from backup_assertions import bad

from ansible_collections.resto.golive.plugins.module_utils import _cron, _systemd
from ansible_collections.resto.golive.plugins.module_utils._check import Context, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import backup_rules, drill_rules, restore_drill
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_cron import BackupCron
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files

ROOT = pathlib.Path(__file__).parents[6]
Seen = dict[str, t.Any]
NOW = datetime.datetime(2026, 11, 24, 13, 0, tzinfo=datetime.UTC)
OPTIONS: Seen = {"engine": "dump", "directory": "/var/backups/golive", "rpo_minutes": None, "size_share_min": 0.5}


def ago(minutes: float) -> datetime.datetime:
    return NOW - datetime.timedelta(minutes=minutes)


def name(at: datetime.datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}-00000000"


def seen(minutes: float = 10, *, newest: Seen | None = None, **more: t.Any) -> Seen:
    at = ago(minutes)
    copy = {
        "id": name(at), "at": at.isoformat(), "manifest": "whole", "system_identifier": "1", "archive_bytes": 100, "tables": 3, "rows": 9,
        "damage": [], "roles_missing": [], "broken_invariants": {}, "schema": files.SCHEMA, **(newest or {}),
    }  # fmt: skip
    good = [{"ok": True, "id": f"earlier{number}", "archive_bytes": 100, "started_at": ""} for number in range(3)]
    stored = [{"id": name(at), "system_identifier": "1"}]
    return {
        "installed": True, "now": NOW.timestamp(), "outdated": [], "access_missing": [], "mode": "0o700", "running_s": None, "newest": copy, "history": good,
        "live": {"name": "golive_backup", "bypasses": True, "super": False, "system_identifier": "1", "beside": []},
        "offsite": {"declared": True, "stored": stored}, "repository": "sftp:b@ops1:/srv/backup", "password_current": True, "keys_missing": False,
        "place": {"names": ["db1"], "own": ["10.0.0.3", "127.0.0.1", "::1", "fd00::3"], "addresses": ["10.0.0.5"]}, **more,
    }  # fmt: skip


def test_a_good_backup_passes() -> None:
    told = backup_rules.judge(seen(), OPTIONS)
    assert bad(told) == set()
    assert worst(one.status for one in told) == "pass"


def test_databases_that_no_backup_holds_are_named() -> None:
    live = {**seen()["live"], "beside": ["menus", "metabase"]}
    told = {one.code.split(".")[1]: one for one in backup_rules.judge(seen(live=live), {**OPTIONS, "left_out": ["metabase", "gone"]})}
    assert (told["databases_beside"].status, told["databases_beside"].params) == ("warn", {"databases": "menus"})
    assert (told["left_out"].status, told["left_out"].params) == ("pass", {"databases": "metabase"})
    assert bad(backup_rules.judge(seen(live=live), {**OPTIONS, "left_out": ["menus", "metabase"]})) == set()
    assert bad(backup_rules.judge(seen(live=live, newest=None), OPTIONS)) >= {("warn", "databases_beside")}


@pytest.mark.parametrize(
    ("minutes", "wanted"),
    [(72, set()), (72.1, {("warn", "late")}), (120, {("warn", "late")}), (120.1, {("fail", "too_old"), ("fail", "offsite_too_old")}), (-2, set())],
)
def test_age(minutes: float, wanted: set[tuple[str, str]]) -> None:
    assert bad(backup_rules.judge(seen(minutes), OPTIONS)) == wanted


def test_the_future_has_no_age() -> None:
    assert bad(backup_rules.judge(seen(-3), OPTIONS)) == {("fail", "future")}


@pytest.mark.parametrize(("rpo", "wanted"), [(60.0, set()), (59.9, {("fail", "rpo_beyond_engine")}), (1440.0, set())])
def test_a_promise_that_the_engine_cannot_keep(rpo: float, wanted: set[tuple[str, str]]) -> None:
    assert bad(backup_rules.judge(seen(1), {**OPTIONS, "rpo_minutes": rpo})) == wanted


@pytest.mark.parametrize(("size", "wanted"), [(50, set()), (49, {("fail", "shrunk")}), (200, set()), (201, {("warn", "grown")})])
def test_size_against_the_median(size: int, wanted: set[tuple[str, str]]) -> None:
    assert bad(backup_rules.judge(seen(newest={"archive_bytes": size}), OPTIONS)) == wanted


DAMAGED = {"name": "dump/1.dat.gz", "wanted": 2, "found": 1}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"installed": False}, {("fail", "none")}),
        ({"newest": {"manifest": "missing"}}, {("fail", "manifest_missing")}),
        ({"newest": {"manifest": "broken", "why": "x"}}, {("fail", "manifest_broken")}),
        ({"newest": {"schema": files.SCHEMA - 1}}, {("fail", "manifest_older")}),
        ({"newest": {"schema": files.SCHEMA + 1}}, {("fail", "manifest_older")}),
        *[({"newest": {"damage": [{"code": code, **DAMAGED}]}}, {("fail", code)}) for code in sorted(backup_rules.DAMAGE)],
        ({"newest": {"roles_missing": ["shop"]}}, {("fail", "role_missing")}),
        ({"newest": {"broken_invariants": {"money": "42P01"}}}, {("fail", "invariant_broken")}),
        ({"newest": {"system_identifier": "2"}}, {("fail", "other_cluster")}),
        ({"running_s": 3600.0}, set()),
        ({"running_s": 3601.0}, {("fail", "running_too_long")}),
        ({"mode": "0o750"}, {("fail", "readable_by_others")}),
        ({"outdated": ["dump.py"]}, {("fail", "program_differs")}),
        ({"access_missing": ["grant x"]}, {("fail", "access_missing")}),
        ({"live": {"refused": "password"}}, {("fail", "live_refused")}),
        ({"live": {"name": "r", "bypasses": False, "super": False, "beside": []}}, {("fail", "no_bypassrls")}),
        ({"live": {"name": "r", "bypasses": True, "super": True, "beside": []}}, {("warn", "superuser")}),
        ({"history": [{"ok": False, "started_at": "x", "phase": "dump", "why": "y"}]}, {("fail", "last_failed")}),
        ({"history": [{"ok": False, "started_at": "x", "phase": "offsite", "why": "y", "name": "locked"}]}, {("fail", "offsite_locked")}),
        ({"history": [{"ok": False, "started_at": "x", "phase": "disk", "why": "y", "name": "no_room"}]}, {("fail", "last_no_room")}),
        ({"history": [{"ok": False, "started_at": "x", "phase": "offsite", "why": "y", "name": "other"}]}, {("fail", "last_failed")}),
        ({"offsite": {"declared": False}}, {("fail", "no_second_place")}),
        ({"repository": "/srv/backup"}, {("fail", "same_host")}),
        ({"repository": "sftp:localhost:/srv"}, {("fail", "same_host")}),
        ({"repository": "rclone:near:/srv"}, {("error", "place_unseen")}),
        ({"password_current": False}, {("fail", "password_differs")}),
        ({"keys_missing": True}, {("fail", "keys_undeclared")}),
        ({"offsite": {"declared": True, "refused": "keys_refused", "why": "x"}}, {("fail", "keys_refused")}),
        ({"offsite": {"declared": True, "stored": []}}, {("fail", "offsite_empty")}),
        ({"offsite": {"declared": True, "refused": "password_rotated", "why": "x"}}, {("fail", "password_rotated")}),
        ({"offsite": {"declared": True, "refused": "locked", "why": "x"}}, {("fail", "offsite_locked")}),
        ({"offsite": {"declared": True, "refused": "nobody knows", "why": "x"}}, {("fail", "offsite_refused")}),
        ({"offsite": {"declared": True, "stored": [{"id": name(ago(1)), "system_identifier": "2"}]}}, {("fail", "other_cluster")}),
    ],
)
def test_every_fault_has_its_name(more: Seen, wanted: set[tuple[str, str]]) -> None:
    assert bad(backup_rules.judge(seen(**more), OPTIONS)) == wanted


def test_no_finished_backup() -> None:
    assert bad(backup_rules.judge({**seen(), "newest": None}, OPTIONS)) == {("fail", "no_backup")}


@pytest.mark.parametrize(
    ("expression", "calendar", "gap"),
    [
        ("0 * * * *", "*-*-* *:00:00", 3600),
        ("@daily", "*-*-* 00:00:00", 86400),
        ("0 2 * * 1-6", "Mon..Sat *-*-* 02:00:00", 172800),
        ("0 2 * * 0,1,5,6", "Mon,Fri..Sun *-*-* 02:00:00", 345600),
        ("0 2 * * 0,1,3", "Mon,Wed,Sun *-*-* 02:00:00", 345600),
        ("15 2 1,15 * *", "*-*-01,15 02:15:00", 1468800),
        ("0 2 * * 7", "Sun *-*-* 02:00:00", 604800),
        ("*/30 8-9 * * *", "*-*-* 08,09:00,30:00", 81000),
    ],
)
def test_a_schedule_in_systemds_words(expression: str, calendar: str, gap: int) -> None:
    assert (_cron.on_calendar(expression), _cron.worst_gap_s(expression)) == (calendar, gap)


@pytest.mark.parametrize("expression", ["", "* * * *", "60 * * * *", "0 2 1 * 1", "x * * * *", "*/0 * * * *", "0 0 31 2 *"])
def test_what_is_no_schedule(expression: str) -> None:
    with pytest.raises(_cron.BadSchedule):
        _cron.worst_gap_s(expression)


TIMER = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "Persistent": "yes", "TimersCalendar": "{ OnCalendar=*-*-* *:00:00 ; }"}
SERVICE = {
    "LoadState": "loaded",
    "Nice": "19",
    "IOSchedulingClass": "3",
    "OnFailure": "f",
    "User": "golive_backup",
    "Result": "success",
    "ExecMainStatus": "0",
    "ConditionTimestamp": "",
    "ConditionResult": "no",
    "ExecStart": "{ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 -m golive_pgbackup.job run /etc/golive/backup.json ; ignore_errors=no ; pid=0 }",
}


@pytest.mark.parametrize(
    ("timer", "service", "wanted"),
    [
        ({}, {}, set()),
        ({"LoadState": "not-found"}, {}, {("fail", "none")}),
        ({"ActiveState": "inactive"}, {}, {("fail", "switched_off")}),
        ({"Persistent": "no"}, {}, {("fail", "not_persistent")}),
        ({"TimersCalendar": ""}, {}, {("fail", "other_schedule")}),
        ({}, {"Nice": "0"}, {("fail", "not_gentle")}),
        ({}, {"OnFailure": ""}, {("fail", "nobody_hears")}),
        ({}, {"User": ""}, {("fail", "as_root")}),
        ({}, {"ExecStart": "{ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; pid=0 }"}, {("fail", "other_command")}),
        ({}, {"ExecStart": ""}, {("fail", "other_command")}),
        ({}, {"ConditionTimestamp": "Tue 2026-11-24 20:00:04 UTC"}, {("fail", "skipped")}),
        ({}, {"ConditionTimestamp": "Tue 2026-11-24 20:00:04 UTC", "ConditionResult": "yes"}, set()),
        ({}, {"Result": "exit-code"}, {("fail", "last_run_failed")}),
    ],
)
def test_the_timer(timer: Seen, service: Seen, wanted: set[tuple[str, str]]) -> None:
    options = {"engine": "dump", "schedule": {"full": "0 * * * *"}, "rpo_minutes": None}
    looked = {"timer": {**TIMER, **timer}, "service": {**SERVICE, **service}, "now": 0.0, "next": 60.0}
    assert bad(BackupCron().judge(looked, options)) == wanted
    assert ("fail", "too_seldom") in bad(BackupCron().judge(looked, {**options, "schedule": {"full": "@daily"}}))


ROLE = ROOT / "roles/postgres"


def crontab(**schedule: str) -> str:
    """Return what the role writes."""
    made = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
    words = {"__postgres_library": made["__postgres_library"], "__postgres_config": made["__postgres_config"]}
    command = jinja2.Template(made["__postgres_command"]).render(words)
    template = jinja2.Template((ROLE / "templates/crontab.j2").read_text(encoding="utf-8"), trim_blocks=True, undefined=jinja2.StrictUndefined)
    return template.render(words, __postgres_command=command, __postgres_job_user=made["__postgres_backup_user"], postgres_backups_schedule=schedule)


WEEK = {"full": "0 2 * * 0", "incremental": "0 2 * * 1-6"}
HOURLY, TWO = crontab(full="0 * * * *"), crontab(**WEEK)


def judged(text: str | None, cron: str = "active", **schedule: str) -> set[tuple[str, str]]:
    options = {"engine": "dump" if len(schedule) == 1 else "pgbackrest", "schedule": schedule, "rpo_minutes": None}
    return bad(BackupCron().judge({"crontab": text, "cron": {"ActiveState": cron}}, options))


def changed(old: str, new: str) -> str:
    """Return the crontab of two lines, of which the second alone was changed."""
    before, _second, rest = TWO.rpartition("0 2 * * 1-6")
    assert old in rest
    return f"{before}0 2 * * 1-6{rest.replace(old, new, 1)}"


@pytest.mark.parametrize(
    ("text", "cron", "wanted"),
    [
        (HOURLY, "active", set()),
        (f"  # by hand\nMAILTO=ana\n{HOURLY}", "active", set()),
        (None, "active", {("fail", "none")}),
        (HOURLY, "inactive", {("fail", "switched_off")}),
        (HOURLY.replace("0 * * * *", "0 4 * * *"), "active", {("fail", "other_schedule")}),
        (f"{HOURLY}0 * * * * root /bin/true\n", "active", {("fail", "other_schedule")}),
    ],
)
def test_the_crontab(text: str | None, cron: str, wanted: set[tuple[str, str]]) -> None:
    assert judged(text, cron, full="0 * * * *") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (TWO, set()),
        (changed(" golive_backup ", " root "), {("fail", "as_root")}),
        (changed("nice -n 19 ", ""), {("fail", "not_gentle")}),
        (changed("ionice -c 3 ", ""), {("fail", "not_gentle")}),
        (changed("||", ";"), {("fail", "nobody_hears")}),
        (changed("-m golive_pgbackup.job run", "-c pass"), {("fail", "other_command")}),
        (
            f"{TWO.partition('0 2 * * 1-6')[0]}0 2 * * 1-6\n",
            {("fail", "as_root"), ("fail", "not_gentle"), ("fail", "nobody_hears"), ("fail", "other_command")},
        ),
    ],
)
def test_every_line_of_the_crontab(text: str, wanted: set[tuple[str, str]]) -> None:
    assert judged(text, **WEEK) == wanted


def test_what_a_unit_starts_is_every_one_of_its_commands() -> None:
    started = [f"ExecStart={{ path={line.split()[0]} ; argv[]={line} ; ignore_errors=no ; pid=0 }}" for line in ("/bin/a --token x", "/bin/b")]
    block = "\n".join(["Id=a.service", *started])
    ctx: Context = t.cast("t.Any", types.SimpleNamespace(run=lambda argv, env: types.SimpleNamespace(stdout=block)))
    unit = _systemd.show(ctx, ["a.service"], ["ExecStart"])["a.service"]
    assert _systemd.commands(unit) == ["/bin/a --token x", "/bin/b"]
    assert _systemd.programs(unit) == "/bin/a, /bin/b", "arguments may hold what nobody should read"


PROVEN: Seen = {
    "verdict": "pass", "id": "x", "tables": 3, "rows": 9, "invariants": 1, "questions": {}, "phases": {"fetch": 600.0, "restore": 1200.0}, "steps": [],
    "settings": "tuned", "server_version": 150018, "database": "shop",
    "copy_bytes": 1, "twice_the_size": None, "at": ago(72).isoformat(), "started": NOW.timestamp(),
    "walls": {"User": True, "MemoryMax": True},
}  # fmt: skip
PROMISE: Seen = {"rto_minutes": 30.0, "rpo_minutes": 60.0, "invariants": {}, "engine": "dump"}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, set()),
        ({"phases": {"fetch": 1800.1}}, {("fail", "rto_missed")}),
        ({"at": ago(72.1).isoformat()}, {("warn", "rpo_late")}),
        ({"at": ago(120).isoformat()}, {("warn", "rpo_late")}),
        ({"at": ago(120.1).isoformat()}, {("fail", "rpo_missed")}),
        ({"at": ago(-3).isoformat()}, {("fail", "future")}),
        ({"tables": 0, "rows": 0}, {("fail", "empty")}),
        ({"rows": 0}, {("fail", "empty")}),
        ({"rows": 1}, set()),
        ({"walls": {"User": True, "MemoryMax": False}}, set()),
        ({"walls": {"User": True, "MemoryMax": False, "TasksMax": True}}, {("warn", "cage_lost")}),
        ({"walls": {"User": True, "Nice": False}}, {("warn", "cage_lost")}),
        ({"walls": {}}, {("error", "inconclusive")}),
        ({"questions": {"a": "select 1"}}, {("error", "questions_changed")}),
        ({"verdict": "inconclusive", "failed": "cage", "why": "x"}, {("error", "inconclusive")}),
        *[({"verdict": "fail", "told": [{"code": code, **DAMAGED}]}, {("fail", code)}) for code in sorted(drill_rules.CODES)],
    ],
)
def test_a_drill(more: Seen, wanted: set[tuple[str, str]]) -> None:
    assert bad(drill_rules.judge({**PROVEN, **more}, PROMISE)) == wanted


def test_the_role_promises_what_the_checks_promise() -> None:
    """When a backup is overdue is the role's to say, as it writes the rules."""
    role = yaml.safe_load((ROOT / "roles/postgres/vars/main.yml").read_text(encoding="utf-8"))
    assert role["__postgres_rpo_of_engine"] == backup_rules.DEFAULT_RPO


@pytest.mark.parametrize(("engine", "age", "wanted"), [("dump", 72, "rpo_met"), ("pgbackrest", 18, "rpo_met"), ("pgbackrest", 18.1, "rpo_late")])
def test_without_a_promise_the_engine_makes_it(engine: str, age: float, wanted: str) -> None:
    told = drill_rules.judge({**PROVEN, "at": ago(age).isoformat()}, {**PROMISE, "rpo_minutes": None, "engine": engine})
    assert [one.code for one in told if one.code.startswith("restore_drill.rpo")] == [f"restore_drill.{wanted}"]


def test_only_what_held_is_told_as_held() -> None:
    told = {one.code: one.params for one in drill_rules.judge({**PROVEN, "walls": {"User": True, "MemoryMax": False}}, PROMISE)}
    assert told["restore_drill.cage_partly"] == {"held": "User", "absent": "MemoryMax"}
    told = {one.code: one.params for one in drill_rules.judge(PROVEN, PROMISE)}
    assert told["restore_drill.cage_whole"] == {"held": "User, MemoryMax"}


def test_room() -> None:
    made = {"restored_bytes": 100 << 30, "archive_bytes": 10 << 30}
    need = drill_rules.needed_bytes(made) + (10 << 30)
    assert drill_rules.missing_bytes(made, 1 << 40, need) == 0
    assert drill_rules.missing_bytes(made, 1 << 40, need - 1) == 1


def test_the_times_of_other_engines_and_settings_are_not_mixed_in(tmp_path: pathlib.Path) -> None:
    kinds = [("dump", "tuned"), ("dump", "production"), ("pgbackrest", "tuned"), (None, None), ("dump", "tuned")]
    lines = [{"at": at, "bytes": 1, "phases": {"restore": 1.0}, "engine": engine, "settings": settings} for at, (engine, settings) in enumerate(kinds)]
    lines.append({"at": 9, "bytes": 1, "phases": {}})  # of before it was told
    (tmp_path / restore_drill.HISTORY).write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"at": 10, "by')
    kind = dict.fromkeys(restore_drill.KIND, "") | {"engine": "dump", "settings": "tuned"}
    assert [line["at"] for line in restore_drill._history(tmp_path, kind)] == [0, 4]


def test_more_data_is_not_guessed_at() -> None:
    runs = [{"bytes": 100, "phases": {"restore": float(seconds)}} for seconds in (10, 10, 10, 10, 20)]
    assert drill_rules.extrapolated(runs[:4], 100) is None
    assert drill_rules.extrapolated(runs, 301) is None
    assert drill_rules.extrapolated(runs, 200) == {"p50_s": 20.0, "p90_s": 40.0, "runs": 5}
