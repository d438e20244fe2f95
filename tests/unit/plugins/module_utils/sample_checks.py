# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that go wrong in one way each, and what runs them."""

from __future__ import annotations

import ctypes
import os
import pathlib
import subprocess
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Check, Context
from ansible_collections.resto.golive.plugins.module_utils._runner import Row, Unit

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
