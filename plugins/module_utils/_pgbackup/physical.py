# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of a physical backup, inside the cage: recovered to the manifest's moment and compared, and then to the last commit.

It has the live cluster's own identifier and settings, so nothing of its configuration is read: ``postgresql.auto.conf`` is emptied, the others are ours.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import shutil
import time
import typing as t

import psycopg

from . import cage, manifest, programs
from .cage import Wrong
from .programs import Failed

Json = t.Any

#: What a copy in recovery must not have less of than the cluster that wrote the WAL: (setting, its name in pg_controldata).
LIMITS = (
    ("max_connections", "max_connections setting"),
    ("max_worker_processes", "max_worker_processes setting"),
    ("max_wal_senders", "max_wal_senders setting"),
    ("max_prepared_transactions", "max_prepared_xacts setting"),
    ("max_locks_per_transaction", "max_locks_per_xact setting"),
)

#: What the server's last words say about the backup: (words, code).
FELL = (
    (r"recovery ended before configured recovery target", "wal_missing"),
    (r"could not locate (a valid|required) checkpoint|WAL ends before (end of online backup|consistent recovery point)", "wal_missing"),
    (r"invalid page in block|page verification failed|incorrect resource manager data checksum", "page_broken"),
)

#: Recovery may take as long as the drill.
RECOVERY_S = 4 * 3600.0


class Physical(cage.Copy):
    """``plan["backup"]`` holds ``manifest.json``, ``schema.sql``, ``pg/`` and ``wal/``; ``plan["live_xmax"]`` the live cluster's next transaction, or None."""

    start_s = RECOVERY_S

    def __init__(self, plan: cage.Plan) -> None:
        super().__init__(plan)
        self.data = self.backup / "pg"
        self.target: str | None = None
        self.limits: dict[str, str] = {}

    def rehearse(self) -> dict[str, Json]:
        try:
            with self._phase("check"):
                self._check_files()
            with self._phase("restore"):
                self._to(self.made["lsn"])
            with self._phase("verify"):
                now, told = self._compared()
                if told:
                    raise Wrong(told)
            with self._phase("replay"):
                self._stop()
                self._to(None)
                last = self._end()
            with self._phase("analyze"):
                self._analyze()
            with self._phase("structure"):
                broken = self._structure() or self._pages()
                if broken:
                    raise Wrong(broken)
        finally:
            self._stop()
        return {"phases": self.phases, "steps": self.steps, **self._proven(now), **last}

    def _check_files(self) -> None:
        self._read_manifest()
        identifier = self._control()["Database system identifier"].strip()
        if identifier != self.made["system_identifier"]:
            raise Wrong([{"code": "other_cluster", "name": self.made["id"], "wanted": self.made["system_identifier"], "found": identifier}])
        self._alone()
        (self.data / "recovery.signal").touch()
        if self.user:
            shutil.chown(self.data / "recovery.signal", self.user)

    def _control(self) -> dict[str, str]:
        """Return what pg_controldata says, after noting what the copy must have as many of as the live cluster had."""
        control = dict(line.split(":", 1) for line in self._step("check", "pg_controldata", "-D", str(self.data)).splitlines() if ":" in line)
        self.limits = {setting: control[name].strip() for setting, name in LIMITS}
        return control

    def _alone(self) -> None:
        """Take the live cluster's settings (ALTER SYSTEM, its archiver's among them) and its role of a standby away."""
        for name, text in (("postgresql.conf", ""), ("pg_hba.conf", "local all all trust\n"), ("pg_ident.conf", "")):
            self._own(name, text)
        (self.data / "postgresql.auto.conf").write_text("", encoding="utf-8")
        (self.data / "standby.signal").unlink(missing_ok=True)

    def _own(self, name: str, text: str) -> None:
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        if self.user:
            shutil.chown(path, self.user)

    def settings(self) -> dict[str, str]:
        given = {name: value for name, value in super().settings().items() if name not in ("wal_level", "max_wal_senders")}
        given |= {
            name: str(self.home / file) for name, file in (("config_file", "postgresql.conf"), ("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf"))
        }
        given |= self.limits
        given |= {"hot_standby": "on", "ssl": "off", "restore_command": f'cp "{self.backup / "wal"}/%f" "%p"'}
        if self.target:
            given |= {"recovery_target_lsn": self.target, "recovery_target_inclusive": "off", "recovery_target_action": "pause"}
        return given

    def _to(self, target: str | None) -> None:
        """Start the copy and have it recover to just before the place *target* of the WAL, or to the end of it."""
        self.target = target
        cage.Copy._start(self)
        done = "select pg_get_wal_replay_pause_state() = 'paused' as done" if target else "select not pg_is_in_recovery() as done"
        end = time.monotonic() + self.start_s
        while time.monotonic() < end:
            with contextlib.suppress(psycopg.OperationalError), self._connect("postgres") as session:
                with contextlib.suppress(psycopg.errors.ObjectNotInPrerequisiteState):  # "recovery is not in progress"
                    if manifest.row(session, done)["done"]:
                        return
                if target and not manifest.row(session, "select pg_is_in_recovery() as still")["still"]:
                    raise self._wrong("wal_missing", "the WAL ends before it")
            if self.server is not None and self.server.poll() is not None:
                raise self._fell((self.home / "server.log").read_text(errors="replace"))
            time.sleep(0.05)
        raise Failed("replay", f"recovery did not end within {self.start_s:g} s")

    def _fell(self, log: str) -> Exception:
        fatal = " | ".join(line for line in log.splitlines() if re.search("FATAL|PANIC", line))[-400:]
        code = next((code for words, code in FELL if re.search(words, fatal)), None)
        return self._wrong(code, fatal) if code else Failed("start", fatal or programs.last_words(log))

    def _wrong(self, code: str, found: str) -> Wrong:
        return Wrong([{"code": code, "name": str(self.made["label"]), "wanted": self.target or "", "found": found}])

    def _identify(self, identifier: str) -> None:
        """The live cluster's own identifier is right here; that this is not the live cluster, name, data directory and socket have said."""
        if identifier != self.made["system_identifier"]:
            raise Wrong([{"code": "other_cluster", "name": self.made["id"], "wanted": self.made["system_identifier"], "found": identifier}])

    def _end(self) -> dict[str, Json]:
        """Return ``{at, missing}``: until when nothing is missing, and how many transactions of the live cluster the copy lacks (None: nobody knows)."""
        with self._connect(self._database) as session:
            last = manifest.row(session, "select pg_snapshot_xmax(pg_current_snapshot())::text as xmax, pg_last_xact_replay_timestamp() as at")
            told = self._canary_missing(session, self.made["canary_after"])
            if told:
                raise Wrong(told)
        live = self.plan.get("live_xmax")
        missing = None if live is None else max(0, int(live) - int(last["xmax"]))
        whole = missing == 0 and self.plan.get("started_at")
        at = datetime.datetime.fromtimestamp(self.plan["started_at"], datetime.UTC).isoformat() if whole else last["at"].isoformat()
        return {"at": at, "missing": missing}

    def _pages(self) -> list[dict[str, Json]]:
        """Every page's checksum, with the copy at rest (pg_checksums), where the cluster has them."""
        if not self.made["data_checksums"]:
            return []
        self._rest()
        try:
            self._step("structure", "pg_checksums", "--check", "--pgdata", str(self.data))
        except Failed as problem:
            return self._wrong("page_broken", str(problem)).told
        return []

    def _rest(self) -> None:
        """Stop the copy as one stops a server, which leaves its files as they should be."""
        self._step("stop", "pg_ctl", "--pgdata", str(self.data), "--mode=fast", "--wait", "stop")
        if self.server is not None:
            self.server.wait(60)
