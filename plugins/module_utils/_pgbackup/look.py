# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is: local copies and their damage, the history, the second place, and the live cluster's own word. Changes nothing."""

from __future__ import annotations

import fcntl
import os
import pathlib
import time
import typing as t

from . import dump, files, manifest, offsite
from .programs import Failed

Json = t.Any

#: Databases that somebody may work with and that a dump of this one does not hold. ``postgres`` is everybody's way in, and comes with the cluster.
BESIDE = """
select datname as name from pg_database
 where datallowconn and not datistemplate and datname not in (current_database(), 'postgres') order by datname
"""


def look(config: t.Mapping[str, Json], *, digests: bool = True) -> dict[str, Json]:
    """Return plain JSON. A part that cannot be seen says so in its own ``refused`` and leaves the others alone."""
    directory = pathlib.Path(config["directory"])
    names = files.listed(directory)
    return {
        "now": time.time(),
        "copies": names,
        "newest": _newest(directory, names[0], digests) if names else None,
        "history": files.history(directory)[-60:],
        "running_s": running(directory),
        "mode": oct(directory.stat().st_mode & 0o777) if directory.is_dir() else None,
        "live": _live(config),
        "offsite": _offsite(config),
    }


def _newest(directory: pathlib.Path, name: str, digests: bool) -> dict[str, Json]:
    """Return the newest copy's manifest, in short, and its damage."""
    folder = directory / name
    try:
        made = files.read_manifest(folder)
    except FileNotFoundError:
        return {"id": name, "manifest": "missing"}
    except (OSError, ValueError, KeyError, AttributeError) as problem:
        return {"id": name, "manifest": "broken", "why": str(problem)[:200]}
    damage = files.damage(folder, made, digests=digests)
    globals_sql = folder / "globals.sql"
    roles = files.roles_in(globals_sql.read_text(encoding="utf-8")) if globals_sql.is_file() else set()
    kept = ("id", "at", "system_identifier", "server_version", "restored_bytes", "archive_bytes", "schema_hash", "source", "schema")
    return {
        **{key: made[key] for key in kept},
        "manifest": "whole",
        "tables": len(made["tables"]),
        "rows": sum(table["rows"] for table in made["tables"].values()),
        "broken_invariants": {name: answer["error"] for name, answer in made["invariants"].items() if isinstance(answer, dict)},
        "damage": damage,
        "roles_missing": sorted(set(made["roles"]) - roles),
    }


def running(directory: pathlib.Path) -> float | None:
    """Return for how many seconds a job has been at work, or None."""
    try:
        with (directory / files.LOCK).open("r") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return max(0.0, time.time() - _since(handle))
    except FileNotFoundError:
        return None
    return None


def _since(handle: t.IO[str]) -> float:
    """Return since when the lock is held: it says so itself, but for the moment in which it is being written."""
    try:
        return float(handle.read())
    except ValueError:
        return os.fstat(handle.fileno()).st_mtime


def _live(config: t.Mapping[str, Json]) -> dict[str, Json]:
    try:
        with dump.connect(config) as session:
            session.read_only = True
            role = manifest.row(session, "select rolname as name, rolbypassrls as bypasses, rolsuper as super from pg_roles where rolname = current_user")
            identity = manifest.row(session, "select system_identifier::text as id from pg_control_system()")
            size = manifest.row(session, "select pg_database_size(current_database()) as bytes")
            beside = [str(one["name"]) for one in manifest.rows(session, BESIDE)]
            return {**role, "system_identifier": identity["id"], "bytes": int(size["bytes"]), "beside": beside}
    except Failed as problem:
        return {"refused": str(problem)}


def _offsite(config: t.Mapping[str, Json]) -> dict[str, Json]:
    if not config.get("offsite"):
        return {"declared": False}
    try:
        return {"declared": True, "stored": offsite.stored(config)[:200]}
    except offsite.Refused as problem:
        return {"declared": True, "refused": problem.name, "why": str(problem)}
