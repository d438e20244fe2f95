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
