# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of somebody else's backup, inside the cage: whatever their restore command left, a dump or a data directory, made into a running cluster.

There is no manifest, so rows cannot be compared. What can be proven: it comes back without an error, it holds tables with rows, its pages and indexes are
sound, and the user's own questions have answers.
"""

from __future__ import annotations

import pathlib
import shutil
import typing as t

from . import cage, manifest, physical, programs
from .cage import Wrong
from .programs import Failed

Json = t.Any

LARGEST = "select datname as name from pg_database where not datistemplate and datallowconn order by pg_database_size(oid) desc, 1 limit 1"

#: A dump that does not make its own database is restored into this one.
DATABASE = "restored"

#: Roles, beside a dump of one database, which does not have them (``pg_dumpall --globals-only``).
ROLES = "globals.sql"


def shape(folder: pathlib.Path) -> tuple[str, pathlib.Path]:
    """Return what the restore command left, and where: ``data``, ``directory``, ``custom`` or ``plain``. Raises :class:`Wrong`."""
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    tops = sorted((path.parent for path in inside if path.name == "PG_VERSION"), key=lambda path: len(path.parts))
    if tops:
        return "data", tops[0]
    for path in inside:
        if path.name == "toc.dat":
            return "directory", path.parent
        with path.open("rb") as stream:
            if stream.read(5) == b"PGDMP":
                return "custom", path
    for path in inside:
        if path.suffix == ".sql" and path.name != ROLES and path.stat().st_size:
            return "plain", path
    names = ", ".join(path.name for path in inside[:5]) or "nothing"
    raise Wrong([{"code": "not_restored", "name": "target", "wanted": "PG_VERSION, toc.dat, a dump or *.sql", "found": names}])


class _Unsealed(cage.Copy):
    """What both kinds are held against."""

    def _database_of_the_copy(self) -> None:
        with self._connect("postgres") as session:
            self.made["database"] = manifest.row(session, LARGEST)

    def _verify(self) -> dict[str, Json]:
        self._database_of_the_copy()
        return super()._verify()

    def _facts(self) -> tuple[dict[str, Json], list[dict[str, Json]]]:
        with self._connect(self._database) as session:
            manifest.pin(session)
            now = manifest.what_it_is(session)
            with session.transaction():
                now["invariants"] = manifest.asked(session, self.plan.get("questions") or {}, str(self.plan["at"]))
        return now, []

    def _differences(self, now: dict[str, Json]) -> list[dict[str, Json]]:
        """Nobody wrote down what it should hold: that a question has no answer at all is what is left to find."""
        return [
            {"code": "invariant_differs", "name": name, "wanted": "an answer", "found": answer["error"]}
            for name, answer in now["invariants"].items()
            if isinstance(answer, dict)
        ]

    def _proven(self, now: t.Mapping[str, Json]) -> dict[str, Json]:
        return {**super()._proven(now), "answers": now["invariants"], "unsealed": True}


class Dump(_Unsealed):
    """``pg_restore`` or ``psql`` of what is there, into a cluster of its own."""

    def _check_files(self) -> None:
        found = programs.majors()
        if not found:
            raise Failed("preflight", "no PostgreSQL server is on this host")
        where = {"name": DATABASE, "collate": "C.UTF-8", "ctype": "C.UTF-8", "encoding": "UTF8"}
        self.made = {"server_version": found[0] * 10000, "data_checksums": True, "database": where, "label": self.plan.get("id", ""), "extensions": {}}
        self.shape, self.path = shape(self.backup)
        if self.shape != "plain":
            self._content("check", "pg_restore", "--file=/dev/null", str(self.path))

    def _roles(self) -> None:
        files = [path for path in self.backup.rglob(ROLES) if path.is_file()]
        for path in files[:1]:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = self.home / ROLES
            kept.write_text("".join(line for line in lines if not cage.NOT_OURS.match(line)), encoding="utf-8")
            if self.user:
                shutil.chown(kept, self.user)
            self._content("globals", "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *self._at(), "--dbname=postgres", f"--file={kept}")

    def _restore(self) -> None:
        self._step("restore", "createdb", *self._at(), DATABASE)
        if self.shape == "plain":
            words = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
            self._content("restore", "psql", *words, *self._at(), f"--dbname={DATABASE}", f"--file={self.path}")
            return
        jobs = f"--jobs={self.plan['jobs']}"
        self._content("restore", "pg_restore", "--exit-on-error", "--no-tablespaces", jobs, *self._at(), f"--dbname={DATABASE}", str(self.path))


class Data(_Unsealed, physical.Physical):
    """A data directory that brings the WAL it needs: started as it is."""

    def rehearse(self) -> dict[str, Json]:
        return cage.Copy.rehearse(self)

    def _check_files(self) -> None:
        _shape, self.data = shape(self.backup)
        self.data.chmod(0o700)  # PostgreSQL refuses any other
        major = (self.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        self.made = {
            "server_version": int(major) * 10000,
            "label": self.plan.get("id", ""),
            "system_identifier": "",
            "database": {"name": "postgres"},
            "extensions": {},
        }
        control = self._control()
        self.made["data_checksums"] = control["Data page checksum version"].strip() != "0"
        self._alone()

    def _begin(self) -> None:
        """There is a cluster already."""

    def _start(self) -> None:
        """What it starts with is its recovery, and that is what a restore is here."""

    def _identify(self, identifier: str) -> None:
        """Nobody wrote down which cluster it was."""

    def _roles(self) -> None:
        """They came with the directory."""

    def _restore(self) -> None:
        self._to(None)
        self._database_of_the_copy()


def copy(plan: cage.Plan) -> cage.Copy:
    """Return the rehearsal that fits what was left there. Where there is nothing that fits, :class:`Dump` says so."""
    try:
        found = shape(pathlib.Path(plan["backup"]))[0]
    except Wrong:
        found = "nothing"
    return Data(plan) if found == "data" else Dump(plan)
