# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner and what hangs: a check that sleeps, holds the interpreter's lock or leaves a child costs its own deadline, and nobody else's."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from sample_checks import Child, ChildOfALibrary, Crashes, Good, HeldInC, Slow, only, unit

from ansible_collections.resto.golive.plugins.module_utils import _runner
from ansible_collections.resto.golive.plugins.module_utils._check import Check, Context
from ansible_collections.resto.golive.plugins.module_utils._runner import run


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
    monkeypatch.setattr(_runner, "GRACE_S", 20.0)
    rows = run([unit(Late, target=str(number), timeout_s=0.1) for number in range(3)] + [unit(Good, timeout_s=0.1)], budget_s=60)
    assert [row["status"] for row in rows] == ["pass"] * 4
