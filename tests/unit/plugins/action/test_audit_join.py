# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several hosts saw together is judged on the control node: what goes wrong there is an error of the journey's items, and nobody else's."""

from __future__ import annotations

import json
import pathlib
import types
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.action.audit import ActionModule
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import JourneyAct, OrderJourney
from ansible_collections.resto.golive.plugins.plugin_utils import engine, joint, ledger

ACTED = {"golive": {"rows": [], "joint": {JourneyAct.name: {"sent_at": 1.0}}}}


@pytest.fixture
def joined(tmp_path: pathlib.Path) -> t.Callable[[], list[dict[str, t.Any]]]:
    """Judge what a probe saw of its journey, and return what the ledger has of it."""
    path = ledger.start(tmp_path, "staging", {"rows": []})
    door = ActionModule.__new__(ActionModule)
    door._task = types.SimpleNamespace(args={"step": "join"}, timeout=0, check_mode=False, action="resto.golive.audit", async_val=0, diff=False)
    door._connection = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None))
    run = {"golive": {"environment": "staging", "impact": "active", "path": str(path)}}
    known = {"golive_environment": "staging"}
    hostvars = {"localhost": known, "p1": {**known, joint.FIRST_RUN: ACTED}}
    variables = {"inventory_hostname": "localhost", "groups": {"all": ["p1"], "probe": ["p1"]}, "hostvars": hostvars, engine.RUN_VARIABLE: run}

    def join() -> list[dict[str, t.Any]]:
        result = door.run(None, variables)
        assert not result.get("failed"), result
        return [json.loads(line) for line in (path / "p1.jsonl").read_text().splitlines()]

    return join


def told(rows: list[dict[str, t.Any]]) -> dict[str, tuple[str, str]]:
    return {row["item"]: (row["status"], row["reason"]["code"]) for row in rows if row.get("check") == OrderJourney.name}


@pytest.mark.parametrize("breaks", ["judge", "seen"])
def test_a_crash_is_an_error_of_each_of_its_items(joined: t.Callable[[], list[dict[str, t.Any]]], monkeypatch: pytest.MonkeyPatch, breaks: str) -> None:
    def crash(*_words: t.Any) -> t.NoReturn:
        raise KeyError("sent_at")

    monkeypatch.setattr(*{"judge": (OrderJourney, "judge", crash), "seen": (joint.Journey, "seen", crash)}[breaks])
    assert told(joined()) == dict.fromkeys(OrderJourney.items, ("error", "common.crash"))


def test_an_item_of_which_nothing_is_said_is_an_error(joined: t.Callable[[], list[dict[str, t.Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    first, silent, *others = OrderJourney.items
    said = [Assertion("pass", "order_journey.seen", item=item) for item in (first, *others)]
    monkeypatch.setattr(OrderJourney, "judge", lambda *_words: said)
    wanted = dict.fromkeys((first, *others), ("pass", "order_journey.seen"))
    assert told(joined()) == {**wanted, silent: ("error", "common.zero_assertions")}
