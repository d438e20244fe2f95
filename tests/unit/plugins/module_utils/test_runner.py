# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: none of a check's ways to go wrong reads as a pass, hangs the host or takes another check with it."""

from __future__ import annotations

import os
import pathlib
import sys
import threading
import time
import typing as t

import pytest
from sample_checks import SECRET, BadlyMended, Broken, Counting, Crashes, Dies, Empty, Good, HungChild, Leaks, NoCommand, only, unit

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context
from ansible_collections.resto.golive.plugins.module_utils._runner import Row, Unit, run


def test_pass_needs_an_assertion() -> None:
    assert only(run([unit(Good)]))["status"] == "pass"
    row = only(run([unit(Empty)]))
    assert (row["status"], row["reason"]["code"]) == ("error", "common.zero_assertions")


@pytest.mark.parametrize(("told", "silent"), [("test.one", "test.two"), ("test.two", "test.one")])
def test_every_item_of_a_check_needs_an_assertion_of_its_own(told: str, silent: str) -> None:
    class SpeaksOfOne(Good):
        items = ("test.one", "test.two")

        def judge(self, seen: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> list[Assertion]:
            return [Assertion("pass", "good.fine", item=told)]

    found = {row["item"]: (row["status"], row["reason"]["code"]) for row in run([unit(SpeaksOfOne)])}
    assert found == {told: ("pass", "good.fine"), silent: ("error", "common.zero_assertions")}


def test_a_check_with_many_targets_has_its_options_validated_once_and_another_its_own() -> None:
    class Counted(Good):
        name = "counted"
        options: t.ClassVar = {"limit": {"type": Counting(), "default": 3}}

    given = {"limit": "7"}
    rows = run([Unit(check, "host", str(number), given, {}, 5.0) for check in (Counted, Good) for number in range(20)])
    assert [row["observed"] for row in rows] == [str(number) for number in range(20)] * 2
    assert [row["reason"]["params"]["limit"] for row in rows] == [1] * 20 + [7] * 20


@pytest.mark.parametrize(
    ("check", "code"),
    [(Crashes, "common.crash"), (Dies, "common.worker_died"), (HungChild, "common.timeout"), (NoCommand, "common.command_missing")],
)
def test_what_goes_wrong_is_an_error_of_its_own(check: type[Check], code: str) -> None:
    row = only(run([unit(check)]))
    assert (row["status"], row["reason"]["code"]) == ("error", code)


def test_bad_options_are_an_error() -> None:
    row = only(run([unit(Good, limit="many")]))
    assert (row["status"], row["reason"]["code"]) == ("error", "common.bad_option")
    assert only(run([unit(Good, no_such=1)]))["reason"]["code"] == "common.bad_option"


def test_secrets_never_leave() -> None:
    assert SECRET not in str(run([unit(Leaks), unit(Crashes)]))


def test_targets_run_side_by_side() -> None:
    class Waits(Good):
        name = "waits"

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            time.sleep(0.5)
            return {"target": ctx.target, "limit": 1}

    started = time.monotonic()
    rows = run([unit(Waits, target=str(number)) for number in range(40)])
    assert [row["target"]["name"] for row in rows] == [str(number) for number in range(40)]
    assert time.monotonic() - started < 10  # 20 s one after another


def test_a_check_that_disturbs_runs_after_the_others_and_by_itself(tmp_path: pathlib.Path) -> None:
    class Together(Good):
        runs_as = "nobody" if os.geteuid() == 0 else ""

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            time.sleep(0.2)
            return {"target": str(time.monotonic()), "limit": 1}

    class Alone(Good):
        name = "alone_check"
        alone = True

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            (tmp_path / "busy").touch(exist_ok=False)
            begun = time.monotonic()
            time.sleep(0.1)
            (tmp_path / "busy").unlink()
            return {"target": str(begun), "limit": 1}

    rows = run([unit(Alone, target="a"), unit(Alone, target="b"), *[unit(Together, target=str(number)) for number in range(5)]])
    assert {row["status"] for row in rows} == {"pass"}
    assert max(float(row["observed"]) for row in rows[2:]) < min(float(row["observed"]) for row in rows[:2])


def test_targets_of_different_lanes_are_looked_at_side_by_side_and_those_of_one_never(tmp_path: pathlib.Path) -> None:
    class Alone(Good):
        name = "alone_check"
        alone = True

        @classmethod
        def lane(cls, target: str, options: t.Any) -> str:
            return target[0]

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            (tmp_path / ctx.target[0]).touch(exist_ok=False)
            meeting = ctx.shared("meeting", lambda: threading.Barrier(2))
            if ctx.target in ("a1", "b1"):
                meeting.wait(timeout=5)
            (tmp_path / ctx.target[0]).unlink()
            return {"target": "met", "limit": 1}

    rows = run([unit(Alone, target=name) for name in ("a1", "a2", "b1", "a3")])
    assert [(row["target"]["name"], row["status"]) for row in rows] == [("a1", "pass"), ("a2", "pass"), ("b1", "pass"), ("a3", "pass")]


def test_two_runs_on_one_host_do_not_disturb_each_other(tmp_path: pathlib.Path) -> None:
    class Alone(Good):
        name = "alone_check"
        alone = True

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            (tmp_path / "busy").touch(exist_ok=False)
            time.sleep(0.3)
            (tmp_path / "busy").unlink()
            return {"target": "alone", "limit": 1}

    found: list[Row] = []
    runs = [threading.Thread(target=lambda: found.extend(run([unit(Alone)]))) for _turn in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert [row["status"] for row in found] == ["pass"] * 3


def test_fix_is_looked_at_again_and_check_mode_changes_nothing() -> None:
    row = only(run([unit(Broken)], fix=True, check_mode=True))
    assert (row["status"], row["would_change"], row["changes"]) == ("fail", True, [])
    row = only(run([unit(Broken)], fix=True))
    assert (row["status"], row["changes"]) == ("pass", ["mended it"])


def test_what_acts_does_not_act_under_check_mode_even_if_asked() -> None:
    class Acting(Good):
        name = "acting"
        impact = "active"

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            raise AssertionError("it acted")

    row = only(run([unit(Acting)], check_mode=True))
    assert (row["status"], row["reason"]["code"]) == ("error", "common.acts")


def test_a_fix_that_does_not_hold_is_a_fail() -> None:
    assert only(run([unit(BadlyMended)], fix=True))["status"] == "fail"


@pytest.mark.parametrize(("user", "code"), [("nobody", None), ("no-such-user", "common.user_missing")])
def test_rights_are_dropped_or_missed_by_name(user: str, code: str | None) -> None:
    class As(Good):
        name = "as_user"
        runs_as = user

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            return {"target": str(os.geteuid()), "limit": 1}

    row = only(run([unit(As)]))
    if code is None and os.geteuid() != 0:
        code = "common.missing_privilege"
    assert (row["status"], row["reason"]["code"]) == (("error", code) if code else ("pass", "good.fine"))


def test_cannot_know_carries_its_own_status() -> None:
    class Gone(Good):
        name = "gone"

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            raise CannotKnow("gone.away", status="unreachable", python=sys.version_info[0])

    row = only(run([unit(Gone)]))
    assert (row["status"], row["reason"]) == ("unreachable", {"code": "gone.away", "params": {"python": 3}})
