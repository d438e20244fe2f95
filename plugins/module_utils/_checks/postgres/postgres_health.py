# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postgres.monitoring``: how the server is right now, read in one read-only session. That somebody would be told: ``postgres_alerts``.

Here: what is asked and what is seen. What is asked in SQL: ``health_queries``. How it is judged, and by which limits: ``health_rules``.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

from ansible_collections.resto.golive.plugins.module_utils import _postgres
from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import health_queries as sql
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres import health_rules

#: How long one statement may take, in seconds: catalogues answer in milliseconds, and a look must never be the load.
STATEMENT_S = 5.0

#: A data directory is the server's if it started no later than this after the process that its pid file names, in seconds. It takes that moment last, when
#: it has its memory and its sockets, and on a disk that is slow to confirm what it wrote that takes a while. The file has whole seconds, hence the other one.
STARTS_WITHIN_S, EARLIEST_S = 60.0, -1.0


def limit_options() -> dict[str, dict[str, t.Any]]:
    """Return one option for each limit: [warning, failure]."""
    return {
        name: {"type": "list", "elements": "float", "default": list(limits), "example": f"postgres_monitoring_{name}: [{limits[0]:g}, {limits[1]:g}]"}
        for name, limits in health_rules.LIMITS.items()
    }


class PostgresHealth(Check):
    """One target: the server that the options name."""

    name = "postgres_health"
    items = ("postgres.monitoring",)
    vantage = "postgres"
    runs_as = "postgres"
    timeout_s = 60.0
    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **_postgres.CONNECTION,
        "pools_max": {"type": "int", "example": "postgres_monitoring_pools_max: 60   # what all the app's pools may open together"},
        "long_applications": {
            "type": "list",
            "elements": "str",
            "default": ["pg_dump", "pg_basebackup", "golive-backup"],
            "example": "postgres_monitoring_long_applications: [pg_dump, reports]",
        },
        **limit_options(),
    }

    def observe(self, ctx: Context) -> dict[str, Json]:
        with _postgres.connect(ctx.options, ctx.secrets, statement_s=STATEMENT_S, application="golive-health") as session:
            return look(session, ctx.options)

    def judge(self, seen: dict[str, Json], options: Options) -> list[Assertion]:
        return health_rules.judge(seen, options)


def look(session: _postgres.Session, options: Options) -> dict[str, Json]:
    """Return everything in one snapshot. A part that is refused says so in ``refused`` and leaves the others alone."""
    seen: dict[str, Json] = session.row(sql.IDENTITY)
    if not seen["sees_all"]:
        raise CannotKnow("postgres_health.no_pg_monitor", user=options["user"], where=f"{options['host']}:{options['port']}")
    settings = session.rows(sql.SETTINGS, [list(sql.SETTING_NAMES)])
    seen["settings"] = {row["name"]: row["setting"] for row in settings}
    seen["pending_restart"] = [row["name"] for row in settings if row["pending_restart"]]
    seen["refused"] = {}
    for part, statement in _statements(seen).items():
        parameters = [list(options["long_applications"])] if part == "longest" else None
        try:
            rows = session.rows(statement, parameters)
        except CannotKnow as problem:
            if problem.status == "unreachable":
                raise
            seen["refused"][part] = {"code": problem.code, "params": problem.params, "status": problem.status}
        else:
            seen[part] = rows[0] if part in sql.SINGLE or part == "archiver" else rows
    seen["disks"], seen["disks_unseen"] = _disks(seen, options)
    return seen


def _statements(seen: t.Mapping[str, Json]) -> dict[str, str]:
    """Return the statements for this version and these settings, in their order."""
    since = "l.waitstart" if seen["version"] >= 140000 else "a.state_change"
    wanted = {**sql.PARTS, "longest": sql.LONGEST, "waiting": sql.WAITING.format(since=since)}
    if seen["settings"].get("archive_mode") in ("on", "always"):
        wanted["archiver"] = sql.ARCHIVER
    return wanted


def _disks(seen: t.Mapping[str, Json], options: Options) -> tuple[list[dict[str, Json]] | None, str]:
    """Return the file systems under the server's data, its WAL and its tablespaces, each once; or None, and why they cannot be seen."""
    directory = pathlib.Path(seen["settings"].get("data_directory", ""))
    try:
        started = float((directory / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()[2])
    except (OSError, ValueError, IndexError) as problem:
        return None, f"{directory}: {getattr(problem, 'strerror', None) or 'no pid file'}"
    if not EARLIEST_S <= seen["started"] - started <= STARTS_WITHIN_S:
        return None, f"{directory}: another server's"
    found: dict[int, dict[str, Json]] = {}
    for path in (directory, (directory / "pg_wal").resolve(), *(pathlib.Path(space["path"]) for space in seen.get("tablespaces", ()))):
        try:
            device, disk = path.stat().st_dev, os.statvfs(path)
        except OSError as problem:
            return None, f"{path}: {problem.strerror}"
        found.setdefault(device, _disk(str(path), disk))
    return list(found.values()), ""


def _disk(path: str, disk: os.statvfs_result) -> dict[str, Json]:
    """Return one file system as df counts it: what root keeps for itself belongs to nobody."""
    used = disk.f_blocks - disk.f_bfree
    inodes_used = disk.f_files - disk.f_ffree
    return {
        "path": path,
        "bytes": disk.f_blocks * disk.f_frsize,
        "free": disk.f_bavail * disk.f_frsize,
        "used_ratio": used / (used + disk.f_bavail) if used + disk.f_bavail else 0.0,
        "inodes_ratio": inodes_used / (inodes_used + disk.f_favail) if inodes_used + disk.f_favail else 0.0,
    }
