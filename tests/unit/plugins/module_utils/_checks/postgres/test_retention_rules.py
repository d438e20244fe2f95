# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``backup_retention`` at its edges: pure functions. The real restic is in tests/integration/test_postgres_retention.py."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import typing as t

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import FilterModule
from jinja2 import nativetypes

from ansible_collections.resto.golive.plugins.module_utils._check import EXCERPT_MOST, Assertion, worst
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_retention import BackupRetention
from ansible_collections.resto.golive.plugins.module_utils._options import missing_options, validated
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import forecast, retention
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.retention import Backup, Policy

NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)
OPTIONS = validated(BackupRetention, {})
NINETY = Policy()
ROOT = pathlib.Path(__file__).parents[6]
MESSAGES = pathlib.Path(retention.__file__).parents[2] / "plugin_utils" / "messages" / "backup_retention.yml"
TEXTS = yaml.safe_load(MESSAGES.read_text(encoding="utf-8"))


def seen(backups: list[Backup], policy: Policy | None = NINETY, *, applied_h: float = 0.5, first: float | None = None, **changed: t.Any) -> dict[str, t.Any]:
    """What ``retain.told`` says of *backups* after a run that removed what it should; *first*: days since the first backup ever."""
    made = retention.plan(backups, policy or Policy(), NOW, system="1")
    oldest = min((backup.time for backup in backups), default=NOW)
    ahead = forecast.forecast(backups, policy or Policy(), NOW)
    return {
        "now": NOW.isoformat(),
        "policy": None if policy is None else dataclasses.asdict(policy),
        "lines": made.lines(),
        "decisions": [
            {"id": one.backup.id, "at": one.backup.time.isoformat(), "keep": one.keep, "reasons": list(one.reasons), "state": one.backup.state}
            for one in made.decisions
        ],
        "refusals": list(made.refusals),
        "last": {"at": (NOW - datetime.timedelta(hours=applied_h)).isoformat(), "kept": [one.id for one in made.kept() if one.state == "good"], "removed": []},
        "first": (NOW - datetime.timedelta(days=first) if first is not None else oldest).isoformat(),
        "forecast": dataclasses.asdict(ahead),
        "here": {"copies": 3, "bytes": 3 * ahead.copy_bytes, "bytes_now": 2000, "free_bytes": 10**9},
        **changed,
    }


def days(*ago: float, **more: t.Any) -> list[Backup]:
    return [Backup(f"{one:g}d", NOW - datetime.timedelta(days=one), 1000, **more) for one in ago]


def a_year() -> list[Backup]:
    """What a year of daily copies leaves."""
    return retention.plan(days(*range(365)), Policy(), NOW).kept()


def told(what: dict[str, t.Any], **options: t.Any) -> tuple[str, set[str]]:
    assertions: list[Assertion] = BackupRetention().judge(what, {**OPTIONS, **options})
    for one in assertions:
        assert all(TEXTS[one.code.split(".")[1]][language].format_map(dict(one.params)) for language in ("es", "en"))
    return worst(one.status for one in assertions), {one.code.split(".")[1] for one in assertions if one.status != "pass"}


def codes(what: dict[str, t.Any]) -> set[str]:
    return {one.code.split(".")[1] for one in BackupRetention().judge(what, OPTIONS)}


def printed(what: dict[str, t.Any]) -> list[str]:
    """Return what the role prints of the module's answer, under ``--check`` too."""
    (block,) = yaml.safe_load((ROOT / "roles/postgres/tasks/remediate_retention.yml").read_text(encoding="utf-8"))
    (task,) = [one for one in block["block"] if "ansible.builtin.debug" in one]
    assert "ansible_check_mode" not in str(task)
    world = nativetypes.NativeEnvironment(undefined=jinja2.StrictUndefined)
    world.filters |= FilterModule().filters()
    rows = [{"evidence": [one.evidence() for one in BackupRetention().judge(what, OPTIONS)]}]
    lines: list[str] = world.from_string(task["ansible.builtin.debug"]["msg"]).render(__postgres_retention={"golive": {"rows": rows}})
    return lines


@pytest.mark.parametrize("copies", [[0.5], list(range(120))], ids=["one", "more than an excerpt holds"])
def test_the_plan_is_printed_whole(copies: list[float]) -> None:
    what = seen(days(*copies))
    lines = printed(what)
    assert lines == what["lines"]
    assert lines[0].startswith("keep   ")
    assert lines[0].endswith(": the newest good copy, last of its hour, last of its day, last of its week, last of its month")
    assert any(line.startswith("remove ") and line.endswith(": older than the policy") for line in lines) == (len("\n".join(lines)) > EXCERPT_MOST)


def test_a_year_passes_by_its_history() -> None:
    assert told(seen(a_year(), first=365)) == ("pass", set())
    assert "policy_young" not in codes(seen(a_year(), first=365))


def test_a_young_system_passes_by_its_policy_and_says_so() -> None:
    what = seen(days(0, 1, 2))
    assert told(what) == ("pass", set())
    assert "policy_young" in codes(what)


@pytest.mark.parametrize(
    ("what", "status", "bad"),
    [
        (seen(days(0, 1), None), "fail", {"policy_none"}),
        (seen(days(0, 1), Policy(7, 30, 60)), "fail", {"policy_other"}),
        (seen(days(0, 1), Policy(zone="Europe/Paris")), "fail", {"policy_other"}),
        (seen(days(0, 1), last={}), "fail", {"never_applied"}),
        (seen(days(0, 1), last={"problem": "offsite: locked"}), "fail", {"not_applied"}),
        (seen(days(0, 1), last={"waits": "locked"}), "fail", {"never_applied"}),
        (seen(days(0, 1), applied_h=26), "pass", set()),
        (seen(days(0, 1), applied_h=26.1), "fail", {"applied_late"}),
        (seen([]), "fail", {"no_copy"}),
        (seen([*days(0, 1), *days(-1)]), "fail", {"copies_future"}),
        (seen([*days(0, 1), Backup("other", NOW, system="2")]), "fail", {"copies_foreign"}),
        (seen([*days(0, 1, 0.1, 0.2, 0.3), Backup("bad", NOW, state="failed")], Policy(hourly_hours=0)), "fail", {"policy_other", "held"}),
        (seen(days(0, 1, 2, 3, 5, 6), first=7), "warn", {"gaps"}),
        (seen(days(0, 1, 2, 5, 6), first=7), "fail", {"gaps"}),
        (seen(days(0, 1, 2, 3, 4, 5, 6), first=90), "fail", {"gaps"}),
        (seen(days(0, 1), here={"copies": 3, "bytes": 3000, "bytes_now": 2000, "free_bytes": 999}), "fail", {"room_short"}),
        (seen(days(0, 1), here={"copies": 3, "bytes": 3000, "bytes_now": 2000, "free_bytes": 1000}), "pass", set()),
    ],
)
def test_one_thing_at_its_edge(what: dict[str, t.Any], status: str, bad: set[str]) -> None:
    assert told(what) == (status, bad)


@pytest.mark.parametrize(("hours", "status", "bad"), [(26, "pass", set()), (26.1, "fail", {"applied_late", "waits"})])
def test_a_policy_that_waits_for_a_reader_is_no_fault_for_a_day(hours: float, status: str, bad: set[str]) -> None:
    what = seen(days(0, 1), applied_h=hours)
    what["last"]["waits"] = "locked"
    assert told(what) == (status, bad)
    assert "backup_retention.waits" in {one.code for one in BackupRetention().judge(what, OPTIONS)}


def test_a_copy_that_went_without_us_is_missed() -> None:
    what = seen(days(0, 1, 2))
    what["decisions"] = [one for one in what["decisions"] if one["id"] != "1d"]
    assert told(what) == ("fail", {"copies_lost"})
    what["last"]["removing"] = ["2d"]
    assert told(what) == ("fail", {"copies_lost"}), "another one is being removed"
    what["last"]["removing"] = ["1d"]
    assert "copies_lost" not in told(what)[1], "the run that is at work removes it"
    what["last"]["lost"] = {"9d": NOW.isoformat(), "0d": NOW.isoformat()}
    lost = next(one for one in BackupRetention().judge(what, OPTIONS) if one.code == "backup_retention.copies_lost")
    assert lost.params["names"] == "9d", "what an earlier run missed is still told, and what came back is not"


def test_what_the_last_run_left_over_is_told_and_what_came_since_is_not() -> None:
    backups = days(0, 0.01, 1, 2)
    what = seen(backups, Policy(hourly_hours=0), applied_h=1)
    assert "left_over" not in told(what)[1]  # 0.01 days is younger than the run
    what = seen(backups, Policy(hourly_hours=0), applied_h=0.1)
    assert "left_over" in told(what)[1]


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"repo1-retention-full-type": "time", "repo1-retention-full": "90"}, "pass"),
        ({"repo1-retention-full-type": "time", "repo1-retention-full": "89"}, "fail"),
        ({"repo1-retention-full-type": "count", "repo1-retention-full": "90"}, "fail"),
        ({}, "fail"),
        ({"repo1-retention-full-type": "time", "repo1-retention-full": "7", "repo2-retention-full-type": "time", "repo2-retention-full": "90"}, "fail"),
    ],
)
def test_pgbackrest_must_keep_at_least_the_policy(settings: dict[str, str], status: str) -> None:
    assert told({"pgbackrest": {"settings": settings, "kept": physical(0, 1)}})[0] == status


DAY_S = 86400.0
KEEPS = {"repo1-retention-full-type": "time", "repo1-retention-full": "90"}


def physical(*ago: float, first: float | None = None, known: tuple[float, ...] = (), apart: float = 1, **more: t.Any) -> dict[str, t.Any]:
    """What the job says of backups that ended *ago* days ago, each a full one; *known*: those that it saw once."""
    now = NOW.timestamp()
    there = {f"{one:g}F": now - one * DAY_S for one in ago}
    seen_once = {f"{one:g}F": now - one * DAY_S for one in (*ago, *known)}
    since = min(seen_once.values(), default=now) if first is None else now - first * DAY_S
    return {"now": now, "backups": there, "known": seen_once, "first": since, "interval_s": apart * DAY_S, **more}


@pytest.mark.parametrize(
    ("kept", "status", "bad"),
    [
        (physical(*range(91)), "pass", set()),
        (physical(0), "pass", set()),
        (physical(), "fail", {"no_copy"}),
        (physical(0, -0.1), "fail", {"copies_future"}),
        (physical(0, known=(3,)), "fail", {"backups_lost", "gaps"}),
        (physical(*range(89), known=(88.9,)), "fail", {"backups_lost"}),
        (physical(*range(91), known=(89, 89.1, 200)), "pass", set()),
        ({**physical(0, 1), "known": None}, "warn", {"backups_unnoted"}),
        (physical(*range(31), first=365), "fail", {"gaps"}),  # a bucket's rule of 30 days
        (physical(0, 1, 2, 3, 4, 6, first=7), "warn", {"gaps"}),
        (physical(0, 1, 2, 6, first=7), "fail", {"gaps"}),
        (physical(*range(0, 91, 7), apart=7), "pass", set()),  # full ones once a week, by declaration
        (physical(*range(0, 91, 7), apart=6), "pass", set()),
        (physical(*range(0, 91, 7), apart=3), "warn", {"gaps"}),
    ],
)
def test_what_pgbackrest_really_keeps(kept: dict[str, t.Any], status: str, bad: set[str]) -> None:
    what = {"pgbackrest": {"settings": KEEPS, "kept": kept}}
    assert told(what) == (status, bad)
    assert ("policy_young" in codes(what)) == (bool(kept["backups"]) and kept["now"] - kept["first"] < 90 * DAY_S and bad != {"no_copy"})


def reported(*ago: float) -> dict[str, t.Any]:
    return {"now": NOW.timestamp(), "reported": [{"id": f"{one:g}d", "at": (NOW - datetime.timedelta(days=one)).timestamp()} for one in ago]}


def by_policy(backups: list[Backup]) -> dict[str, t.Any]:
    return reported(*((NOW - one.time).total_seconds() / 86400 for one in backups))


@pytest.mark.parametrize(
    ("what", "status", "bad"),
    [
        (by_policy(a_year()), "pass", set()),
        (reported(*range(91)), "pass", set()),
        (reported(*range(60)), "error", {"reported_young"}),  # a provider that keeps 60 days
        (reported(0, 1, 2), "error", {"reported_young"}),
        (reported(*(day for day in range(91) if day not in (2, 3))), "fail", {"gaps"}),
        (reported(*(day for day in range(91) if day != 2)), "warn", {"gaps"}),
        (reported(*range(8), 121), "fail", {"gaps"}),
        (reported(*range(122)), "pass", set()),
        (reported(*range(123)), "warn", {"reported_longer"}),
        (reported(*range(91), -1), "fail", {"copies_future"}),
        (reported(-1), "fail", {"copies_future", "no_copy"}),
        (reported(), "fail", {"no_copy"}),
    ],
)
def test_somebody_elses_copies_prove_the_policy_or_do_not(what: dict[str, t.Any], status: str, bad: set[str]) -> None:
    assert told(what, engine="managed") == (status, bad)


@pytest.mark.parametrize("start", range(0, 40, 3))
@pytest.mark.parametrize("policy", [Policy(), Policy(7, 30, 0), Policy(7, 0, 0), Policy(2, 14, 61)])
def test_whoever_keeps_the_policy_is_never_told_to_keep_less(start: int, policy: Policy) -> None:
    kept = retention.plan(days(*(start + number for number in range(400))), policy, NOW, system="1").kept()
    options = {"days": [policy.daily_days, policy.weekly_days, policy.monthly_days]}
    assert "reported_young" not in told(by_policy(kept), **options)[1]


def test_a_list_is_needed_where_somebody_else_keeps_the_copies() -> None:
    assert missing_options(BackupRetention, {"engine": "managed"}) == ["report"]
    assert missing_options(BackupRetention, {}) == []
