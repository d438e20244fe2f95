# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: how much each row may do, and its memory: what was once to be proven stays so until its retirement is approved."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Inventory, allowed, build, carried

RETIRED = {"host": "r2", "reason": "switched off", "by": "ana@comanda.example", "approver": "luis@comanda.example"}


def inventory(**variables: t.Any) -> Inventory:
    return Inventory({"probe": ["p1"], "all": ["p1"]}, {"localhost": variables, "p1": variables})


@pytest.mark.parametrize(
    ("most", "declared", "limit"),
    [
        ("active", {}, "active"),
        ("active", {"security_rate_limit_impact": "passive"}, "passive"),
        ("active", {"security_impact": "passive"}, "passive"),
        ("active", {"security_impact": "passive", "security_rate_limit_impact": "disruptive"}, "passive"),
        ("passive", {"security_impact": "disruptive", "security_rate_limit_impact": "disruptive"}, "passive"),
        ("disruptive", {"security_impact": "active"}, "active"),
        ("active", {"acceptance_impact": "passive", "security_secret_scan_impact": "passive"}, "active"),
        ("active", {"security_rate_limit_impact": "pasive"}, "passive"),
    ],
)
def test_of_all_impacts_the_strictest_holds(most: str, declared: dict[str, str], limit: str) -> None:
    assert allowed(CHECKS["rate_limit"], "p1", inventory(**declared), most) == limit


def test_a_check_that_acts_once_for_many_items_heeds_the_strictest_of_them() -> None:
    assert allowed(CHECKS["order_journey"], "p1", inventory(acceptance_e2e_order_impact="passive"), "disruptive") == "passive"


@pytest.mark.parametrize(("declared", "beyond"), [({}, False), ({"security_rate_limit_impact": "passive"}, True)])
def test_a_row_says_what_holds_it_back(declared: dict[str, str], beyond: bool) -> None:
    routes = [{"request": "POST admin:/login", "rate": "10/m", "burst": 5, "key": "ip"}]
    known = inventory(security_rate_limit_routes=routes, golive_domains={"admin": "admin.comanda.example"}, **declared)
    built = build(known, lambda _host, _name: {}, environment="staging", impact="active", check_mode=False, tags=[], limit=None, in_play=["p1"])
    rows = [one for one in built["rows"] if one["check"] == "rate_limit" and not one["problem"]]
    assert [(one["beyond_impact"], one["allowed"]) for one in rows] == [(beyond, "passive" if beyond else "active")] * len(rows)
    assert rows


def row(item: str = "environment.tls", host: str = "r2", name: str = "api:443", check: str = "tls_certificate") -> dict[str, t.Any]:
    return {"item": item, "check": check, "target": {"host": host, "kind": "endpoint", "name": name}, "problem": None}


def lost(now: list[dict[str, t.Any]], last: list[dict[str, t.Any]], retired: t.Sequence[dict[str, t.Any]] = ()) -> list[tuple[str, str, str]]:
    """Return item, host and target of what is carried over as reduced scope."""
    rows = carried({"rows": now}, {"rows": last}, retired)["rows"]
    return [(one["item"], one["target"]["host"], one["target"]["name"]) for one in rows if one["problem"] and one["problem"]["code"] == "verdict.scope_reduced"]


@pytest.mark.parametrize(
    "gone",
    [row(host="r1"), row(name="www:443"), row(item="redis.persistence"), row(check="tls_renewal")],
    ids=["a host", "a target", "an item's", "a check"],
)
def test_whatever_is_dropped_is_remembered(gone: dict[str, t.Any]) -> None:
    assert lost([row()], [row(), gone]) == [(gone["item"], gone["target"]["host"], gone["target"]["name"])]


def test_nothing_dropped_is_nothing_remembered() -> None:
    assert lost([row()], [row()]) == []
    assert carried({"rows": [row()]}, None, []) == {"rows": [row()]}


@pytest.mark.parametrize(
    ("entry", "held"),
    [
        (RETIRED, False),
        ({**RETIRED, "item": "environment.tls", "target": "api:443"}, False),
        ({**RETIRED, "host": "r1"}, True),
        ({**RETIRED, "target": "www:443"}, True),
        ({**RETIRED, "approver": "ana@comanda.example"}, True),
        ({**RETIRED, "reason": ""}, True),
        ({name: value for name, value in RETIRED.items() if name != "host"}, True),
    ],
    ids=["a host", "all named", "another host", "another target", "approved by oneself", "no reason", "everything"],
)
def test_only_an_approved_retirement_that_names_it_lets_it_go(entry: dict[str, t.Any], held: bool) -> None:
    assert bool(lost([], [row()], [entry])) is held
