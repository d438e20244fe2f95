# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration, tried on a copy: what it took, whom it would have blocked, what it rewrote and wrote, and whether the way back leads back.

Works on a scratch cluster that nobody else uses: it is asked to connect and does as it is told. While the migration runs, one thread watches the locks and the
statements, and one for readers and one for writers want every table again and again: what they wait is what guests would have waited.
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import threading
import time
import typing as t

import psycopg

from . import schema
from .programs import Failed

Json = t.Any
Connect = t.Callable[[], "psycopg.Connection[t.Any]"]

#: How often locks and statements are looked at, in seconds: shorter holds than this block nobody that a person would notice.
WATCH_S = 0.01
#: How often the size is asked for, which is dear.
SIZE_S = 0.25
#: How long a watcher gets to come to its end, in seconds.
END_S = 30.0
#: The tables that readers and writers want: the largest.
PROBED = 40
#: Modes that keep readers, or writers, out (PostgreSQL documentation, "Table-Level Lock Modes").
KEEPS_READERS = frozenset({"AccessExclusiveLock"})
KEEPS_WRITERS = KEEPS_READERS | {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock"}

TABLES = """
select c.oid::bigint, format('%I.%I', n.nspname, c.relname), pg_relation_filenode(c.oid)::bigint, c.reltuples::float8, pg_relation_size(c.oid)::bigint
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
 order by pg_relation_size(c.oid) desc
"""

LOCKS = """
select l.pid, l.relation::bigint, l.mode from pg_locks l
 where l.granted and l.locktype = 'relation' and l.relation = any(%s) and l.pid <> all(%s)
"""

STATEMENTS = """
select pid, query_start::text, query from pg_stat_activity
 where datname = current_database() and state = 'active' and backend_type = 'client backend' and pid <> all(%s)
"""


@dataclasses.dataclass
class Table:
    oid: int
    name: str
    filenode: int
    rows: float
    bytes: int


@dataclasses.dataclass(frozen=True)
class Step:
    """One way, up or down: statements of ours, each its own transaction unless they say ``begin``, or a command of the app's with its environment."""

    statements: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    cwd: str | None = None
    timeout_s: float = 3600.0


def rehearse(connect: Connect, up: Step, down: Step | None = None) -> dict[str, Json]:
    """Go up, and, where there is a way back, down and up again. Returns plain JSON; a step that fails says so in ``failed`` and ends it."""
    with contextlib.closing(connect()) as look:
        start, rows = schema.read(look), counts(look)
        level = look.execute("show wal_level").fetchone()
        told: dict[str, Json] = {"up": measured(connect, up), "down": None, "again": None, "wal_level": level[0] if level else None}
        if told["up"]["failed"] is not None:
            return told
        above = schema.read(look)
        told["schema"] = schema.difference(start, above)
        if down is None:
            return told
        told["down"] = measured(connect, down)
        if told["down"]["failed"] is None:
            told["left"] = schema.difference(start, schema.read(look))
            told["lost"] = lost(rows, counts(look))
            told["again"] = measured(connect, up)
            told["other"] = schema.difference(above, schema.read(look))
    return told


def counts(connection: t.Any) -> dict[str, int]:
    """Return the rows of every table, exactly."""
    names = [Table(*row).name for row in connection.execute(TABLES).fetchall()]
    return {name: int(connection.execute(f"select count(*) from {name}").fetchone()[0]) for name in names}  # noqa: S608 -- quoted by format('%I')


def lost(before: t.Mapping[str, int], after: t.Mapping[str, int]) -> dict[str, list[int]]:
    """Return the tables that have fewer rows than before, as [before, after]. A tool's own table may have one less."""
    return {name: [count, after.get(name, 0)] for name, count in before.items() if after.get(name, 0) < count}


def measured(connect: Connect, step: Step) -> dict[str, Json]:
    """Take one step under watch."""
    with contextlib.closing(connect()) as look:
        tables = [Table(*row) for row in look.execute(TABLES).fetchall()]
        wal = str(look.execute("select pg_current_wal_insert_lsn()").fetchone()[0])  # type: ignore[index]  # always one row
        size = _size(look)
        watch = _Watch(connect, tables)
        with watch.running():
            begun = time.monotonic()
            failed, times = _take(connect, step, watch)
            seconds = time.monotonic() - begun
        after = {row[0]: Table(*row) for row in look.execute(TABLES).fetchall()}
        written = look.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)::bigint", [wal]).fetchone()[0]  # type: ignore[index]  # always one row
    rewritten = [table for table in tables if table.oid in after and after[table.oid].filenode != table.filenode and table.bytes > 0]
    return {
        "failed": failed,
        "seconds": round(seconds, 3),
        "statements": [{"sql": sql[:300], "seconds": round(took, 3)} for sql, took in times or watch.statements()],
        "locks": watch.holds(),
        "blocked": watch.blocked(),
        "rewritten": [{"table": table.name, "bytes": table.bytes, "rows": int(table.rows)} for table in rewritten],
        "wal_bytes": int(written),
        "disk_peak_bytes": max(0, watch.peak - size),
    }


def _size(connection: t.Any) -> int:
    return int(connection.execute("select pg_database_size(current_database())").fetchone()[0])


def _take(connect: Connect, step: Step, watch: _Watch) -> tuple[str | None, list[tuple[str, float]]]:
    """Do what the step says. Return what went wrong, and each statement with its seconds where they are ours."""
    if step.command:
        try:
            done = subprocess.run(
                list(step.command), env=dict(step.environment), cwd=step.cwd, capture_output=True, text=True, timeout=step.timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{step.command[0]} did not end within {step.timeout_s:g} s", []
        except OSError as problem:
            return f"{step.command[0]}: {problem.strerror}", []
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return (None if done.returncode == 0 else f"{step.command[0]} ended with {done.returncode}: {''.join(last)[:300]}"), []
    times: list[tuple[str, float]] = []
    with contextlib.closing(connect()) as session:
        session.autocommit = True
        for statement in step.statements:
            begun = time.monotonic()
            try:
                session.execute(statement.encode())
            except psycopg.Error as problem:
                return f"{' '.join(statement.split())[:120]}: {' '.join(str(problem).split())[:200]}", times
            times.append((" ".join(statement.split()), time.monotonic() - begun))
    return None, times


class _Watch:
    """The threads that look on, and what they saw. Locks on tables that the migration itself made are nobody's business."""

    def __init__(self, connect: Connect, tables: t.Sequence[Table]) -> None:
        self._names = {table.oid: table.name for table in tables}
        self._probed = [table.name for table in tables[:PROBED]]
        self._connect = connect
        self._stop = threading.Event()
        self._ready = threading.Barrier(4)
        self._broken: list[str] = []
        self._ours: list[int] = []
        self._holds: dict[tuple[int, int, str], list[float]] = {}
        self._statements: dict[tuple[int, str], tuple[str, float, float]] = {}
        self._waits: dict[str, dict[str, float]] = {"readers": {}, "writers": {}}
        self.peak = 0

    @contextlib.contextmanager
    def running(self) -> t.Iterator[None]:
        """Look on meanwhile. Raises :class:`Failed` where a watcher did not see it to its end: that nobody looked is no sign that nobody waited."""
        with contextlib.ExitStack() as sessions:
            opened = [sessions.enter_context(contextlib.closing(self._connect())) for _number in range(3)]
            for one in opened:
                one.autocommit = True
            self._ours = [one.info.backend_pid for one in opened]
            jobs = (
                self._watcher("locks", lambda: self._look(opened[0])),
                self._watcher("readers", lambda: self._want(opened[1], "readers", "access share")),
                self._watcher("writers", lambda: self._want(opened[2], "writers", "row exclusive")),
            )
            for job in jobs:
                job.start()
            self._ready.wait(30)
            try:
                yield
            finally:
                self._stop.set()
                for job in jobs:
                    job.join(END_S)
            self._broken += [f"{job.name}: it does not end" for job in jobs if job.is_alive()]
            if self._broken:
                raise Failed("watch", f"nobody saw whom the migration blocked; {'; '.join(self._broken)}")

    def _watcher(self, name: str, watch: t.Callable[[], None]) -> threading.Thread:
        def watched() -> None:
            try:
                watch()
            except Exception as problem:  # whatever it is, it ends a thread silently
                self._broken.append(f"{name}: {' '.join(str(problem).split())[:200]}")

        return threading.Thread(target=watched, name=name, daemon=True)

    def _look(self, session: psycopg.Connection[t.Any]) -> None:
        self._ready.wait(30)
        oids, sized = list(self._names), 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            for pid, oid, mode in session.execute(LOCKS, [oids, self._ours]).fetchall():
                if mode in KEEPS_WRITERS:
                    self._holds.setdefault((pid, oid, mode), [now, now])[1] = now
            for pid, start, query in session.execute(STATEMENTS, [self._ours]).fetchall():
                text, first, _last = self._statements.get((pid, start), (" ".join(query.split()), now, now))
                self._statements[(pid, start)] = (text, first, now)
            if now - sized > SIZE_S:
                self.peak, sized = max(self.peak, _size(session)), now
            self._stop.wait(WATCH_S)
        self.peak = max(self.peak, _size(session))

    def _want(self, session: psycopg.Connection[t.Any], who: str, mode: str) -> None:
        """Want each table in turn, and give up at once: how long in a row it was not to be had is how long somebody would have waited."""
        self._ready.wait(30)
        since: dict[str, float] = {}
        while not self._stop.is_set():
            for name in self._probed:
                now = time.monotonic()
                try:
                    session.execute(f"begin; lock table {name} in {mode} mode nowait; rollback".encode())
                except psycopg.errors.LockNotAvailable:
                    session.execute("rollback")
                    since.setdefault(name, now)
                except psycopg.Error:
                    session.execute("rollback")  # dropped or renamed meanwhile: nobody waits for what is not there
                    since.pop(name, None)
                else:
                    since.pop(name, None)
                    continue
                if name in since:
                    self._waits[who][name] = max(self._waits[who].get(name, 0.0), time.monotonic() - since[name])
            self._stop.wait(WATCH_S / 2)

    def holds(self) -> list[dict[str, Json]]:
        """Return the locks that kept somebody out, longest first."""
        found = [
            {"table": self._names[oid], "mode": mode, "seconds": round(last - first + WATCH_S, 3), "keeps": "readers" if mode in KEEPS_READERS else "writers"}
            for (_pid, oid, mode), (first, last) in self._holds.items()
        ]
        return sorted(found, key=lambda one: -one["seconds"])

    def blocked(self) -> dict[str, Json]:
        """Return how long readers, and writers, would have waited at most, and for which table."""
        told: dict[str, Json] = {}
        for who, waits in self._waits.items():
            name = max(waits, key=lambda table: waits[table], default="")
            told[who] = {"seconds": round(waits.get(name, 0.0), 3), "table": name}
        return told

    def statements(self) -> list[tuple[str, float]]:
        """Return the statements of a command as they were seen, in their order; those shorter than a look may be missing."""
        return [(text, last - first + WATCH_S) for text, first, last in self._statements.values()]
