# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations tried in the cage: the copy is made as for the restore drill, and instead of being held against its manifest it is migrated, back and forth."""

from __future__ import annotations

import typing as t

import psycopg
from psycopg import sql

from . import cage, manifest, migration_tools, physical, rehearsal
from .cage import Wrong
from .programs import Failed
from .rehearsal import Step

Json = t.Any


#: As the live server writes WAL, which is measured: with ``minimal``, a table that is rewritten would write none. The restore writes some then; it is not
#: kept, as ``migration_rehearsal`` has no room for it.
WAL = {"wal_level": "replica", "full_page_writes": "on", "max_wal_size": "512MB"}


class Migrated(cage.Copy):
    """``plan["migrations"]`` is ``{tool, carried: [{id, after, up, down}], command: {up, down, variable, timeout_s} or null}``.

    What is pending on the copy goes up, and, where it has a way back, back and up again. With nothing pending, the newest goes back and up again. A command of
    the app's does all in one.
    """

    def settings(self) -> dict[str, str]:
        return {**super().settings(), **WAL}

    def own(self) -> dict[str, str]:
        return {**super().own(), "session_replication_role": "origin"}  # a migration's own writes have their triggers

    def _tried(self) -> dict[str, Json]:
        asked = self.plan["migrations"]
        carried = migration_tools.in_order(asked["carried"])
        with self._connect(self._database) as session:
            have = migration_tools.applied(self._look(session, asked["tool"]), {str(one["id"]): one for one in carried})
        pending = [one for one in carried if str(one["id"]) not in have]
        steps = list(self._by_command(asked["command"], pending) if asked["command"] else self._by_statements(pending, carried))
        untried = [] if asked["command"] else [str(one["id"]) for one in pending if one["up"] is None]
        return {"steps_tried": steps, "untried": untried}

    def _look(self, session: psycopg.Connection[t.Any], tool: str) -> dict[str, Json]:
        def rows(query: t.Any, parameters: t.Any = None) -> list[dict[str, Json]]:
            return [dict(row) for row in manifest.rows(session, query, parameters)]

        def of_table(query: str, placeholder: str, schema: str, name: str) -> list[dict[str, Json]]:
            return rows(sql.SQL(t.cast("t.Any", query)).format(**{placeholder: sql.Identifier(schema, name)}))

        try:
            return migration_tools.look(rows, of_table, tool)
        except migration_tools.Unread as problem:
            raise Failed("migrations", problem.code) from None

    def _by_statements(self, pending: t.Sequence[t.Mapping[str, Json]], carried: t.Sequence[t.Mapping[str, Json]]) -> t.Iterator[dict[str, Json]]:
        for one in pending:
            if one["up"] is None:
                return  # what comes after it may need it
            told = rehearsal.rehearse(self._connected, Step((one["up"],)), Step((one["down"],)) if one["down"] else None)
            yield {"id": one["id"], "pending": True, **told}
            if told["up"]["failed"] or (told["down"] or {}).get("failed"):
                return
        newest = carried[-1] if carried and not pending else None
        if newest and newest["up"] and newest["down"]:
            # It is there already: it goes back first, and what comes after that is the way up.
            yield {"id": newest["id"], "pending": False, **rehearsal.rehearse(self._connected, Step((newest["down"],)), Step((newest["up"],)))}

    def _by_command(self, asked: t.Mapping[str, Json], pending: t.Sequence[Json]) -> t.Iterator[dict[str, Json]]:
        up, down = self._command(asked, "up"), self._command(asked, "down")
        if pending and up:
            yield {"id": " ".join(asked["up"])[:80], "pending": True, **rehearsal.rehearse(self._connected, up, down)}
        elif up and down:
            yield {"id": " ".join(asked["down"])[:80], "pending": False, **rehearsal.rehearse(self._connected, down, up)}

    def _connected(self) -> psycopg.Connection[t.Any]:
        return self._connect(self._database)

    def _command(self, asked: t.Mapping[str, Json], way: str) -> Step | None:
        """Return the app's own command with the copy's address in its environment, what isolates its sessions, and nothing else of ours."""
        if not asked.get(way):
            return None
        address = f"postgresql://postgres@/{self._database}?host={self.sockets}"
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.home), "PGOPTIONS": self._own_options()}
        environment[str(asked["variable"])] = address
        return Step(command=tuple(asked[way]), environment=environment, cwd=str(self.home), timeout_s=float(asked["timeout_s"]))


class Trial(Migrated):
    """On a dump's copy."""

    def _verify(self) -> dict[str, Json]:
        return self._tried()


class PhysicalTrial(Migrated, physical.Physical):
    """On a physical backup's copy, recovered to the last commit: what comes next is a cluster of its own, which may be written to."""

    def rehearse(self) -> dict[str, Json]:
        try:
            with self._phase("check"):
                self._check_files()
            with self._phase("restore"):
                self._to(None)
            with self._phase("analyze"):
                self._analyze()
            with self._phase("verify"):
                tried = self._tried()
        finally:
            self._stop()
        return {"phases": self.phases, "steps": self.steps, **tried}


#: How the copy is made of what the job's engines keep.
TRIALS: dict[str, t.Callable[[cage.Plan], Migrated]] = {"dump": Trial, "pgbackrest": PhysicalTrial}


def run(plan: cage.Plan) -> dict[str, Json]:
    """Return ``{steps_tried, untried, phases}``, or ``{failed, why}`` where it could not be tried."""
    try:
        cage.shut(plan)
        return TRIALS[str(plan.get("engine") or "dump")](plan).rehearse()
    except Wrong as wrong:
        return {"failed": "backup", "why": f"{wrong.told[0]['code']} {wrong.told[0]['name']}"}
    except Failed as problem:
        return {"failed": problem.phase, "why": str(problem)}
