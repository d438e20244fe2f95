# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: none of a check's ways to go wrong reads as a pass, hangs the host or takes another check with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils import _runner
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context
from ansible_collections.resto.golive.plugins.module_utils._runner import Row, Unit, run

SECRET = "planted-" + "a1b2c3d4" * 2


class Good(Check):
    name = "good"
    items = ("test.good",)
    options: t.ClassVar = {"limit": {"type": "int", "default": 3}}

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        return {"target": ctx.target, "limit": ctx.options["limit"]}

    def judge(self, seen: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> list[Assertion]:
        return [Assertion("pass", "good.fine", {"limit": seen["limit"]}, observed=seen["target"])]


class Counting:
    """A type of option whose value says how often it was converted."""

    times = 0

    def __call__(self, _value: object) -> int:
        self.times += 1
        return self.times


class Empty(Good):
    name = "empty"

    def judge(self, seen: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> list[Assertion]:
        return []


class Crashes(Good):
    name = "crashes"

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        raise ValueError(f"odd answer with {ctx.secrets['password']}")


class Slow(Good):
    name = "slow"

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        time.sleep(60)
        return {}


class HeldInC(Good):
    """Sleeps in C without giving the interpreter's lock back: no other thread of its process runs."""

    name = "held_in_c"

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        ctypes.PyDLL(None).sleep(60)
        return {}


class ChildOfALibrary(Good):
    """Hangs beside a child that it started with what it has for stdout itself; its options say where to note the child."""

    name = "child_of_a_library"
    options: t.ClassVar = {"note": {"type": "str"}}

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        child = subprocess.Popen(["sleep", "60"])
        pathlib.Path(str(ctx.options["note"])).write_text(str(child.pid))
        time.sleep(60)
        return {}


class Dies(Good):
    name = "dies"

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        os._exit(1)


class Child(Good):
    """Its child leaves at once; its grandchild keeps stdout open."""

    name = "child"

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        done = ctx.run(["sh", "-c", "sleep 60 & echo started"])
        return {"target": done.stdout.strip(), "limit": 0}


class HungChild(Good):
    name = "hung_child"

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        ctx.run(["sleep", "60"], timeout_s=0.3)
        return {}


class NoCommand(Good):
    name = "no_command"

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        ctx.run(["no-such-command-here"])
        return {}


class Leaks(Good):
    name = "leaks"

    def judge(self, seen: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> list[Assertion]:
        return [Assertion("fail", "leaks.it", {"got": SECRET}, observed={SECRET: [SECRET]}, excerpt=f"password={SECRET}")]


class Broken(Good):
    """Can be mended, once ``mended`` is set."""

    name = "broken"
    fixes = True
    mended = False

    def observe(self, ctx: Context) -> dict[str, t.Any]:
        return {"ok": type(self).mended}

    def judge(self, seen: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> list[Assertion]:
        return [Assertion("pass" if seen["ok"] else "fail", "broken.state")]

    def remediate(self, ctx: Context, seen: dict[str, t.Any]) -> list[str]:
        type(self).mended = True
        return ["mended it"]


class BadlyMended(Broken):
    name = "badly_mended"

    def remediate(self, ctx: Context, seen: dict[str, t.Any]) -> list[str]:
        return ["tried"]


def unit(check: type[Check], target: str = "here", timeout_s: float = 5.0, **options: t.Any) -> Unit:
    return Unit(check, "host", target, options, {"password": SECRET}, timeout_s)


def only(rows: list[Row]) -> Row:
    assert len(rows) == 1
    return rows[0]


def test_pass_needs_an_assertion() -> None:
    assert only(run([unit(Good)]))["status"] == "pass"
    row = only(run([unit(Empty)]))
    assert (row["status"], row["reason"]["code"]) == ("error", "common.zero_assertions")


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


@pytest.mark.parametrize("check", [Slow, HeldInC])
def test_a_hung_check_is_a_timeout_and_costs_its_own_deadline_only(check: type[Check]) -> None:
    started = time.monotonic()
    row = only(run([unit(check, timeout_s=0.3)], budget_s=10))
    assert (row["status"], row["reason"]["code"]) == ("error", "common.timeout")
    assert time.monotonic() - started < 8


def test_a_hung_check_leaves_the_others_alone() -> None:
    rows = run([unit(Slow, timeout_s=0.3), unit(Good), unit(Crashes)], budget_s=10)
    assert [row["status"] for row in rows] == ["error", "pass", "error"]


def test_a_child_that_keeps_our_output_open_does_not_hold_us() -> None:
    started = time.monotonic()
    row = only(run([unit(Child)]))
    assert (row["status"], row["observed"]) == ("pass", "started")
    assert time.monotonic() - started < 4


def is_gone(pid: int) -> bool:
    """Whether the process was ended; a busy machine may take a moment for it, and one that nobody waits for is as good as gone."""
    deadline = time.monotonic() + 5
    while (stat := pathlib.Path(f"/proc/{pid}/stat")).exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.05)
    return not stat.exists()


def test_a_hung_check_takes_its_child_with_it(tmp_path: pathlib.Path) -> None:
    note, started = tmp_path / "child", time.monotonic()
    row = only(run([unit(ChildOfALibrary, timeout_s=1.0, note=str(note))]))
    assert time.monotonic() - started < 8
    assert (row["status"], row["reason"]["code"]) == ("error", "common.timeout")
    assert is_gone(int(note.read_text()))


def module_run(note: str) -> None:
    """What the test below runs in a process of its own, as Ansible runs a module: its stdout is a pipe that is read to its end."""
    print(only(run([unit(ChildOfALibrary, timeout_s=1.0, note=note)]))["reason"]["code"])


def test_whoever_reads_our_stdout_reaches_its_end_although_a_check_hung_with_a_child(tmp_path: pathlib.Path) -> None:
    note, started = tmp_path / "child", time.monotonic()
    argv = [sys.executable, "-c", f"import runpy; runpy.run_path({__file__!r})['module_run']({str(note)!r})"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert time.monotonic() - started < 15  # most of it is Python's start and its imports
    assert done.stdout == "common.timeout\n"
    assert is_gone(int(note.read_text()))


def test_a_check_that_holds_the_interpreter_s_lock_takes_nobody_s_time_but_its_own() -> None:
    started = time.monotonic()
    rows = run([unit(HeldInC, timeout_s=0.3), *[unit(Good, target=name, timeout_s=0.5) for name in ("one", "two")]], budget_s=60)
    assert time.monotonic() - started < 10
    assert [(row["check"], row["target"]["name"]) for row in rows] == [("held_in_c", "here"), ("good", "one"), ("good", "two")]
    assert rows[0]["reason"]["code"] == "common.timeout"
    # A neighbour may have been quicker than the hung one; then, and only then, it passed.
    assert all((row["status"], row["observed"]) == ("pass", row["target"]["name"]) or row["status"] == "error" for row in rows[1:])
    assert {row["reason"]["code"] for row in rows[1:] if row["status"] == "error"} <= {"common.timeout", "common.never_started"}


@pytest.mark.parametrize("check", [Slow, HeldInC])
def test_what_a_hung_check_never_lets_start_is_not_waited_for(check: type[Check], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runner, "THREADS", 1)
    started = time.monotonic()
    rows = run([unit(check, timeout_s=0.3), unit(Good, target="one"), unit(Good, target="two")], budget_s=60)
    assert time.monotonic() - started < 10
    assert [row["target"]["name"] for row in rows] == ["here", "one", "two"]
    assert [(row["status"], row["reason"]["code"]) for row in rows] == [("error", "common.timeout"), *[("error", "common.never_started")] * 2]


def test_what_waits_behind_a_slow_check_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(Good):
        """Comes back after its deadline, and before it is given up."""

        name = "late"

        def observe(self, ctx: Context) -> dict[str, t.Any]:
            time.sleep(1.0)
            return {"target": ctx.target, "limit": 1}

    monkeypatch.setattr(_runner, "THREADS", 1)
    rows = run([unit(Late, target=str(number), timeout_s=0.1) for number in range(3)] + [unit(Good, timeout_s=0.1)], budget_s=60)
    assert [row["status"] for row in rows] == ["pass"] * 4


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
