# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where somebody else renews the certificate: what is asked then, from the inventory to the verdict."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils import verdict
from ansible_collections.resto.golive.plugins.plugin_utils.manifest import Inventory, build, carried

NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
ITEM = "environment.tls"
OUTSIDE, EDGE, DRILL = "tls_certificate", "tls_renewal", "tls_renewal_drill"
RETIRED = {"item": ITEM, "host": "edge1", "reason": "a CDN renews", "by": "ana@comanda.example", "approver": "luis@comanda.example"}


def manifest(client: str, *edge: str) -> dict[str, t.Any]:
    """Return the manifest of the item alone, with these hosts on the edge."""
    known = {"golive_domains": {"api": "api.comanda.example"}, "environment_tls_client": client}
    inventory = Inventory({"edge": edge, "all": ["p1", *edge], "probe": ["p1"]}, dict.fromkeys(("localhost", "p1", *edge), known))
    built = build(inventory, lambda _host, _name: {}, environment="staging", impact="active", check_mode=False, tags=[], limit=None, in_play=["p1", *edge])
    return {**built, "items": {ITEM: built["items"][ITEM]}, "rows": [row for row in built["rows"] if row["item"] == ITEM]}


def decided(whole: dict[str, t.Any], **statuses: str) -> tuple[str, str]:
    """Return the verdict and the item's reason, where each check's row has the status given, else a pass."""
    seen = [
        {
            **{name: row[name] for name in ("item", "check", "target", "basis")},
            "status": statuses.get(row["check"], "pass"),
            "reason": {"code": f"said.{row['check']}", "params": {}},
            "started_at": NOW.isoformat(),
            "machine": "",
            "release": "v1",
            "run_id": "r",
        }
        for row in whole["rows"]
        if not row["problem"]
    ]
    decision = verdict.decide(whole, seen, NOW)
    return decision.verdict, decision.items[ITEM].reason.code


@pytest.mark.parametrize(
    ("client", "edge", "checks"),
    [
        ("managed", [], [OUTSIDE]),
        ("managed", ["edge1"], [OUTSIDE, EDGE]),
        ("auto", ["edge1"], [OUTSIDE, EDGE, DRILL]),
        ("caddy", ["edge1"], [OUTSIDE, EDGE, DRILL]),
    ],
)
def test_what_is_asked(client: str, edge: list[str], checks: list[str]) -> None:
    whole = manifest(client, *edge)
    assert sorted(row["check"] for row in whole["rows"]) == sorted(checks)
    assert decided(whole)[0] == verdict.GO


def test_the_edge_is_missed_where_nobody_else_is_said_to_renew() -> None:
    assert decided(manifest("auto")) == (verdict.NO_GO, "verdict.no_hosts")


@pytest.mark.parametrize(("check", "edge"), [(OUTSIDE, []), (OUTSIDE, ["edge1"]), (EDGE, ["edge1"])])
def test_what_is_seen_still_decides(check: str, edge: list[str]) -> None:
    """A lifetime that runs out, and a lineage that contradicts."""
    assert decided(manifest("managed", *edge), **{check: "fail"}) == (verdict.NO_GO, f"said.{check}")


def test_without_a_look_from_outside_nothing_is_proven() -> None:
    assert verdict.decide(manifest("managed"), [], NOW).verdict == verdict.NO_GO


@pytest.mark.parametrize(("edge", "lost"), [(["edge1"], {DRILL}), ([], {DRILL, EDGE})])
def test_who_changes_to_managed_has_another_person_approve_what_is_no_longer_proven(edge: list[str], lost: set[str]) -> None:
    before, after = manifest("auto", "edge1"), manifest("managed", *edge)
    held = carried(after, before, [])
    assert {row["check"] for row in held["rows"] if row["problem"]} == lost
    assert decided(held) == (verdict.NO_GO, "verdict.scope_reduced")
    assert decided(carried(after, before, [RETIRED]))[0] == verdict.GO
