# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restored copy: inside the cage, a cluster of its own is made from the fetched backup, held against its manifest, and ended. Never asks for the live one.

The caller gives it a directory, an OS user without rights, and no network; this program first makes sure that it is really shut in (:mod:`walls`).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import re
import shutil
import signal
import subprocess
import time
import typing as t

import psycopg
from psycopg import sql

from . import files, isolation, manifest, programs, walls
from .programs import Failed

Json = t.Any
Plan = t.Mapping[str, Json]

#: Lines of ``pg_dumpall --globals-only`` that a copy does without: the first superuser, whom initdb made, and tablespaces, whose folders are the live ones.
NOT_OURS = re.compile(r"(CREATE|ALTER) ROLE postgres\b|(CREATE|ALTER|GRANT .* ON) TABLESPACE\b")


#: The one table that is ours, and has rows also in a database that is otherwise empty.
CANARY = "golive.canary"

#: What PostgreSQL says of a page that is not as it was written.
BROKEN = re.compile("invalid page in block|page verification failed")


class Wrong(Exception):
    """The backup does not give back what it should. ``told`` lists how, each as ``{code, name, wanted, found}``."""

    def __init__(self, told: list[dict[str, Json]]) -> None:
        super().__init__(told[0]["code"])
        self.told = told


def shut(plan: Plan) -> walls.Walls:
    """Return which walls stand around this program; a test without a cage says so in its plan. Raises :class:`Failed` where a copy must not be made."""
    if not plan.get("caged", True):
        return {}
    if "live" not in plan:
        raise Failed("cage", "nobody said where the live cluster lies")
    seen = walls.held(int(plan["memory_mb"]), plan["live"])
    gaps = walls.gaps(seen)
    if gaps:
        raise Failed("cage", f"the cage is open, without {', '.join(gaps)}")
    return seen


class Copy:
    """One rehearsal. ``steps`` is what was done, with its time, in the words of the runbook. ``start_s``: how long the copy may take to let anybody in."""

    start_s: t.ClassVar[float] = 60.0

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.home = pathlib.Path(plan["home"])
        self.backup = pathlib.Path(plan["backup"])
        self.data, self.sockets = self.home / "pg", self.home / "s"
        self.user: str | None = plan.get("user")
        self.steps: list[dict[str, Json]] = []
        self.phases: dict[str, float] = {}
        self.made: dict[str, Json] = {}
        self.server: subprocess.Popen[bytes] | None = None
        self._bin: dict[str, pathlib.Path] = {}

    def rehearse(self) -> dict[str, Json]:
        """Return ``{phases, steps, verified{}, copy_identifier, copy_bytes}``. Raises :class:`Failed` (could not), :class:`Wrong` (the backup is bad)."""
        try:
            with self._phase("check"):
                self._check_files()
            with self._phase("start"):
                self._begin()
                self._start()
                self._roles()
            with self._phase("restore"):
                self._restore()
            with self._phase("analyze"):
                self._analyze()
            with self._phase("verify"):
                verified = self._verify()
        finally:
            self._stop()
        return {"phases": self.phases, "steps": self.steps, **verified}

    @contextlib.contextmanager
    def _phase(self, name: str) -> t.Iterator[None]:
        clock = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = round(time.monotonic() - clock, 2)

    @property
    def _database(self) -> str:
        return str(self.made["database"]["name"])

    def _at(self) -> list[str]:
        return ["--host", str(self.sockets), "--port", "5432", "--username", "postgres"]

    def own(self) -> dict[str, str]:
        """Return what every session with the copy is to have, whatever the shop's database and roles bring along."""
        return isolation.own(int(self.made["server_version"]))

    def _own_options(self) -> str:
        return " ".join(f"-c {name}={value}" for name, value in self.own().items())

    def _options(self) -> str:
        return f"{programs.session(int(self.made['server_version']))} {self._own_options()}"

    def _program(self, name: str) -> str:
        if name not in self._bin:
            self._bin[name] = programs.postgres(name, self.made["server_version"] // 10000)
        return str(self._bin[name])

    def _step(self, phase: str, program: str, *arguments: str) -> str:
        clock = time.monotonic()
        said = programs.run(phase, [self._program(program), *arguments], env={"PGOPTIONS": self._options()}, user=self.user, cwd=str(self.home))
        self.steps.append({"phase": phase, "argv": [program, *arguments], "seconds": round(time.monotonic() - clock, 2)})
        return said

    def _check_files(self) -> None:
        """Every file as it was written, and an archive that can be read from end to end (which alone proves nothing)."""
        self._read_manifest()
        damage = files.damage(self.backup, self.made)
        if damage:
            raise Wrong(damage)
        try:
            self._step("check", "pg_restore", "--file=/dev/null", str(self.backup / "dump"))
        except Failed as problem:
            if "is not on this host" in str(problem):
                raise
            raise Wrong([{"code": "archive_unreadable", "name": "dump", "wanted": "", "found": str(problem)}]) from None

    def _read_manifest(self) -> None:
        try:
            self.made = files.read_manifest(self.backup)
        except FileNotFoundError:
            raise Wrong([{"code": "manifest_missing", "name": files.MANIFEST, "wanted": "", "found": None}]) from None
        except files.BROKEN as problem:
            raise Wrong([{"code": "manifest_broken", "name": files.MANIFEST, "wanted": "", "found": str(problem)[:200]}]) from None

    def _begin(self) -> None:
        was = self.made["database"]
        locale = [f"--lc-collate={was['collate']}", f"--lc-ctype={was['ctype']}", f"--encoding={was['encoding']}"]
        sums = ["--data-checksums"] if self.made["data_checksums"] else []
        self._step("initdb", "initdb", "--pgdata", str(self.data), "--username=postgres", "--auth=trust", "--no-sync", *locale, *sums)

    def settings(self) -> dict[str, str]:
        given = {**isolation.ISOLATED, "unix_socket_directories": str(self.sockets)}
        if self.plan["settings"] == "tuned":
            memory_mb = int(self.plan["memory_mb"])
            given |= {**isolation.TUNED, "maintenance_work_mem": f"{min(512, max(16, memory_mb // 8))}MB", "shared_buffers": f"{max(16, memory_mb // 8)}MB"}
        given |= self.own()
        if shutil.disk_usage("/dev/shm").free < isolation.SHM_LEAST:  # noqa: S108 -- PostgreSQL's own place for shared memory
            given["max_parallel_maintenance_workers"] = "0"
        return given

    def _start(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if self.user:
            shutil.chown(self.sockets, self.user)
        words = [part for name, value in self.settings().items() for part in ("-c", f"{name}={value}")]
        argv = [self._program("postgres"), "-D", str(self.data), *words]
        with (self.home / "server.log").open("wb") as log:
            self.server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self.user, cwd=self.home, env=programs.environment())
        self.steps.append({"phase": "start", "argv": ["postgres", "-D", str(self.data), *words], "seconds": 0})
        end = time.monotonic() + self.start_s
        while time.monotonic() < end:
            if self.server.poll() is not None:
                raise self._fell((self.home / "server.log").read_text(errors="replace"))
            with contextlib.suppress(psycopg.OperationalError), self._connect("postgres") as session:
                self._equipped(session)
                return
            time.sleep(0.05)
        raise Failed("start", f"the copy did not take connections within {self.start_s:g} s")

    def _fell(self, log: str) -> Exception:
        """What it means that the server ended by itself."""
        return Failed("start", programs.last_words(log))

    def _equipped(self, session: psycopg.Connection[t.Any]) -> None:
        """The copy has the extensions that the backup needs."""
        there = {one["name"] for one in manifest.rows(session, "select name from pg_available_extensions")}
        missing = sorted(set(self.made["extensions"]) - there)
        if missing:
            raise Failed("preflight", f"extensions that the backup needs are not on this host: {', '.join(missing)}")

    def _connect(self, database: str) -> psycopg.Connection[t.Any]:
        """Return a session with the copy, and with nothing else: name, data directory and socket must all be ours, and what isolates it in force."""
        session = psycopg.connect(
            host=str(self.sockets), port=5432, user="postgres", dbname=database, autocommit=True, application_name="golive-drill", options=self._options()
        )
        try:
            who = manifest.row(session, "select current_setting('cluster_name') as name, current_setting('data_directory') as data")
            if (who["name"], who["data"]) != ("golive-drill", str(self.data)):
                raise Failed("start", f"another server answers at {self.sockets}: {who['name']} {who['data']}")
            self._isolated(session, database)
        except BaseException:
            session.close()
            raise
        return session

    def _isolated(self, session: psycopg.Connection[t.Any], database: str) -> None:
        """What isolates the copy is in force: asked of each session in its own database, not of what was given."""
        settings = {one["name"]: one["setting"] for one in manifest.rows(session, "select name, setting from pg_settings")}
        # The server shows no archive_command where archive_mode is off.
        wanted = {name: value for name, value in {**isolation.ISOLATED, **self.own()}.items() if name != "archive_command"}
        other = [f"{name}={settings.get(name)}" for name, value in wanted.items() if settings.get(name) != value]
        if other:
            raise Failed("start", f"the copy is not isolated: {', '.join(other)} in {database}")

    def _roles(self) -> None:
        """Roles, memberships, passwords. Not the first superuser, whom initdb made; not tablespaces, whose folders are the live cluster's."""
        kept = []
        for line in (self.backup / "globals.sql").read_text(encoding="utf-8").splitlines(keepends=True):
            if NOT_OURS.match(line):
                continue
            kept.append(line)
        path = self.home / "globals.sql"
        path.write_text("".join(kept), encoding="utf-8")
        if self.user:
            shutil.chown(path, self.user)
        self._content("globals", "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *self._at(), "--dbname=postgres", f"--file={path}")

    def _restore(self) -> None:
        jobs = f"--jobs={self.plan['jobs']}"
        self._content(
            "restore", "pg_restore", "--exit-on-error", "--create", "--no-tablespaces", jobs, *self._at(), "--dbname=postgres", str(self.backup / "dump")
        )

    def _analyze(self) -> None:
        self._step("analyze", "vacuumdb", "--analyze-only", f"--jobs={self.plan['jobs']}", *self._at(), "--dbname", self._database)

    def _content(self, phase: str, program: str, *arguments: str) -> None:
        """A step that fails because of what is in the backup, unless the disk or the memory ran out."""
        try:
            self._step(phase, program, *arguments)
        except Failed as problem:
            words = str(problem)
            if (self.server is not None and self.server.poll() is not None) or re.search(r"No space left|out of memory|terminated by signal", words):
                raise
            missing = re.search(r'role "(.+?)" does not exist', words)
            code = "role_missing" if missing else "restore_refused"
            raise Wrong([{"code": code, "name": missing[1] if missing else phase, "wanted": "", "found": words}]) from None

    def _verify(self) -> dict[str, Json]:
        now, told = self._compared(self._structure)
        if told:
            raise Wrong(told)
        return self._proven(now)

    def _compared(self, *more: t.Callable[[], list[dict[str, Json]]]) -> tuple[dict[str, Json], list[dict[str, Json]]]:
        """Return what the copy holds, and where that is not as it should be.

        The content is read in a session of its own, beside everything else: neither waits for the other. *more* comes last, as it may add to the copy.
        """

        def others() -> tuple[dict[str, Json], list[dict[str, Json]]]:
            now, told = self._facts()
            return now, told + [one for look in more for one in look()]

        with concurrent.futures.ThreadPoolExecutor(2) as aside:
            content, rest = aside.submit(self._content_read), aside.submit(others)
            tables = content.result()  # first: rows that cannot be read speak of the backup, and whatever else failed may not
            now, told = rest.result()
        now["tables"] = tables
        return now, self._differences(now) + told

    def _content_read(self) -> dict[str, dict[str, Json]]:
        with self._connect(self._database) as session:
            manifest.pin(session)
            return manifest.content(session)

    def _differences(self, now: dict[str, Json]) -> list[dict[str, Json]]:
        return manifest.differences(self.made, now)

    def _facts(self) -> tuple[dict[str, Json], list[dict[str, Json]]]:
        """Return everything but the content, and what is wrong with it by itself."""
        with self._connect(self._database) as session:
            manifest.pin(session)
            now = manifest.what_it_is(session)
            with session.transaction():
                now["invariants"] = manifest.asked(session, self.made.get("questions", {}), self.made["at"])
            told = [{"code": "number_taken", "name": name, "wanted": "free", "found": "taken"} for name in manifest.free_numbers(session)]
            told += self._canary_missing(session, self.made["canary"])
        self._identify(str(now["system_identifier"]))
        was, has = self.made["database"]["collation_version"], now["database"]["collation_version"]
        if was and has and was != has:
            told.append({"code": "collation_differs", "name": self._database, "wanted": was, "found": has})
        return now, told + self._schema()

    def _canary_missing(self, session: psycopg.Connection[t.Any], nonce: str) -> list[dict[str, Json]]:
        if not nonce or manifest.rows(session, "select from golive.canary where nonce = %s", (nonce,)):
            return []
        return [{"code": "canary_missing", "name": "golive.canary", "wanted": nonce, "found": None}]

    def _identify(self, identifier: str) -> None:
        """A cluster that initdb made has an identifier of its own."""
        if identifier == self.plan.get("live_identifier"):
            raise Failed("verify", "the copy has the live cluster's identifier: this is not a copy")

    def _proven(self, now: t.Mapping[str, Json]) -> dict[str, Json]:
        theirs = [table for name, table in now["tables"].items() if name != CANARY]
        return {
            "copy_identifier": now["system_identifier"],
            "copy_bytes": now["restored_bytes"],
            "tables": len(theirs),
            "rows": sum(table["rows"] for table in theirs),
            "invariants": len(now["invariants"]),
        }

    def _schema(self) -> list[dict[str, Json]]:
        there = self._step("verify", "pg_dump", "--schema-only", *self._at(), "--dbname", self._database)
        if manifest.schema_hash(there) == self.made["schema_hash"]:
            return []
        wanted = set(manifest.schema_lines((self.backup / "schema.sql").read_text(encoding="utf-8")))
        found = set(manifest.schema_lines(there))
        return [{"code": "schema_differs", "name": self._database, "wanted": sorted(wanted - found)[:3], "found": sorted(found - wanted)[:3]}]

    def _structure(self) -> list[dict[str, Json]]:
        """Every page of every table and index can be read, and indexes have what their tables have (pg_amcheck, from 14 on)."""
        self._silence()
        jobs = f"--jobs={self.plan['jobs']}"
        try:
            self._step("verify", "pg_amcheck", "--install-missing", "--heapallindexed", jobs, *self._at(), "--database", self._database)
        except Failed as problem:
            if "is not on this host" in str(problem) or "could not open extension control file" in str(problem):
                raise
            return [{"code": "structure_broken", "name": self._database, "wanted": "", "found": str(problem)}]
        return []

    def _silence(self) -> None:
        """Turn off the event triggers that no setting turns off: what comes next adds an extension to the copy. From 17 on there is such a setting."""
        if "event_triggers" in self.own():
            return
        with self._connect(self._database) as session:
            for one in manifest.rows(session, isolation.ALWAYS):
                session.execute(sql.SQL("alter event trigger {} disable").format(sql.Identifier(one["name"])))

    def _stop(self) -> None:
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGQUIT)  # immediate: nothing here needs to last
            try:
                self.server.wait(20)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()


def rehearse(plan: Plan, kind: t.Callable[[Plan], Copy] = Copy) -> dict[str, Json]:
    """Return what came of it: ``verdict`` is pass, fail or inconclusive, with ``told`` or ``failed`` and ``why``; ``walls`` is what shut the copy in."""
    copy, standing = kind(plan), walls.Walls()
    try:
        standing = shut(plan)
        came = {"verdict": "pass", "told": [], **copy.rehearse()}
    except Wrong as wrong:
        came = {"verdict": "fail", "told": wrong.told}
    except (Failed, psycopg.Error, OSError) as problem:
        phase, why = (problem.phase, str(problem)) if isinstance(problem, Failed) else ("verify", programs.last_words(str(problem)))
        came = {"verdict": "inconclusive", "failed": phase, "why": why}
        if BROKEN.search(why):
            told = [{"code": "page_broken", "name": str(copy.made.get("label") or copy.made.get("id", "")), "wanted": "", "found": why}]
            came = {"verdict": "fail", "told": told}
    return {"phases": copy.phases, "steps": copy.steps, "walls": standing, **came}
