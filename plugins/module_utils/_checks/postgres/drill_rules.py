# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a restore drill is judged, what it needs before it begins, and what its times mean. Pure; ``restore_drill`` alone comes in."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_rules import AGE_FAIL, AGE_WARN, SKEW_S, rpo_minutes
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import walls

#: Space that a copy needs: its size with room for indexes built anew, the fetched archive, and a reserve (research 1.1, P0).
SIZE_FACTOR, RESERVE = 1.15, 1 << 30

#: What must be left on the disk besides: a fifth of it, or this much if that is less.
LEFT_SHARE, LEFT_MOST = 0.2, 10 << 30

#: What the copy or its backup can have wrong, each under its own name.
CODES = {
    "stored_damaged": "restore_drill.stored_damaged",
    "manifest_missing": "restore_drill.manifest_missing",
    "manifest_broken": "restore_drill.manifest_broken",
    "member_missing": "restore_drill.member_missing",
    "member_truncated": "restore_drill.member_truncated",
    "member_changed": "restore_drill.member_changed",
    "member_extra": "restore_drill.member_extra",
    "archive_unreadable": "restore_drill.archive_unreadable",
    "role_missing": "restore_drill.role_missing",
    "restore_refused": "restore_drill.restore_refused",
    "table_missing": "restore_drill.table_missing",
    "table_extra": "restore_drill.table_extra",
    "rows_differ": "restore_drill.rows_differ",
    "partial_by_rls": "restore_drill.partial_by_rls",
    "content_differs": "restore_drill.content_differs",
    "sequence_behind": "restore_drill.sequence_behind",
    "number_taken": "restore_drill.number_taken",
    "extension_differs": "restore_drill.extension_differs",
    "objects_differ": "restore_drill.objects_differ",
    "invariant_differs": "restore_drill.invariant_differs",
    "locale_differs": "restore_drill.locale_differs",
    "collation_differs": "restore_drill.collation_differs",
    "canary_missing": "restore_drill.canary_missing",
    "schema_differs": "restore_drill.schema_differs",
    "structure_broken": "restore_drill.structure_broken",
    "bundle_corrupt": "restore_drill.bundle_corrupt",
    "wal_missing": "restore_drill.wal_missing",
    "wal_corrupt": "restore_drill.wal_corrupt",
    "page_broken": "restore_drill.page_broken",
    "other_cluster": "restore_drill.other_cluster",
    "not_restored": "restore_drill.not_restored",
}

Seen = t.Mapping[str, Json]


def needed_bytes(manifest: Seen) -> int:
    """Return the free space that a drill of this backup needs."""
    return int(manifest["restored_bytes"] * SIZE_FACTOR) + int(manifest["archive_bytes"]) + RESERVE


def missing_bytes(manifest: Seen, total: int, free: int) -> int:
    """Return how many bytes are missing so that the drill can begin and the disk is not left full; 0 when there is room."""
    left = min(int(total * LEFT_SHARE), LEFT_MOST)
    return max(0, needed_bytes(manifest) + left - free)


def judge(seen: Seen, options: Options) -> list[Assertion]:
    """Return the assertions of one drill. What could not be found out is ``error``, never pass."""
    if seen["verdict"] == "inconclusive":
        params = {"phase": seen["failed"], "why": seen["why"]}
        return [Assertion("error", "restore_drill.inconclusive", params, source=seen.get("id", ""))]
    if seen["verdict"] == "fail":
        return [_wrong(seen["id"], one) for one in seen["told"]]
    if not seen["rows"]:  # no table has any, or there is none
        return [Assertion("fail", "restore_drill.empty", {"id": seen["id"]}, "> 0 rows", f"0 in {seen['tables']} tables")]
    if seen["questions"] != options["invariants"]:
        return [Assertion("error", "restore_drill.questions_changed", {"id": seen["id"]}, sorted(options["invariants"]), sorted(seen["questions"]))]
    proven = {"id": seen["id"], "tables": seen["tables"], "rows": seen["rows"], "invariants": seen["invariants"]}
    return [_came(seen, proven), *_rto(seen, options), *_rpo(seen, options), _cage(seen), _steps(seen)]


def _came(seen: Seen, proven: dict[str, Json]) -> Assertion:
    """What holds a copy against what it should be: its manifest, or, with somebody else's backups, only the user's own questions."""
    if not seen.get("unsealed"):
        return Assertion("pass", "restore_drill.proven", proven, source=seen["id"])
    if not seen["invariants"]:
        return Assertion("error", "restore_drill.no_questions", {"id": seen["id"]}, ">= 1 question", 0, "postgres_restore_invariants")
    return Assertion("pass", "restore_drill.came_back", proven, ">= 1 answer", seen["answers"], seen["id"])


def _wrong(name: str, one: Seen) -> Assertion:
    params = {"id": name, "name": one["name"], "wanted": one["wanted"], "found": one["found"]}
    return Assertion("fail", CODES[one["code"]], params, one["wanted"], one["found"])


def rto_s(phases: t.Mapping[str, float]) -> float:
    """Return the seconds from "the server is gone" to "the data is back and looked at"."""
    return round(sum(phases.values()), 1)


def _rto(seen: Seen, options: Options) -> list[Assertion]:
    limit, took = float(options["rto_minutes"]), rto_s(seen["phases"])
    phases = ", ".join(f"{name} {seconds:g} s" for name, seconds in seen["phases"].items())
    params = {"seconds": took, "limit": limit, "phases": phases}
    good = took <= limit * 60
    return [Assertion("pass" if good else "fail", "restore_drill.rto_met" if good else "restore_drill.rto_missed", params, f"<= {limit:g} min", f"{took:g} s")]


def rpo_s(seen: Seen) -> float:
    """Return how much older than the drill's begin the backup is, in seconds: what would be lost."""
    return float(seen["started"] - datetime.datetime.fromisoformat(seen["at"]).timestamp())


def _rpo(seen: Seen, options: Options) -> list[Assertion]:
    """The promise, with the room that a backup's own run gets where its age is judged (``backup_rules``)."""
    age, limit = rpo_s(seen), rpo_minutes(options)
    room = round(limit * AGE_WARN, 1)
    params = {"minutes": round(age / 60, 1), "limit": limit, "room": room}
    expected, observed = f"<= {room:g} min", f"{round(age / 60, 1):g} min"
    if age < -SKEW_S:
        return [Assertion("fail", "restore_drill.future", params, expected, observed)]
    if age > limit * 60 * AGE_FAIL:
        return [Assertion("fail", "restore_drill.rpo_missed", params, expected, observed)]
    if age > limit * 60 * AGE_WARN:
        return [Assertion("warn", "restore_drill.rpo_late", params, expected, observed)]
    return [Assertion("pass", "restore_drill.rpo_met", params, expected, observed)]


def _cage(seen: Seen) -> Assertion:
    """Which walls stood around the copy. Those without which there is no copy all did; others may be missing in a container, and then it is said.

    One that is missing where its like stands is no gift that the host withholds: the drill may then take the memory or the processor that guests need.
    """
    if not seen["walls"]:
        return Assertion("error", "restore_drill.inconclusive", {"phase": "cage", "why": "nobody looked which walls stood"})
    held, absent = ([name for name, stands in seen["walls"].items() if stands is wanted] for wanted in (True, False))
    if lost := walls.lost(seen["walls"]):
        return Assertion("warn", "restore_drill.cage_lost", {"held": ", ".join(held), "lost": ", ".join(lost)}, observed=seen["walls"])
    if absent:
        return Assertion("pass", "restore_drill.cage_partly", {"held": ", ".join(held), "absent": ", ".join(absent)}, observed=seen["walls"])
    return Assertion("pass", "restore_drill.cage_whole", {"held": ", ".join(held)}, observed=seen["walls"])


def _steps(seen: Seen) -> Assertion:
    """What was done, with its times: the runbook is made of this."""
    params = {"count": len(seen["steps"]), "settings": seen["settings"]}
    return Assertion(
        "pass",
        "restore_drill.steps",
        params,
        observed={
            **{name: seen[name] for name in ("phases", "steps", "settings", "server_version", "database", "twice_the_size")},
            "bytes": seen["copy_bytes"],
        },
    )


def extrapolated(history: t.Sequence[Seen], size: int) -> dict[str, Json] | None:
    """Return what a restore of *size* bytes would take, ``{p50_s, p90_s, runs}``, from past drills.

    None from fewer than five, or beyond three times the largest: that would be guessing.
    """
    good = [(run["bytes"], rto_s(run["phases"])) for run in history if run["bytes"] > 0]
    if len(good) < 5 or size > 3 * max(done for done, _seconds in good):
        return None
    rates = sorted(seconds / done for done, seconds in good)
    return {"p50_s": round(rates[len(rates) // 2] * size, 1), "p90_s": round(rates[min(len(rates) - 1, int(len(rates) * 0.9))] * size, 1), "runs": len(good)}
