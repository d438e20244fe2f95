# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a host's row to an observation: a host says what it saw, and nothing else."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils.engine import CurrentRun, bare_row, on_our_clock

RUN = CurrentRun({"environment": "staging", "impact": "active", "path": "/runs/r1"})
FACTS = {"machine": "m1", "release": "v1", "clock_skew_ms": 7}


def observation(**said: t.Any) -> dict[str, t.Any]:
    row = {**bare_row("redis.persistence", "redis_persistence", ("host", "h1"), "pass", "c", {}), **said}
    return RUN.observation(row, "h1", mode="audit", basis="b", impact="passive", facts=FACTS)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("basis", "b"),
        ("machine", "m1"),
        ("release", "v1"),
        ("mode", "audit"),
        ("impact", "passive"),
        ("clock_skew_ms", 7),
        ("run_id", "r1"),
        ("environment", "staging"),
        ("row", "observation"),
        ("schema", 1),
    ],
)
def test_a_host_does_not_say_what_its_evidence_counts_for(name: str, ours: t.Any) -> None:
    assert observation(**{name: "its own"})[name] == ours


def test_nothing_that_a_row_does_not_have_is_kept() -> None:
    assert "waiver" not in observation(waiver="its own")
    assert observation(target={"kind": "host", "name": "h1", "host": "h2"})["target"]["host"] == "h1"


@pytest.mark.parametrize(
    ("started", "skew_ms", "counts"),
    [
        (105.0, 0, 105.0),
        (108.0, 3000, 105.0),
        (102.0, -3000, 105.0),
        (99.0, 0, 100.0),
        (111.0, 0, 110.0),
        (105.0, None, 105.0),
        (None, 0, 110.0),
        ("x", 0, 110.0),
    ],
)
def test_a_row_s_time_is_between_the_question_and_the_answer(started: t.Any, skew_ms: int | None, counts: float) -> None:
    assert on_our_clock(started, skew_ms, 100.0, 110.0) == counts
