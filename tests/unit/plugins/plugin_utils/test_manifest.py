# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest's memory: what was once to be proven stays so until its retirement is approved."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.resto.golive.plugins.plugin_utils.manifest import carried

RETIRED = {"host": "r2", "reason": "switched off", "by": "ana@comanda.example", "approver": "luis@comanda.example"}


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
