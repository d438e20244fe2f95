# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The retention planner: its rules at their edges, its properties, and the real restic as oracle."""

from __future__ import annotations

import dataclasses
import datetime
import random
import typing as t
import zoneinfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from restic_repository import Repository, restic_version

from ansible_collections.resto.golive.plugins.module_utils._pgbackup.forecast import daily, forecast, slope
from ansible_collections.resto.golive.plugins.module_utils._pgbackup.retention import (
    REASONS,
    REFUSALS,
    Backup,
    Plan,
    Policy,
    pgbackrest_settings,
    plan,
)

UTC = datetime.UTC
NOW = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ZONES = ["UTC", "Europe/Paris", "America/Sao_Paulo", "America/Bogota", "Australia/Lord_Howe"]
DAYS_ONLY = Policy(hourly_hours=0)


def ago(days: float = 0, hours: float = 0) -> datetime.datetime:
    return NOW - datetime.timedelta(days=days, hours=hours)


def copy(days: float, **more: t.Any) -> Backup:
    return Backup(more.pop("id", f"{days:g}d"), ago(days), 1000, **more)


def reasons(made: Plan, name: str) -> tuple[bool, set[str]]:
    decision = next(one for one in made.decisions if one.backup.id == name)
    return decision.keep, set(decision.reasons)


def daily_run(days: int) -> list[Backup]:
    return [copy(number) for number in range(days)]


def test_a_year_of_daily_copies_keeps_7_days_5_weeks_and_3_months() -> None:
    made = plan(daily_run(365), DAYS_ONLY, NOW)
    kept = [backup.time.date().isoformat() for backup in made.kept()]
    assert kept == [f"2026-11-{day}" for day in (24, 23, 22, 21, 20, 19, 18)] + [
        "2026-11-15",
        "2026-11-08",
        "2026-11-01",
        "2026-10-31",
        "2026-09-30",
        "2026-08-31",
    ]
    assert reasons(made, "0d") == (True, {"newest", "daily", "weekly", "monthly"})
    assert reasons(made, "10d") == (False, {"covered"})
    assert reasons(made, "90d") == (False, {"expired"})


@pytest.mark.parametrize(("seconds", "kept"), [(-1, True), (0, False), (1, False)])
def test_the_edge_of_a_window_is_outside_it(seconds: int, kept: bool) -> None:
    old = Backup("old", ago(7) - datetime.timedelta(seconds=seconds))
    assert reasons(plan([copy(0), old], Policy(7, 0, 0, 0), NOW), "old")[0] is kept


def test_ages_count_from_the_newest_good_copy() -> None:
    stopped = [dataclasses.replace(backup, time=backup.time - datetime.timedelta(days=400)) for backup in daily_run(7)]
    assert plan(stopped, DAYS_ONLY, NOW).removed() == []


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (copy(300, id="odd", verified_at=ago(299)), "newest_verified"),
        (copy(300, id="odd", pinned=True), "pinned"),
        (copy(-1, id="odd"), "future"),
        (copy(300, id="odd", system="2"), "another_cluster"),
        (copy(300, id="odd", state="failed"), "newest_failure"),
        (copy(80.1, id="odd", state="damaged"), "damaged"),
    ],
)
def test_what_no_policy_removes(odd: Backup, why: str) -> None:
    made = plan([*daily_run(100), odd], DAYS_ONLY, NOW, system="1")
    assert reasons(made, "odd") == (True, {why})
    # And it takes nobody's place.
    assert {backup.id for backup in made.kept()} - {"odd"} == {backup.id for backup in plan(daily_run(100), DAYS_ONLY, NOW).kept()}


def test_only_the_newest_that_a_drill_brought_back_is_kept_for_it() -> None:
    made = plan([*daily_run(100), copy(200, id="sooner", verified_at=ago(1)), copy(150, id="later", verified_at=ago(140))], DAYS_ONLY, NOW)
    assert reasons(made, "later") == (True, {"newest_verified"})
    assert reasons(made, "sooner") == (False, {"expired"})


def test_failures_are_swept_but_for_the_newest_and_are_never_counted() -> None:
    made = plan([*daily_run(100), copy(0.1, id="f1", state="failed"), copy(0.2, id="f2", state="failed")], DAYS_ONLY, NOW)
    assert reasons(made, "f1") == (True, {"newest_failure"})
    assert reasons(made, "f2") == (False, {"failed"})


def test_what_a_drill_could_not_bring_back_stands_for_nothing_and_goes_with_the_oldest() -> None:
    backups = [copy(0), copy(0.1, state="damaged"), *(copy(day) for day in (1, 2, 3)), copy(3.2), copy(3.1, state="damaged"), copy(89, state="damaged")]
    made = plan([*backups, copy(90, state="damaged")], DAYS_ONLY, NOW)
    assert made.refusals == ()
    assert [reasons(made, name) for name in ("0.1d", "3.1d", "89d", "90d")] == [*[(True, {"damaged"})] * 3, (False, {"damaged"})]
    damaged = plan([copy(0, state="damaged"), *(copy(hours / 24) for hours in (1, 2, 3)), copy(1)], DAYS_ONLY, NOW)
    assert "newest" in reasons(damaged, f"{1 / 24:g}d")[1]
    assert damaged.refusals == ("newest_damaged",)


def test_a_running_drill_holds_what_it_reads_and_what_is_younger() -> None:
    backups = [copy(0), copy(0.01, id="young"), copy(0.02, id="old")]
    made = plan(backups, Policy(hourly_hours=0), NOW, in_use_since=ago(0.01))
    assert reasons(made, "young") == (True, {"in_use"})
    assert reasons(made, "old")[0] is False


@pytest.mark.parametrize(
    ("backups", "policy", "refusal"),
    [
        ([copy(0, state="failed"), copy(1), *daily_run(60)[2:]], DAYS_ONLY, "last_backup_failed"),
        (daily_run(60), Policy(7, 30, 30, 0), "too_many"),
        ([copy(0), copy(1), copy(2), copy(3), copy(50), copy(80)], Policy(7, 30, 30, 0), "months_emptied"),
        (daily_run(5), Policy(0, 0, 0, 0), "empty_policy"),
        ([copy(1, state="failed"), copy(2, state="failed")], DAYS_ONLY, "nothing_kept"),
    ],
)
def test_the_breaker_holds_the_plan_until_forced(backups: list[Backup], policy: Policy, refusal: str) -> None:
    made = plan(backups, policy, NOW)
    assert refusal in made.refusals
    assert made.removed() != []
    assert made.doomed() == []
    assert made.doomed(force=True) == made.removed()


def test_half_is_not_more_than_half() -> None:
    assert plan([copy(0), copy(0.1)], DAYS_ONLY, NOW).refusals == ()
    assert "too_many" in plan([copy(0), copy(0.1), copy(0.2)], DAYS_ONLY, NOW).refusals


def test_a_plan_that_removes_nothing_needs_no_force() -> None:
    assert plan([copy(0, state="failed"), copy(1)], DAYS_ONLY, NOW).refusals == ()
    assert plan([], DAYS_ONLY, NOW) == Plan((), ())


def test_the_repeated_hour_makes_no_double_and_no_lost_bucket() -> None:
    """Paris, 25 October 2026: 02:30 happens at 00:30Z and again at 01:30Z. Both are copies of hours of their own, and of one day."""
    times = [datetime.datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(4)]
    backups = [Backup(f"{at:%H}", at) for at in times]
    made = plan(backups, Policy(zone="Europe/Paris"), times[-1])
    assert [backup.id for backup in made.kept()] == ["03", "02", "01", "00"]
    made = plan(backups, Policy(zone="Europe/Paris", hourly_hours=0), times[-1])
    assert [backup.id for backup in made.kept()] == ["03"]


def test_a_day_of_23_hours_is_a_day_of_the_window() -> None:
    """Paris, 29 March 2026, has no 02:00. Seven days before noon of 4 April is noon of 28 March by the wall's clock: 11:00Z, not 10:00Z."""
    newest = Backup("newest", datetime.datetime(2026, 4, 4, 10, 0, tzinfo=UTC))
    inside, outside = (Backup(name, datetime.datetime(2026, 3, 28, hour, 30, tzinfo=UTC)) for name, hour in (("inside", 11), ("outside", 10)))
    policy = Policy(7, 0, 0, 0, zone="Europe/Paris")
    assert [backup.id for backup in plan([newest, inside, outside], policy, newest.time).kept()] == ["newest", "inside"]
    assert [backup.id for backup in plan([newest, outside], policy, newest.time).kept()] == ["newest"]


def test_lines_tell_every_reason_in_words() -> None:
    lines = plan([copy(0), copy(0.1)], DAYS_ONLY, NOW).lines()
    assert lines[0].startswith("keep   0d 2026-11-24 12:00Z: the newest good copy, last of its day")
    assert lines[1] == "remove 0.1d 2026-11-24 09:36Z: a newer copy stands for its day, week and month"


# Properties. Histories as they come: irregular, several a day, with failures.
STATES = st.sampled_from(["good"] * 5 + ["failed", "damaged"])


@st.composite
def histories(draw: st.DrawFn, states: st.SearchStrategy[str] = STATES) -> list[Backup]:
    minutes = draw(st.lists(st.integers(0, 200 * 24 * 60), unique=True, max_size=60))
    return [Backup(str(minute), NOW - datetime.timedelta(minutes=minute), 1000, draw(states)) for minute in minutes]


POLICIES = st.builds(
    Policy,
    daily_days=st.integers(0, 40),
    weekly_days=st.integers(0, 90),
    monthly_days=st.integers(0, 400),
    hourly_hours=st.integers(0, 72),
    zone=st.sampled_from(ZONES),
)


@given(histories(), POLICIES, st.randoms())
def test_the_order_they_come_in_does_not_matter(backups: list[Backup], policy: Policy, shuffle: random.Random) -> None:
    other = backups[:]
    shuffle.shuffle(other)
    assert plan(backups, policy, NOW) == plan(other, policy, NOW)


@given(histories(), POLICIES)
def test_what_was_kept_is_kept_again(backups: list[Backup], policy: Policy) -> None:
    kept = plan(backups, policy, NOW).kept()
    assert plan(kept, policy, NOW).kept() == kept


@given(histories(), POLICIES)
def test_there_is_always_one_left_and_it_is_the_newest(backups: list[Backup], policy: Policy) -> None:
    good = [backup for backup in backups if backup.state == "good"]
    assume(good)
    assert max(good, key=lambda backup: backup.time) in plan(backups, policy, NOW).kept()


@given(histories(), POLICIES, st.integers(0, 60))
def test_a_longer_policy_keeps_no_less(backups: list[Backup], policy: Policy, more: int) -> None:
    longer = dataclasses.replace(policy, daily_days=policy.daily_days + more, weekly_days=policy.weekly_days + more, monthly_days=policy.monthly_days + more)
    assert {backup.id for backup in plan(backups, policy, NOW).kept()} <= {backup.id for backup in plan(backups, longer, NOW).kept()}


@given(histories(st.just("good")), POLICIES)
def test_thinning_every_day_ends_where_thinning_once_does(backups: list[Backup], policy: Policy) -> None:
    """Nothing that the policy wants today was thrown away yesterday."""
    wanted = {backup.id for backup in plan(backups, policy, NOW).kept()}
    left: list[Backup] = []
    for backup in sorted(backups, key=lambda one: one.time):
        left = plan([*left, backup], policy, backup.time).kept()
    assert {backup.id for backup in plan(left, policy, NOW).kept()} == wanted


@given(histories(), POLICIES)
def test_every_code_has_its_words(backups: list[Backup], policy: Policy) -> None:
    made = plan(backups, policy, NOW)
    assert {reason for decision in made.decisions for reason in decision.reasons} <= set(REASONS)
    assert all(decision.reasons for decision in made.decisions)
    assert set(made.refusals) <= set(REFUSALS)


# restic as oracle: many histories in one repository, one call for all of them.
@st.composite
def moments(draw: st.DrawFn, zone: str) -> list[datetime.datetime]:
    """Copies before a newest one at noon: a window's edge at noon exists on every day, once, so that no clock's change makes it two."""
    noon = datetime.datetime(2025, draw(st.integers(1, 12)), draw(st.integers(1, 28)), 12, tzinfo=zoneinfo.ZoneInfo(zone))
    minutes = draw(st.lists(st.integers(1, 150 * 24 * 60), unique=True, max_size=30))
    edges = draw(st.lists(st.sampled_from([7, 30, 90]), unique=True))
    utc = noon.astimezone(UTC)
    before = [*(utc - datetime.timedelta(minutes=minute) for minute in minutes), *((noon - datetime.timedelta(days=days)).astimezone(UTC) for days in edges)]
    return [at.astimezone(zoneinfo.ZoneInfo(zone)) for at in {utc, *before}]


def restic_arguments(policy: Policy) -> list[str]:
    """Return the arguments of ``restic forget`` that mean the same; hours, which restic counts on the wall's clock, differ where a clock is put back."""
    windows = (
        ("hourly", f"{policy.hourly_hours}h"),
        ("daily", f"{policy.daily_days}d"),
        ("weekly", f"{policy.weekly_days}d"),
        ("monthly", f"{policy.monthly_days}d"),
    )
    return [word for name, window in windows if int(window[:-1]) > 0 for word in (f"--keep-within-{name}", window)]


#: Later versions keep one more: the oldest of all, where a window reaches it (restic-forget(1) from 0.17 on; not yet in 0.14).
KEEPS_OLDEST = restic_version() > (0, 15)


# restic's hours are the wall's, where a repeated hour is one to it and two to us: they are compared where there are none.
@pytest.mark.parametrize(("zone", "hourly"), [("UTC", 24), *((zone, 0) for zone in ZONES)])
def test_restic_keeps_the_same(zone: str, hourly: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    policy = Policy(zone=zone, hourly_hours=hourly)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example])
    @given(st.lists(moments(zone), min_size=10, max_size=25))
    def compare(drawn: list[list[datetime.datetime]]) -> None:
        repository = Repository(tmp_path_factory.mktemp("restic"))
        hosts = {f"h{number}": repository.add(f"h{number}", times) for number, times in enumerate(drawn)}
        theirs = repository.forget(zone, *restic_arguments(policy))
        for host, snapshots in hosts.items():
            made = plan([Backup(name, at.astimezone(UTC)) for name, at in snapshots.items()], policy, NOW)
            kept = {backup.id for backup in made.kept()}
            oldest = min(snapshots, key=lambda name: snapshots[name])
            assert theirs[host] - kept <= ({oldest} if KEEPS_OLDEST else set())
            assert kept <= theirs[host]

    compare()


def test_pgbackrest_keeps_at_least_what_the_policy_keeps() -> None:
    assert pgbackrest_settings(Policy()) == {"repo1-retention-full-type": "time", "repo1-retention-full": "90"}


def test_the_forecast_counts_the_full_policy_and_one_more() -> None:
    young = [Backup(str(day), ago(day), 100_000_000 - day * 1_000_000) for day in range(10)]
    told = forecast(young, DAYS_ONLY, NOW, 24)
    assert told.copies == len(plan(daily_run(365), DAYS_ONLY, NOW).kept()) + 1
    assert told.grows_bytes_a_day == pytest.approx(1_000_000)
    assert told.copy_bytes == 100_000_000 + 90 * 1_000_000
    assert told.bytes == told.copies * told.copy_bytes
    assert forecast([], DAYS_ONLY, NOW).bytes == 0


def test_one_odd_day_does_not_bend_the_trend() -> None:
    points = [(float(day), 10.0 * day) for day in range(9)]
    points[4] = (4.0, 1e9)
    assert slope(points) == pytest.approx(10, rel=0.3)
    assert slope([(1.0, 5.0)]) is None
    assert daily([(1.2, 5), (1.9, 6), (2.1, 7)]) == [(1.9, 6), (2.1, 7)]
