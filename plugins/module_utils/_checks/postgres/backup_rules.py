# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How backups are judged: pure, from what ``postgres_backup`` saw. Only that check comes in."""

from __future__ import annotations

import datetime
import statistics
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import second_place
from ansible_collections.resto.golive.plugins.module_utils._pgbackup import files, offsite

#: RPO in minutes where nobody promises one: what an hourly dump and archived WAL can hold (research: pg_dump's RPO is its interval).
DEFAULT_RPO = {"dump": 60.0, "pgbackrest": 15.0}

#: Below this RPO a dump cannot keep the promise: WAL has to be archived.
DUMP_RPO_LEAST = 60.0

#: Age of the newest backup, as a multiple of the RPO: a run takes its time, and one that was missed is a fault.
AGE_WARN, AGE_FAIL = 1.2, 2.0

#: A clock may be off by this much, in seconds; a backup from further in the future has a wrong date, and no age.
SKEW_S = 120

#: Size against the median of up to seven runs before it; fewer than three say nothing yet.
RUNS, RUNS_LEAST = 7, 3
GROWTH_WARN = 2.0

#: A backup that runs longer than this many RPOs hangs.
RUNNING_FAIL = 1.0

#: Directory modes that let nobody else in.
PRIVATE = ("0o700", "0o500")

OFFSITE_REFUSED = {
    "password_rotated": "postgres_backup.password_rotated",
    "no_repository": "postgres_backup.no_repository",
    "login_refused": "postgres_backup.login_refused",
    "host_key": "postgres_backup.host_key",
    "keys_refused": "postgres_backup.keys_refused",
    "unreachable": "postgres_backup.offsite_unreachable",
    "full": "postgres_backup.offsite_full",
    "locked": "postgres_backup.offsite_locked",
}

#: Why an attempt failed, where that has a text of its own.
ATTEMPT = {"locked": "postgres_backup.offsite_locked", "no_room": "postgres_backup.last_no_room"}

DAMAGE = {
    "member_missing": "postgres_backup.member_missing",
    "member_truncated": "postgres_backup.member_truncated",
    "member_changed": "postgres_backup.member_changed",
    "member_extra": "postgres_backup.member_extra",
}

Seen = t.Mapping[str, Json]


def rpo_minutes(options: Options) -> float:
    return float(options.get("rpo_minutes") or DEFAULT_RPO.get(options["engine"], DUMP_RPO_LEAST))


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def minutes(seconds: float) -> float:
    return round(seconds / 60, 1)


def judge(seen: Seen, options: Options) -> list[Assertion]:
    if not seen["installed"]:
        return [Assertion("fail", "postgres_backup.none", {"directory": options["directory"]}, source="/etc/golive/backup.json")]
    told = [_promise(options), *_program(seen), *_access(seen), *_beside(seen, options), *_private(seen)]
    newest = seen["newest"]
    if newest is None:
        return [*told, *_running(seen, options), *_last(seen), Assertion("fail", "postgres_backup.no_backup", {"directory": options["directory"]}, "1", "0")]
    if newest["manifest"] != "whole":
        code = "postgres_backup.manifest_missing" if newest["manifest"] == "missing" else "postgres_backup.manifest_broken"
        return [*told, Assertion("fail", code, {"id": newest["id"], "why": newest.get("why", "")}), *_offsite(seen, options)]
    return [
        *told,
        *_age(seen, options),
        *_running(seen, options),
        *_last(seen),
        *_whole(newest),
        *_cluster(seen),
        *_size(seen, options),
        *_offsite(seen, options),
    ]


def _promise(options: Options) -> Assertion:
    rpo = rpo_minutes(options)
    if options["engine"] == "dump" and rpo < DUMP_RPO_LEAST:
        return Assertion("fail", "postgres_backup.rpo_beyond_engine", {"rpo": rpo, "least": DUMP_RPO_LEAST}, f">= {DUMP_RPO_LEAST:g} min", f"{rpo:g} min")
    return Assertion("pass", "postgres_backup.rpo_possible", {"rpo": rpo})


def _program(seen: Seen) -> list[Assertion]:
    if seen["outdated"]:
        return [Assertion("fail", "postgres_backup.program_differs", {"files": ", ".join(seen["outdated"])}, source="/usr/local/lib/golive")]
    return []


def _access(seen: Seen) -> list[Assertion]:
    """What the role may do: too little makes a partial backup or none, too much is a second superuser."""
    live = seen["live"]
    if "refused" in live:
        return [Assertion("fail", "postgres_backup.live_refused", {"why": live["refused"]}, source="golive_backup")]
    if not live["bypasses"]:
        return [Assertion("fail", "postgres_backup.no_bypassrls", {"role": live["name"]}, "BYPASSRLS", "NOBYPASSRLS", "pg_roles")]
    if live["super"]:
        return [Assertion("warn", "postgres_backup.superuser", {"role": live["name"]}, "NOSUPERUSER", "SUPERUSER", "pg_roles")]
    if seen["access_missing"]:
        return [Assertion("fail", "postgres_backup.access_missing", {"statements": "; ".join(seen["access_missing"])}, source="pg_roles")]
    return [Assertion("pass", "postgres_backup.role_sees_all", {"role": live["name"]}, "BYPASSRLS", "BYPASSRLS", "pg_roles")]


def _beside(seen: Seen, options: Options) -> list[Assertion]:
    """A dump is of one database. What else the cluster holds, somebody must have said to need no backup."""
    if "refused" in seen["live"]:
        return []  # said already
    declared = set(options.get("left_out") or ())
    open_ones, said = ([one for one in seen["live"]["beside"] if (one in declared) is wanted] for wanted in (False, True))
    told = [Assertion("warn", "postgres_backup.databases_beside", {"databases": ", ".join(open_ones)}, [], open_ones, "pg_database")] if open_ones else []
    return told + ([Assertion("pass", "postgres_backup.left_out", {"databases": ", ".join(said)}, said, said, "postgres_backups_left_out")] if said else [])


def _private(seen: Seen) -> list[Assertion]:
    if seen["mode"] in PRIVATE:
        return []
    return [Assertion("fail", "postgres_backup.readable_by_others", {"mode": str(seen["mode"])}, "0o700", seen["mode"])]


def _age(seen: Seen, options: Options) -> list[Assertion]:
    rpo = rpo_minutes(options)
    age = seen["now"] - moment(seen["newest"]["at"])
    params = {"id": seen["newest"]["id"], "minutes": minutes(age), "rpo": rpo}
    expected, observed = f"<= {rpo:g} min", f"{minutes(age)} min"
    if age < -SKEW_S:
        return [Assertion("fail", "postgres_backup.future", {**params, "minutes": minutes(-age)}, expected, observed)]
    if age > rpo * 60 * AGE_FAIL:
        return [Assertion("fail", "postgres_backup.too_old", params, expected, observed)]
    if age > rpo * 60 * AGE_WARN:
        return [Assertion("warn", "postgres_backup.late", params, expected, observed)]
    return [Assertion("pass", "postgres_backup.fresh", params, expected, observed)]


def _running(seen: Seen, options: Options) -> list[Assertion]:
    running, limit = seen["running_s"], rpo_minutes(options) * 60 * RUNNING_FAIL
    if running is None:
        return []
    params = {"minutes": minutes(running), "limit": minutes(limit)}
    if running > limit:
        return [Assertion("fail", "postgres_backup.running_too_long", params, f"<= {minutes(limit)} min", f"{minutes(running)} min")]
    return [Assertion("pass", "postgres_backup.running", params)]


def _last(seen: Seen) -> list[Assertion]:
    last = seen["history"][-1] if seen["history"] else None
    if last is None or last["ok"]:
        return []
    params = {"at": last["started_at"], "phase": last.get("phase", "?"), "why": last.get("why", "?"), "repository": seen["repository"]}
    return [Assertion("fail", ATTEMPT.get(last.get("name", ""), "postgres_backup.last_failed"), params, source="history.jsonl")]


def comparable(made: Seen) -> list[Assertion]:
    """Another version of the program, an older one as a rule, may have written other figures down: nobody can hold a copy against them."""
    if made["schema"] == files.SCHEMA:
        return []
    return [Assertion("fail", "postgres_backup.manifest_older", {"id": made["id"]}, files.SCHEMA, made["schema"], "manifest.json")]


def _whole(newest: Seen) -> list[Assertion]:
    told = [
        Assertion(
            "fail", DAMAGE[one["code"]], {"id": newest["id"], "name": one["name"], "wanted": one["wanted"], "found": one["found"]}, one["wanted"], one["found"]
        )
        for one in newest["damage"]
    ]
    if newest["roles_missing"]:
        told.append(Assertion("fail", "postgres_backup.role_missing", {"id": newest["id"], "roles": ", ".join(newest["roles_missing"])}, source="globals.sql"))
    for name, why in newest["broken_invariants"].items():
        told.append(Assertion("fail", "postgres_backup.invariant_broken", {"name": name, "why": why}, source="postgres_restore_invariants"))
    told += comparable(newest)
    if not told:
        params = {"id": newest["id"], "tables": newest["tables"], "rows": newest["rows"]}
        told.append(Assertion("pass", "postgres_backup.whole", params, source="manifest.json"))
    return told


def _cluster(seen: Seen) -> list[Assertion]:
    ours, theirs = seen["live"].get("system_identifier"), seen["newest"]["system_identifier"]
    if ours is not None and ours != theirs:
        return [Assertion("fail", "postgres_backup.other_cluster", {"id": seen["newest"]["id"], "ours": ours, "theirs": theirs}, ours, theirs)]
    return []


def _size(seen: Seen, options: Options) -> list[Assertion]:
    good = [line["archive_bytes"] for line in seen["history"] if line["ok"] and line["id"] != seen["newest"]["id"]][-RUNS:]
    if len(good) < RUNS_LEAST:
        return [Assertion("pass", "postgres_backup.size_unknown", {"runs": len(good), "least": RUNS_LEAST})]
    median, size = statistics.median(good), seen["newest"]["archive_bytes"]
    params = {"size": size, "median": int(median), "percent": round(100 * size / median)}
    if size < median * options["size_share_min"]:
        return [Assertion("fail", "postgres_backup.shrunk", params, f">= {options['size_share_min']:g} x {int(median)}", size)]
    if size > median * GROWTH_WARN:
        return [Assertion("warn", "postgres_backup.grown", params, f"<= {GROWTH_WARN:g} x {int(median)}", size)]
    return [Assertion("pass", "postgres_backup.size_usual", params)]


def _offsite(seen: Seen, options: Options) -> list[Assertion]:
    place, where = seen["offsite"], seen["repository"]
    if not place["declared"] or not where:
        return [Assertion("fail", "postgres_backup.no_second_place", {}, source="postgres_backups_repository")]
    lies = second_place.where(where, seen["place"])
    if lies == "here":
        return [Assertion("fail", "postgres_backup.same_host", {"repository": where}, "another machine", where)]
    if seen["keys_missing"]:
        return [Assertion("fail", "postgres_backup.keys_undeclared", {"repository": where}, source="postgres_backups_access_key")]
    if not seen["password_current"]:
        return [Assertion("fail", "postgres_backup.password_differs", {"repository": where}, source="/etc/golive/backup.password")]
    if "refused" in place:
        code = OFFSITE_REFUSED.get(place["refused"], "postgres_backup.offsite_refused")
        return [Assertion("fail", code, {"repository": where, "why": place["why"]}, source="restic snapshots")]
    if lies == "unseen":
        return [Assertion("error", "postgres_backup.place_unseen", {"repository": where}, "another machine", where)]
    return _carried(seen, options)


def _carried(seen: Seen, options: Options) -> list[Assertion]:
    where, stored = seen["repository"], seen["offsite"]["stored"]
    gone = offsite.unlisted(seen["history"], stored)
    if gone:
        params = {"repository": where, "id": gone, "copies": len(stored)}
        return [Assertion("fail", "postgres_backup.offsite_unlisted", params, gone, [one["id"] for one in stored[:3]], "restic snapshots")]
    if not stored:
        return [Assertion("fail", "postgres_backup.offsite_empty", {"repository": where}, source="restic snapshots")]
    ours, theirs = seen["live"].get("system_identifier"), stored[0]["system_identifier"]
    if ours is not None and ours != theirs:
        return [Assertion("fail", "postgres_backup.other_cluster", {"id": stored[0]["id"], "ours": ours, "theirs": theirs}, ours, theirs, "restic snapshots")]
    taken = datetime.datetime.strptime(stored[0]["id"].partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC).timestamp()
    age, rpo = seen["now"] - taken, rpo_minutes(options)
    params = {"repository": where, "id": stored[0]["id"], "minutes": minutes(age), "rpo": rpo, "copies": len(stored)}
    if age < -SKEW_S:
        return [Assertion("fail", "postgres_backup.future", {**params, "minutes": minutes(-age)}, source="restic snapshots")]
    if age > rpo * 60 * AGE_FAIL:
        return [Assertion("fail", "postgres_backup.offsite_too_old", params, f"<= {rpo * AGE_FAIL:g} min", f"{minutes(age)} min", "restic snapshots")]
    return [Assertion("pass", "postgres_backup.offsite", params, source="restic snapshots")]
