# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner on the host: many checks in one module run, none of which can hang, crash or silence another.

One worker process for each OS user that checks need, forked before any thread exists. Inside it, daemon threads take (check, target) units from a queue and
send each result as a line of JSON. The parent keeps the deadlines, writes ``error`` for what is missing, and ends workers and their children.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import itertools
import json
import os
import pwd
import queue
import selectors
import tempfile
import threading
import time
import typing as t

from ansible_collections.resto.golive.plugins.module_utils._check import Assertion, CannotKnow, Check, Json, Outcome, cannot_know, crashed, run_target, worst
from ansible_collections.resto.golive.plugins.module_utils._context import RunContext, Snapshots, kill_group
from ansible_collections.resto.golive.plugins.module_utils._options import BadOptions, validated
from ansible_collections.resto.golive.plugins.module_utils._redact import scrub

#: Threads in one worker: waits dominate, so many handshakes at once keep two cores busy, and 200 names take no more than three rounds.
THREADS = 70
#: What a unit may take beyond its own deadline (the library's own deadline should have fired), in seconds.
GRACE_S = 2.0
#: Where locks of the machine live (Filesystem Hierarchy Standard 3.0, sections 3.15 and 5.9).
LOCKS = "/run/lock"


@dataclasses.dataclass(frozen=True)
class Unit:
    """One (check, target) to run on this host."""

    check: type[Check]
    kind: str
    target: str
    options: t.Mapping[str, Json]
    secrets: t.Mapping[str, str]
    timeout_s: float


@dataclasses.dataclass
class _Progress:
    started_at: float | None = None
    done: bool = False


Row = dict[str, Json]


def as_user(check: type[Check], user: str | None) -> type[Check]:
    """Return *check* as it runs under the OS user that the inventory names."""
    return type(check.__name__, (check,), {"runs_as": user}) if user else check


def run(units: t.Sequence[Unit], *, fix: bool = False, check_mode: bool = False, budget_s: float = 120.0) -> list[Row]:
    """Run *units* and return one row for each of their items, in the order of *units*.

    A row is ``{item, check, target{kind,name}, status, reason{code,params}, expected, observed, evidence[], changes[], would_change,
    started_at, duration_ms}``.
    Every unit has a row, whatever happened to it.
    """
    results: dict[int, list[Row]] = {}
    ends = time.monotonic() + budget_s
    _wave([index for index, unit in enumerate(units) if not unit.check.alone], units, results, ends, fix, check_mode)
    # What disturbs others has workers of its own when all the others are done; another run on this host waits for its turn.
    alone = [index for index, unit in enumerate(units) if unit.check.alone]
    with _turn(ends) if alone else contextlib.nullcontext():
        for wave in _by_lane(alone, units):
            _wave(wave, units, results, ends, fix, check_mode)
    return [row for index in range(len(units)) for row in results[index]]


def _by_lane(alone: t.Iterable[int], units: t.Sequence[Unit]) -> t.Iterator[list[int]]:
    """Yield what may run at once of units that disturb others: of one check, and one of each of its lanes."""
    checks: dict[str, dict[str, list[int]]] = {}
    for index in alone:
        unit = units[index]
        checks.setdefault(unit.check.name, {}).setdefault(unit.check.lane(unit.target, unit.options), []).append(index)
    for lanes in checks.values():
        for wave in itertools.zip_longest(*lanes.values()):
            yield [index for index in wave if index is not None]


def _wave(wave: list[int], units: t.Sequence[Unit], results: dict[int, list[Row]], ends: float, fix: bool, check_mode: bool) -> None:
    """Run these of *units* side by side, one worker a user."""
    by_user: dict[str, list[int]] = {}
    for index in wave:
        by_user.setdefault(units[index].check.runs_as, []).append(index)
    _collect([_Worker(user, indexes, units, fix, check_mode) for user, indexes in by_user.items()], units, results, ends)


@contextlib.contextmanager
def _turn(ends: float) -> t.Iterator[None]:
    """Hold this host's one turn to disturb. Whoever does not get it in time finds no time left either: its rows say that it never started."""
    folder = LOCKS if os.path.isdir(LOCKS) and os.access(LOCKS, os.W_OK) else tempfile.gettempdir()
    lock = os.open(os.path.join(folder, f"resto.golive.{os.geteuid()}"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while time.monotonic() < ends:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.1)
        yield
    finally:
        os.close(lock)


class _Worker:
    """A forked process that runs the units of one OS user, as the parent sees it."""

    def __init__(self, user: str, indexes: list[int], units: t.Sequence[Unit], fix: bool, check_mode: bool) -> None:
        self.indexes = indexes
        self.progress = {index: _Progress() for index in indexes}
        self.children: set[int] = set()
        self.heard_at = time.monotonic()
        self.buffer = b""
        self.read_end, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.read_end)
            _worker_main(user, [(index, units[index]) for index in indexes], write_end, fix, check_mode)
        os.close(write_end)

    def end(self) -> None:
        kill_group(self.pid)
        for pid in self.children:
            kill_group(pid)
        os.waitpid(self.pid, 0)
        os.close(self.read_end)


def _collect(workers: list[_Worker], units: t.Sequence[Unit], results: dict[int, list[Row]], ends: float) -> None:
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.read_end, selectors.EVENT_READ, worker)
        while selector.get_map() and time.monotonic() < ends:
            for key, _events in selector.select(timeout=0.2):
                worker = key.data
                if not _receive(worker, results):
                    selector.unregister(worker.read_end)
            for worker in [key.data for key in selector.get_map().values()]:
                if _nothing_more(worker, units):
                    selector.unregister(worker.read_end)
    for worker in workers:
        worker.end()
        for index, progress in worker.progress.items():
            if not progress.done:
                results[index] = _missing(units[index], progress)


def _receive(worker: _Worker, results: dict[int, list[Row]]) -> bool:
    """Take in what *worker* sent; False when it has closed its end."""
    chunk = os.read(worker.read_end, 1 << 16)
    if not chunk:
        return False
    worker.heard_at = time.monotonic()
    *lines, worker.buffer = (worker.buffer + chunk).split(b"\n")
    for line in lines:
        event = json.loads(line)
        if "child" in event:
            worker.children.add(event["child"])
        elif "rows" in event:
            worker.progress[event["unit"]].done = True
            results[event["unit"]] = event["rows"]
        else:
            worker.progress[event["unit"]].started_at = time.monotonic()
    return True


def _nothing_more(worker: _Worker, units: t.Sequence[Unit]) -> bool:
    """Whether *worker* has nothing left to say: all it started is done or past its deadline, and so is all it was given, or it cannot start the rest.

    It cannot if a hung unit holds every thread or the interpreter's lock. A free thread starts the next unit at once, so silence after a late one tells.
    """
    started = [(progress, units[index]) for index, progress in worker.progress.items() if progress.done or progress.started_at is not None]
    late = [_late(progress, unit) for progress, unit in started if not progress.done]
    silent = time.monotonic() > worker.heard_at + GRACE_S
    return all(late) and (len(started) == len(worker.progress) or (bool(late) and silent))


def _late(progress: _Progress, unit: Unit) -> bool:
    return progress.started_at is not None and time.monotonic() > progress.started_at + unit.timeout_s + GRACE_S


def _missing(unit: Unit, progress: _Progress) -> list[Row]:
    """Rows of a unit that never answered: hung (in C, or with the interpreter's lock held), killed, or never reached."""
    if _late(progress, unit):
        problem = CannotKnow("common.timeout", what=unit.check.name, seconds=unit.timeout_s)
    elif progress.started_at is None:
        problem = CannotKnow("common.never_started", check=unit.check.name)
    else:
        problem = CannotKnow("common.worker_died", check=unit.check.name)
    return rows_of(unit, Outcome(cannot_know(unit.check, problem)), time.time(), 0.0)


def _worker_main(user: str, units: list[tuple[int, Unit]], write_end: int, fix: bool, check_mode: bool) -> t.NoReturn:
    """The worker's whole life. It never returns into the parent's code."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        send = _Sender(write_end)
        problem = _become(user)
        if problem is not None:
            for index, unit in units:
                send({"unit": index, "rows": rows_of(unit, Outcome(cannot_know(unit.check, problem)), time.time(), 0.0)})
        else:
            _run_units(units, send, fix, check_mode)
    finally:
        os._exit(0)


def _become(user: str) -> CannotKnow | None:
    """Drop to *user*, or say why not."""
    if not user or user == pwd.getpwuid(os.geteuid()).pw_name:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return CannotKnow("common.user_missing", user=user)
    if os.geteuid() != 0:
        return CannotKnow("common.missing_privilege", wanted=user)
    os.setgid(entry.pw_gid)
    os.initgroups(user, entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=user, LOGNAME=user)
    return None


class _Sender:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def __call__(self, event: dict[str, Json]) -> None:
        data = json.dumps(event, default=str).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]


def _run_units(units: list[tuple[int, Unit]], send: _Sender, fix: bool, check_mode: bool) -> None:
    shared = Snapshots()

    def work(index: int, unit: Unit) -> None:
        send({"unit": index})
        started_at, clock = time.time(), time.monotonic()
        ctx = RunContext({}, unit.secrets, unit.target, unit.timeout_s, shared, lambda pid: send({"child": pid}))
        outcome = _guarded(unit, ctx, fix, check_mode)
        send({"unit": index, "rows": rows_of(unit, outcome, started_at, time.monotonic() - clock)})

    todo: queue.SimpleQueue[tuple[int, Unit]] = queue.SimpleQueue()
    for entry in units:
        todo.put(entry)

    def worker_thread() -> None:
        while True:
            try:
                entry = todo.get_nowait()
            except queue.Empty:
                return
            work(*entry)

    threads = [threading.Thread(target=worker_thread, daemon=True) for _unused in range(min(THREADS, len(units)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _guarded(unit: Unit, ctx: RunContext, fix: bool, check_mode: bool) -> Outcome:
    """Run one unit; whatever it raises becomes an ``error`` of its own items."""
    try:
        # One check may have a thousand targets and its options name all of them: they are validated once.
        ctx.options = ctx.shared(f"options {unit.check.name} {id(unit.options)}", lambda: validated(unit.check, unit.options))
        return run_target(unit.check(), ctx, fix=fix, check_mode=check_mode)
    except BadOptions as bad:
        problem = CannotKnow("common.bad_option", check=unit.check.name, message=str(bad))
    except Exception as crash:  # a crash in one check is its own error and must never be another's
        problem = crashed(unit.check, crash)
    return Outcome(cannot_know(unit.check, problem))


def rows_of(unit: Unit, outcome: Outcome, started_at: float, seconds: float) -> list[Row]:
    """Return one row for each item of *unit*'s outcome; the worst of an item's assertions is its status."""
    rows = []
    for item, assertions in outcome.assertions.items():
        status = worst(a.status for a in assertions)
        first: Assertion = next(a for a in assertions if a.status == status)
        rows.append(
            {
                "item": item,
                "check": unit.check.name,
                "target": {"kind": unit.kind, "name": unit.target},
                "status": status,
                "reason": {"code": first.code, "params": dict(first.params)},
                "expected": first.expected,
                "observed": first.observed,
                "evidence": [a.evidence() for a in assertions],
                "changes": outcome.changes,
                "would_change": outcome.would_change,
                "started_at": round(started_at, 3),
                "duration_ms": round(seconds * 1000),
                "attempts": 1,
                "flaky": False,
            }
        )
    return t.cast("list[Row]", scrub(rows, unit.secrets.values()))
