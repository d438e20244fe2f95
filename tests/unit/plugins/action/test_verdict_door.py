# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict's door: what makes its task fail."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.action import verdict

RUN = {"golive": {"environment": "staging", "impact": "active", "path": "/runs/r1"}}


@pytest.mark.parametrize(
    ("made", "arguments", "fails"),
    [
        ("NO_GO", {}, True),
        ("NO_GO", {"fail_on_no_go": True}, True),
        ("NO_GO", {"fail_on_no_go": "true"}, True),
        ("NO_GO", {"fail_on_no_go": False}, False),
        ("NO_GO", {"fail_on_no_go": "false"}, False),
        ("GO", {}, False),
    ],
)
def test_a_no_go_fails_unless_told_otherwise_in_whatever_words(made: str, arguments: dict[str, t.Any], fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict.terminal, "summary_text", lambda *_any: "")
    monkeypatch.setattr(verdict.ActionModule, "_report", lambda *_any: {"verdict": made, "blockers": [], "summary": {}, "items": []})
    door = verdict.ActionModule.__new__(verdict.ActionModule)
    door._task = types.SimpleNamespace(args=arguments, check_mode=True, async_val=0, action="resto.golive.verdict", diff=False)
    door._connection = types.SimpleNamespace(has_pipelining=False, _shell=types.SimpleNamespace(tmpdir=None))
    assert door.run(None, {"golive_run": RUN}).get("failed", False) is fails
