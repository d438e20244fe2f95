# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is with the engine ``pgbackrest``: the repository, gaps in the archived WAL, and how the live cluster archives. Changes nothing."""

from __future__ import annotations

import pathlib
import time
import typing as t

from . import dump, files, manifest, pgbackrest, pitr
from .look import running
from .programs import Failed

Json = t.Any
Config = t.Mapping[str, Json]

ARCHIVER = """
select last_archived_wal, extract(epoch from last_archived_time)::float as last_archived, extract(epoch from last_failed_time)::float as last_failed,
  last_failed_wal from pg_stat_archiver
"""
#: Segments that wait for the archiver, and since when the first of them does.
READY = "select count(*) as waiting, extract(epoch from min(modification))::float as since from pg_ls_archive_statusdir() where name like '%.ready'"
SETTINGS = ("archive_mode", "archive_command", "archive_timeout", "archive_library")


def _repository(config: Config, last_archived: str | None) -> dict[str, Json]:
    """Return what pgBackRest says, in parts of which each may be refused by itself. *last_archived* is what the server takes for archived."""
    try:
        stanza, unknown = pgbackrest.info(config)
        seen: dict[str, Json] = {"stanza": stanza, "unknown_options": {name: pgbackrest.since(name) for name in unknown}}
    except Failed as problem:
        return {"refused": getattr(problem, "name", "other"), "why": str(problem)}
    try:
        segments = _archived(config, stanza)
        seen["gaps"] = _gaps(config, stanza, segments)
        seen["dropped"] = last_archived if last_archived and pgbackrest.segment(last_archived) not in segments else ""
    except Failed as problem:
        seen["gaps_refused"] = str(problem)
    return seen


def _oldest(stanza: t.Mapping[str, Json]) -> str:
    """Return the segment with which the oldest backup begins; empty without a backup."""
    return min((str(one["archive"]["start"]) for one in stanza["backup"]), default="")


def _archived(config: Config, stanza: t.Mapping[str, Json]) -> t.Collection[str]:
    return pgbackrest.archived(config, pitr.archive_id(stanza)) if stanza["backup"] else ()


def _gaps(config: Config, stanza: t.Mapping[str, Json], segments: t.Collection[str]) -> list[str]:
    oldest = _oldest(stanza)
    if not oldest:
        return []
    missing = pgbackrest.gaps(segments, oldest, int(config.get("wal_segment_bytes") or 1 << 24))[:20]
    if missing:
        # Between the two questions pgBackRest may have expired that backup, and then its segments, which nothing needs any more.
        later, _unknown = pgbackrest.info(config)
        if _oldest(later) != oldest:
            return _gaps(config, later, _archived(config, later))
    return missing


def look(config: Config) -> dict[str, Json]:
    """Return plain JSON. A part that cannot be seen says so in its own ``refused`` and leaves the others alone."""
    directory = pathlib.Path(config["directory"])
    names = files.listed(directory)
    # The archiver before the repository: what it has done by then must be there.
    live = _live(config)
    try:
        version = pgbackrest.version(config)
    except Failed as problem:
        version = f"? ({problem})"
    return {
        "engine": "pgbackrest",
        "now": time.time(),
        "version": version,
        "repositories": pgbackrest.repositories(config),
        "manifest": _manifest(directory / names[0]) if names else None,
        "history": files.history(directory)[-60:],
        "running_s": running(directory),
        "mode": oct(directory.stat().st_mode & 0o777) if directory.is_dir() else None,
        "live": live,
        **_repository(config, live.get("archiver", {}).get("last_archived_wal")),
    }


def _manifest(folder: pathlib.Path) -> dict[str, Json]:
    """Return the newest manifest in short: without one, nobody can tell whether what comes back is right."""
    try:
        made = files.read_manifest(folder)
    except files.BROKEN as problem:
        return {"id": folder.name, "broken": str(problem)[:200]}
    errors = {name: answer["error"] for name, answer in made["invariants"].items() if isinstance(answer, dict)}
    return {
        **{key: made[key] for key in ("id", "label", "at", "schema")},
        "broken_invariants": errors,
        "damage": files.damage(folder, made),
    }


def _live(config: Config) -> dict[str, Json]:
    try:
        with dump.connect(config, "postgres") as session:
            session.read_only = True
            rows = manifest.rows(session, "select name, setting, pending_restart from pg_settings where name = any(%s)", (list(SETTINGS),))
            written = manifest.rows(session, "select name, setting from pg_file_settings where name = 'archive_mode' and setting = 'on'")
            return {
                "system_identifier": str(manifest.row(session, "select system_identifier::text as id from pg_control_system()")["id"]),
                "settings": {one["name"]: one["setting"] for one in rows},
                "waits_for_restart": bool(written) or any(one["pending_restart"] for one in rows),
                "wanted": pitr.wanted(config),
                "archiver": manifest.row(session, ARCHIVER),
                "ready": manifest.row(session, READY),
            }
    except Failed as problem:
        return {"refused": str(problem)}
