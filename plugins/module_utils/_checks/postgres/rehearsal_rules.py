# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``migration_rehearsal`` judges what a migration did on a copy: pure functions. Only that check comes in."""

from __future__ import annotations

import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options

Seen = t.Mapping[str, Json]

#: Rows that a migration may take away on its way up and down: a tool's own table loses the row of what was taken back.
OWN_TABLES = frozenset(
    {"alembic_version", "schema_migrations", "flyway_schema_history", "_prisma_migrations", "knex_migrations", "migrations", "django_migrations"}
)


def judge(seen: Seen, options: Options) -> list[Assertion]:
    """Return what holds and what does not."""
    found: list[Assertion] = []
    for step in seen["steps"]:
        found += _step(step, options)
    if seen["untried"]:
        names = ", ".join(seen["untried"][:8])
        found.append(_say("error", "untried", "repository", [], seen["untried"][:8], count=len(seen["untried"]), names=names))
    elif not seen["steps"]:
        found.append(_say("pass", "nothing_pending", "repository", 0, 0, backup=seen["backup"]))
    return sorted(found, key=lambda assertion: assertion.status != "fail")


def _say(status: str, code: str, source: str, expected: Json, observed: Json, **params: Json) -> Assertion:
    return Assertion(status, f"migration_rehearsal.{code}", params, expected=expected, observed=observed, source=source)


def _step(step: Seen, options: Options) -> t.Iterator[Assertion]:
    ways = [("up", step["up"]), ("down", step["down"]), ("again", step["again"])]
    if not step["pending"]:
        ways = [("down", step["up"]), ("up", step["down"])]
    for way, taken in ways:
        if taken is None:
            continue
        if taken["failed"] is not None:
            yield _say("fail", "failed", step["id"], None, taken["failed"], id=step["id"], way=way, message=taken["failed"])
            return
        # Who goes back does so in an emergency; what counts is the way that a release takes.
        if way == "up":
            yield from _way(step["id"], taken, options)
    if step["pending"] and step["down"] is None:
        yield _say("warn", "no_way_back", step["id"], "a way back", None, id=step["id"])
    elif step["pending"]:
        yield from _back(step, "left", "back")
        yield from _back(step, "other", "same_again")
    else:
        yield from _back(step, "left", "back")
    gone = {name: rows for name, rows in (step.get("lost") or {}).items() if name.rpartition(".")[2] not in OWN_TABLES}
    if gone:
        name = sorted(gone)[0]
        yield _say("fail", "rows_lost", step["id"], {}, gone, id=step["id"], table=name, before=gone[name][0], after=gone[name][1])


def _way(name: str, taken: Seen, options: Options) -> t.Iterator[Assertion]:
    """Hold one way up against what guests would have waited."""
    params = {"id": name, "seconds": taken["seconds"], "wal_mb": round(taken["wal_bytes"] / 1e6, 1), "disk_mb": round(taken["disk_peak_bytes"] / 1e6, 1)}
    slowest: Seen = max(taken["statements"], key=lambda one: one["seconds"], default={"sql": "", "seconds": 0})
    for who in ("readers", "writers"):
        waited = taken["blocked"][who]
        longest = max((one["seconds"] for one in taken["locks"] if one["keeps"] == who), default=0.0)
        seconds = max(waited["seconds"], longest)
        table = waited["table"] or next((one["table"] for one in taken["locks"] if one["keeps"] == who), "")
        blocks = seconds > options["blocked_s"]
        code = f"{who}_wait" if blocks else f"{who}_pass"
        yield _say("fail" if blocks else "pass", code, name, options["blocked_s"], seconds, id=name, seconds=seconds, table=table, limit=options["blocked_s"],
                   sql=slowest["sql"][:120])  # fmt: skip
    large = [one for one in taken["rewritten"] if one["bytes"] > options["rewrite_mb"] * 1e6]
    if large:
        yield _say("fail", "rewrites", name, [], [one["table"] for one in large], id=name, table=large[0]["table"], megabytes=round(large[0]["bytes"] / 1e6))
    slow = taken["seconds"] > options["total_s"]
    yield _say("fail" if slow else "pass", "too_long" if slow else "took", name, options["total_s"], taken["seconds"], limit=options["total_s"], **params)


def _back(step: Seen, part: str, code: str) -> t.Iterator[Assertion]:
    difference = step.get(part)
    if difference is None:
        return
    names = [f"{sign}{name}" for sign, key in (("+", "added"), ("-", "removed"), ("~", "changed")) for name in difference[key]]
    status = "fail" if names else "pass"
    yield _say(status, f"{code}_not" if names else code, step["id"], [], names[:8], id=step["id"], names=", ".join(names[:8]))
