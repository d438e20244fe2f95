# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verdict is asked of, as small as it can be: rows that are asked for, what was seen of them, a manifest, a waiver and a signature that hold."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.resto.golive.plugins.plugin_utils.verdict import Facts

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
FACTS = Facts("v1", {"h1": "machine-1", "h2": "machine-2"})

Dict = dict[str, t.Any]


def row(item: str = "redis.persistence", host: str = "h1", **more: t.Any) -> Dict:
    target = {"host": host, "kind": "host", "name": host}
    return {"item": item, "check": "c", "target": target, "basis": "b", "impact": "passive", "problem": None, "selected": True, **more}


def seen(item: str = "redis.persistence", host: str = "h1", status: str = "pass", age_s: float = 60, **more: t.Any) -> Dict:
    at = (NOW - datetime.timedelta(seconds=age_s)).isoformat()
    machine = FACTS.machines[host]
    base = {"item": item, "check": "c", "target": row(item, host)["target"], "status": status, "basis": "b", "started_at": at}
    return {**base, "machine": machine, "release": "v1", "clock_skew_ms": 0, "reason": {"code": "c.said", "params": {}}, "run_id": "r", **more}


def manifest(*rows: Dict, **fields: t.Any) -> Dict:
    items = {
        one["item"]: {"waivable": True, "max_age_h": 24, "release_bound": False, "attestation": False, "group": "redis", "not_applicable": None, **fields}
        for one in rows or [row()]
    }
    return {"items": items, "rows": list(rows), "hosts_in_play": ["h1", "h2"], "impact": "disruptive", "check_mode": False}


def waiver(**more: t.Any) -> Dict:
    base = {"item": "redis.persistence", "covers": ["fail"], "reason": "r", "owner": "ana", "approver": "luis", "at": "2026-11-20", "expires": "2026-12-20"}
    return {**base, "recorded": {"state": "committed"}, **more}


def attestation(**more: t.Any) -> Dict:
    base = {"item": "redis.persistence", "by": "ana", "role": "lead", "at": "2026-11-20", "expires": "2027-02-18", "evidence": "docs", "statement": "s"}
    return {**base, "recorded": {"state": "no_git"}, **more}
