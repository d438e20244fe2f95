# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No setting of a user's ansible.cfg changes how our plays run: each says itself what a false pass could hang on."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

PLAYBOOKS = pathlib.Path(__file__).parents[3] / "playbooks"
PLAYS = [
    pytest.param(play, id=f"{path.stem}: {play['name']}")
    for path in sorted(PLAYBOOKS.glob("*.yml"))
    for play in yaml.safe_load(path.read_text(encoding="utf-8"))
    if "hosts" in play
]


@pytest.mark.parametrize("play", PLAYS)
def test_a_play_says_its_strategy(play: dict[str, t.Any]) -> None:
    assert play["strategy"] == "ansible.builtin.linear", "under `free`, run_once means something else"


@pytest.mark.parametrize("play", PLAYS)
def test_one_host_that_fails_does_not_end_a_play_of_many(play: dict[str, t.Any]) -> None:
    assert play["hosts"] == "localhost" or play["any_errors_fatal"] is False


FIXES = [
    block
    for play in yaml.safe_load((PLAYBOOKS / "remediate.yml").read_text(encoding="utf-8"))
    for block in play["tasks"]
    if block["name"].startswith("Postgres")
]


@pytest.mark.parametrize("block", FIXES, ids=lambda block: block["name"])
def test_a_part_that_fails_is_the_failure_of_its_own_item_alone(block: dict[str, t.Any]) -> None:
    (record,) = block["rescue"]
    assert record["resto.golive.evidence"]["items"] == [block["name"].lower()]
    mended = block["block"][0]["ansible.builtin.include_role"]
    (part,) = yaml.safe_load((PLAYBOOKS.parent / "roles" / "postgres" / "tasks" / mended["tasks_from"]).read_text(encoding="utf-8"))
    assert block["name"].lower() in part["tags"]
    assert block["tags"] == part["tags"]


def test_every_part_of_the_postgres_role_has_its_block() -> None:
    whole = yaml.safe_load((PLAYBOOKS.parent / "roles" / "postgres" / "tasks" / "main.yml").read_text(encoding="utf-8"))
    parts = {task["ansible.builtin.include_tasks"]["file"] for task in whole}
    assert {block["block"][0]["ansible.builtin.include_role"]["tasks_from"] for block in FIXES} == parts
