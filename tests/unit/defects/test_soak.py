# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flaps is told, an item as well as an observation below one that stays; numbers in texts are no flapping."""

from __future__ import annotations

import pathlib
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "defects"))

from soak import flapping, said


def report(state: str = "pass", row: str = "pass", code: str = "c.good", **params: t.Any) -> dict[str, t.Any]:
    target = {"host": "h1", "kind": "host", "name": "h1"}
    seen = {"check": "c", "target": target, "state": row, "reason": {"code": code, "params": params}}
    return {"items": [{"id": "a.one", "state": state, "reason": {"code": "verdict.passed", "params": params}, "observations": [seen]}]}


def test_what_stays_does_not_flap() -> None:
    assert flapping([said(report(age=age)) for age in range(3)]) == []


def test_an_item_an_observation_and_a_reason_that_change_are_told() -> None:
    assert flapping([said(report()), said(report("fail")), said(report())]) == ["a.one: 2 x pass (verdict.passed), 1 x fail (verdict.passed)"]
    assert flapping([said(report()), said(report(row="warn"))]) == ["a.one · c · h1 · host · h1: 1 x pass (c.good), 1 x warn (c.good)"]
    assert flapping([said(report()), said(report(code="c.other"))]) == ["a.one · c · h1 · host · h1: 1 x pass (c.good), 1 x pass (c.other)"]


def test_what_is_there_only_sometimes_flaps() -> None:
    assert flapping([said(report()), {"a.one": "pass (verdict.passed)"}]) == ["a.one · c · h1 · host · h1: 1 x nothing, 1 x pass (c.good)"]
