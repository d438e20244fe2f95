# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore drills that the sealed ledger remembers, as the report draws them and the runbook is written from them. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils import texts
from ansible_collections.resto.golive.plugins.plugin_utils.verdict import moment

Json = t.Any
Row = t.Mapping[str, Json]

CHECK = "restore_drill"

#: A report carries this many drills of a host; the ledger has them all.
KEPT = 60


def restores(observations: t.Iterable[Row]) -> list[dict[str, Json]]:
    """Return the newest drills of each host, oldest first (schema: docs/architecture.md). The newest that passed of each host carries its steps."""
    mine = [seen for seen in observations if seen["check"] == CHECK and seen["mode"] == "drill"]
    by_host: dict[str, list[dict[str, Json]]] = {}
    for seen in sorted(mine, key=lambda row: (moment(row["started_at"]), str(row["run_id"]))):
        by_host.setdefault(str(seen["target"]["host"]), []).append(_drill(seen))
    return [drill for host in sorted(by_host) for drill in _kept(by_host[host])]


def _kept(drills: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Return the newest of *drills*, and the newest that passed however old it is; that one alone keeps its steps."""
    passed = [place for place, drill in enumerate(drills) if drill["status"] == "pass" and drill["steps"]]
    newest = passed[-1] if passed else None
    first = len(drills) - KEPT
    return [{**drill, "steps": drill["steps"] if place == newest else []} for place, drill in enumerate(drills) if place >= first or place == newest]


def _drill(seen: Row) -> dict[str, Json]:
    """Return one drill. What it did not come to measure is None."""
    said = {str(piece["assertion"]).removeprefix(f"{CHECK}."): piece for piece in seen["evidence"]}
    measured = (said["steps"]["observed"] or {}) if "steps" in said else {}

    def params(*codes: str) -> dict[str, Json]:
        return next((dict(said[code]["params"]) for code in codes if code in said), {})

    proven, rto, rpo = params("proven", "came_back"), params("rto_met", "rto_missed"), params("rpo_met", "rpo_late", "rpo_missed")
    return {
        "host": seen["target"]["host"],
        "run_id": seen["run_id"],
        "at": seen["started_at"],
        "status": seen["status"],
        "reason": {"code": seen["reason"]["code"], "text": texts.render(seen["reason"]["code"], seen["reason"]["params"])},
        "backup": proven.get("id"),
        **{name: proven.get(name) for name in ("tables", "rows", "invariants")},
        "rto_s": rto.get("seconds"),
        "rto_limit_min": rto.get("limit"),
        "rpo_min": rpo.get("minutes"),
        "rpo_limit_min": rpo.get("limit"),
        **{name: measured.get(name) for name in ("bytes", "settings", "database", "server_version", "twice_the_size")},
        "phases": measured.get("phases") or {},
        "steps": measured.get("steps") or [],
    }
