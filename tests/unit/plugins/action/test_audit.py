# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's door on the control node: whatever goes wrong between it and the host is an error of every target, never silence."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.resto.golive.plugins.action.audit import ActionModule
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry

CHECK = CHECKS["redis_persistence"]
TARGETS = [("host", "r1"), ("host", "r2")]


class TaskTimeoutError(BaseException):
    """What Ansible's keyword ``timeout`` raises: no ``Exception``, so it is easily missed."""


def observed(answer: object) -> list[dict[str, t.Any]]:
    """Return the rows of a door whose host answers, or raises, *answer*."""

    def execute(**_arguments: t.Any) -> object:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    door = ActionModule.__new__(ActionModule)
    door._task = types.SimpleNamespace(args={}, timeout=7)
    door._execute_module = execute
    entry = Entry(CHECK, catalogue.items()["redis.persistence"], "r1", {}, TARGETS, None)
    rows, _answer = door._observe([entry], "r1", {}, False, {})
    return rows


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (AnsibleConnectionFailure("No route to host"), "unreachable", "common.host_unreachable"),
        (RuntimeError("boom"), "error", "common.no_result"),
        (TaskTimeoutError(), "error", "common.timeout"),
        ({"failed": True, "msg": "sudo: a password is required"}, "error", "common.no_result"),
        ({"rc": 0, "module_stdout": "no JSON at all"}, "error", "common.no_result"),
        ({"golive": "ok"}, "error", "common.no_result"),
        ({"golive": {}}, "error", "common.no_result"),
        ({}, "error", "common.no_result"),
    ],
)
def test_every_target_has_an_error_of_its_own(answer: object, status: str, code: str) -> None:
    rows = observed(answer)
    assert [(row["target"]["name"], row["status"], row["reason"]["code"]) for row in rows] == [(name, status, code) for _kind, name in TARGETS]


def test_what_is_not_ours_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        observed(KeyboardInterrupt())
