# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's door on the control node: whatever goes wrong between it and the host is an error of every target, never silence."""

from __future__ import annotations

import json
import pathlib
import time
import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ansible_collections.resto.golive.plugins.action.audit import ActionModule
from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils import catalogue, engine, ledger
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Entry

CHECK = CHECKS["redis_persistence"]
ROUTES = [{"request": "POST admin:/login", "rate": "10/m", "burst": 5, "key": "ip"}]
SYSTEM = {
    "golive_environment": "staging",
    "golive_domains": {"admin": "admin.comanda.example"},
    "environment_tls_config_dir": "/etc/letsencrypt",
    "security_rate_limit_routes": ROUTES,
}
GROUPS = {"all": ["h1"], "probe": ["h1"], "edge": ["h1"], "postgres": ["h1"], "redis": ["h1"]}
TARGETS = [("host", "r1"), ("host", "r2")]


class TaskTimeoutError(BaseException):
    """What Ansible's keyword ``timeout`` raises: no ``Exception``, so it is easily missed."""


class Host:
    """The door in front of a host that writes down which checks it is asked for."""

    def __init__(self, module: str = "audit", *, check_mode: bool = False, **arguments: t.Any) -> None:
        self.asked: list[str] = []
        self.door = ActionModule.__new__(ActionModule)
        self.door._task = types.SimpleNamespace(args=arguments, timeout=0, check_mode=check_mode, action=f"resto.golive.{module}", async_val=0, diff=False)
        self.door._connection = types.SimpleNamespace(has_pipelining=False, _shell=types.SimpleNamespace(tmpdir=None))
        self.door._execute_module = self._execute

    def _execute(self, **call: t.Any) -> dict[str, t.Any]:
        self.asked += [entry["check"] for entry in call["module_args"]["checks"]]
        return {"golive": {"rows": []}}

    def run(self, **declared: t.Any) -> dict[str, t.Any]:
        known = {**SYSTEM, **declared}
        return self.door.run(None, {"inventory_hostname": "h1", "groups": GROUPS, "hostvars": {"localhost": known, "h1": known}})


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ({}, True),
        ({"security_rate_limit_impact": "passive"}, False),
        ({"security_impact": "passive"}, False),
        ({"golive_impact": "passive", "security_rate_limit_impact": "active"}, False),
    ],
)
def test_what_an_item_must_not_do_is_not_asked_of_the_host(declared: dict[str, str], sent: bool) -> None:
    host = Host()
    host.run(**declared)
    assert ("rate_limit" in host.asked) is sent
    assert "redis_persistence" in host.asked


@pytest.mark.parametrize(("declared", "acted"), [({}, True), ({"environment_tls_impact": "passive"}, False)])
def test_a_drill_heeds_its_item(declared: dict[str, str], acted: bool) -> None:
    host = Host(drills=True)
    host.run(**declared)
    assert ("tls_renewal_drill" in host.asked) is acted


ACTING = sorted(check.name for check in CHECKS.values() if check.impact != "passive")


@pytest.mark.parametrize("name", ACTING)
def test_a_check_that_acts_is_skipped_under_check_mode_and_proves_nothing(name: str) -> None:
    host = Host(name, check_mode=True)
    result = host.run()
    assert (host.asked, result["golive"]["rows"], result["skipped"], result["changed"]) == ([], [], True, False)
    assert name in result["msg"]
    assert "--check" in result["msg"]


@pytest.mark.parametrize(
    ("drills", "check_mode", "impacts"), [(False, True, {"passive"}), (False, False, {"passive", "active"}), (True, True, set()), (True, False, {"active"})]
)
@pytest.mark.parametrize("most", [{}, {"golive_impact": "disruptive"}])
def test_under_check_mode_only_what_looks_is_asked_of_the_host(drills: bool, check_mode: bool, impacts: set[str], most: dict[str, str]) -> None:
    host = Host(check_mode=check_mode, drills=drills)
    host.run(**most)
    assert {CHECKS[name].impact for name in host.asked} == impacts


def test_a_check_that_looks_still_looks_under_check_mode() -> None:
    host = Host("redis_persistence", check_mode=True)
    assert "skipped" not in host.run(redis_strategy="queue")
    assert host.asked == ["redis_persistence"]


@pytest.mark.parametrize(("module", "whole"), [("audit", False), ("redis_persistence", True)])
def test_a_run_writes_everything_down_and_the_audit_tells_the_gist(tmp_path: pathlib.Path, module: str, whole: bool) -> None:
    """Roles read the evidence of a check that they call by its own name."""
    path = ledger.start(tmp_path, "staging", {"rows": []})
    run = {"golive": {"path": str(path), "environment": "staging", "impact": "passive"}}
    known = {**SYSTEM, "redis_strategy": "queue"}
    door = Host(module).door
    result = door.run(None, {"inventory_hostname": "h1", "groups": GROUPS, "hostvars": {"localhost": known, "h1": known}, engine.RUN_VARIABLE: run})
    told = [one for one in result["golive"]["rows"] if one["check"] == "redis_persistence"]
    written = [line for line in map(json.loads, (path / "h1.jsonl").read_text().splitlines()) if line.get("check") == "redis_persistence"]
    assert [one["status"] for one in told] == ["error"]
    assert ("evidence" in told[0]) is whole
    assert "evidence" in written[0]


def observed(answer: object, check: type[Check] = CHECK, **variables: t.Any) -> list[dict[str, t.Any]]:
    """Return the rows of a door whose host answers, or raises, *answer*."""

    def execute(**_arguments: t.Any) -> object:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    door = ActionModule.__new__(ActionModule)
    door._task = types.SimpleNamespace(args={}, timeout=7)
    door._execute_module = execute
    entry = Entry(check, catalogue.items()[check.items[0]], "r1", {}, TARGETS, None)
    rows, _answer = door._observe([entry], "r1", {}, False, variables)
    return rows


def row(name: str = "r1", status: str = "pass", **changed: t.Any) -> dict[str, t.Any]:
    """Return a row as a host sends it."""
    reason = {"code": "c", "params": {}}
    whole = {"item": "redis.persistence", "check": CHECK.name, "target": {"kind": "host", "name": name}, "status": status, "reason": reason, "evidence": []}
    return {**whole, **changed}


def told(rows: list[dict[str, t.Any]]) -> list[tuple[str, str, str]]:
    return [(one["target"]["name"], one["status"], one["reason"]["code"]) for one in rows]


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
        ({"golive": {"rows": []}}, "error", "common.no_result"),
        ({"golive": {"rows": None}}, "error", "common.no_result"),
        ({"golive": {"rows": "pass"}}, "error", "common.no_result"),
        ({"golive": {"rows": [row("r3"), row(item="postgres.restore"), row(check="restore_drill")]}}, "error", "common.no_result"),
        ({"golive": {"rows": ["pass", {}, row(status="great"), row(reason="fine"), row(evidence=[{}]), row(target="r1")]}}, "error", "common.no_result"),
    ],
)
def test_every_target_has_an_error_of_its_own(answer: object, status: str, code: str) -> None:
    assert told(observed(answer)) == [(name, status, code) for _kind, name in TARGETS]


def test_what_is_missing_of_an_answer_is_an_error_and_the_rest_stands() -> None:
    assert told(observed({"golive": {"rows": [row("r2"), row("r3")]}})) == [("r2", "pass", "c"), ("r1", "error", "common.no_result")]


@pytest.mark.parametrize("answer", [AnsibleConnectionFailure("No route to host"), {"golive": {"rows": []}}])
def test_every_item_of_a_check_has_an_error_of_its_own(answer: object) -> None:
    rows = observed(answer, CHECKS["order_journey"])
    wanted = [(item, name) for _kind, name in TARGETS for item in CHECKS["order_journey"].items]
    assert [(one["item"], one["target"]["name"]) for one in rows] == wanted


@pytest.mark.parametrize(("ahead_s", "skew_ms"), [(3, 3000), (-3, -3000), (3600, None), (-3600, None), (float("nan"), 0)])
def test_when_it_was_is_this_control_node_s_word(ahead_s: float, skew_ms: int | None) -> None:
    before = time.time()
    (one, _missing) = observed({"golive": {"rows": [row(started_at=before + ahead_s)]}}, golive_probe={"golive": {"clock_skew_ms": skew_ms}})
    assert before <= one["started_at"] <= time.time()


def test_a_target_that_the_check_does_not_have_is_misuse() -> None:
    with pytest.raises(AnsibleActionFail, match="has no target 'r9'"):
        Host("redis_persistence", target="r9").run(redis_strategy="queue")


def test_what_is_not_ours_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        observed(KeyboardInterrupt())
