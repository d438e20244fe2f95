# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When what disturbs others comes: last of all, and without a step of its own where nobody is left to be disturbed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils import joint

ACTED: dict[str, t.Any] = {joint.FIRST_RUN: {"golive": {"rows": [], "joint": {"journey_act": {"sent_at": 1.0}}}}}
IDLE: dict[str, t.Any] = {joint.FIRST_RUN: {"golive": {"rows": [], "joint": {}}}}
SKIPPED: dict[str, t.Any] = {joint.FIRST_RUN: {"skipped": True}}


@pytest.mark.parametrize(
    ("probes", "host", "seen", "step"),
    [
        (["probe1"], "probe1", ACTED, "follow"),
        (["probe1"], "probe1", IDLE, "alone"),
        (["probe1"], "probe1", SKIPPED, "alone"),
        (["probe1"], "probe1", {}, "alone"),
        (["probe1", "probe2"], "probe1", ACTED, "alone"),  # the other may still be sending
        (["probe1"], "db1", ACTED, "alone"),
        ([], "localhost", ACTED, "follow"),
        ([], "db1", ACTED, "alone"),
    ],
)
def test_the_last_step(probes: list[str], host: str, seen: dict[str, t.Any], step: str) -> None:
    hosts = {"localhost": {}, "probe1": {}, "probe2": {}, "db1": {}, host: seen}
    assert joint.last_step(host, {"groups": {"probe": probes, "postgres": ["db1"]}, "hostvars": hosts}) == step


def test_a_host_that_nobody_knows_has_no_second_run() -> None:
    assert joint.last_step("gone", {"groups": {"probe": ["gone"]}, "hostvars": {"localhost": {}}}) == "alone"
