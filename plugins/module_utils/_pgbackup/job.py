# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that the timer starts: one backup, carried to the second place, remembered, and told to the node exporter.

Usage: ``python3 -m golive_pgbackup.job run CONFIG``. Runs as the backup's own OS user.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import errno
import fcntl
import json
import os
import pathlib
import shutil
import sys
import time
import typing as t

from . import access, cage, engines, files, offsite, retain, trial
from .programs import Failed

Json = t.Any

#: The job ends with this when another one is at work (EX_TEMPFAIL of sysexits.h).
BUSY = 75

#: For how long a lock that somebody holds is asked for again, in seconds: who only looks whether a job is running holds it for a moment.
PATIENCE_S = 1.0

#: What a full disk, or a full quota of one, says (errno(3)).
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def lock(directory: pathlib.Path) -> t.Iterator[bool]:
    """Hold the directory's lock, or say that somebody else does. The kernel lets it go with whoever holds it, however that ends. Since when stands in it."""
    with (directory / files.LOCK).open("a") as handle:
        ours = _held(handle, time.monotonic() + PATIENCE_S)
        if ours:
            _since(handle)
        yield ours


def _since(handle: t.IO[str]) -> None:
    with contextlib.suppress(OSError):  # on a full disk too the job begins, and says what is wrong
        handle.truncate(0)
        handle.write(f"{time.time():.0f}\n")
        handle.flush()


def _held(handle: t.IO[str], until: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True


def back_up(config: t.Mapping[str, Json]) -> dict[str, Json]:
    """Do the whole job and return what the history says of it. The caller holds the lock."""
    directory = pathlib.Path(config["directory"])
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    line: dict[str, Json] = {"started_at": started.isoformat(), "ok": False, "id": None, "snapshot": None}
    try:
        sweep(directory)
        made = engines.of(config).take(config, started)
        line.update(id=made["id"], at=made["at"], archive_bytes=made["archive_bytes"], restored_bytes=made["restored_bytes"])
        line["dump_s"] = round(time.monotonic() - clock, 1)
        if config.get("offsite"):
            line["snapshot"] = offsite.send(config, made["id"], made)
        line["ok"] = True
    except Failed as problem:
        line.update(phase=problem.phase, why=str(problem), name=getattr(problem, "name", ""))
    except OSError as problem:
        line.update(_system(problem))
    line["seconds"] = round(time.monotonic() - clock, 1)
    _write_down(config, directory, line)
    if line["ok"]:
        keep(config, made["system_identifier"])
        thin(directory, int(config.get("keep_local") or 2))
    return line


def _system(problem: OSError) -> dict[str, Json]:
    """Return what the history says where the operating system refused something, as it does on a full disk."""
    what = f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem)
    return {"ok": False, "phase": "disk", "why": what, "name": "no_room" if problem.errno in NO_ROOM else ""}


def _write_down(config: t.Mapping[str, Json], directory: pathlib.Path, line: dict[str, Json]) -> None:
    """Remember the attempt, and tell the node exporter of it. One that nobody can remember did not go well, and that is told all the same."""
    earlier = files.history(directory)
    try:
        if not line["ok"]:
            sweep(directory)  # half a backup may be what fills the disk
        files.remember(directory, line)
    except OSError as problem:
        line.update(_system(problem))
    if config.get("textfile"):
        tell(pathlib.Path(config["textfile"]), [*earlier, line], config.get("overdue_s"))


def keep(config: t.Mapping[str, Json], system: str) -> None:
    """Carry the retention policy out. A backup that was made is good also where that does not work: it is written down, and the check tells it."""
    if not config.get("retention"):
        return
    try:
        retain.apply(config, system, datetime.datetime.now(datetime.UTC))
    except (Failed, OSError) as problem:
        retain.note(config, str(problem))


def force(config: t.Mapping[str, Json]) -> dict[str, Json]:
    """Carry the policy out although its breaker holds it: somebody looked, and says so by starting this."""
    with _ours(config):
        return retain.apply(config, retain.live_system(config), datetime.datetime.now(datetime.UTC), force=True)


def accept(config: t.Mapping[str, Json]) -> dict[str, Json]:
    with _ours(config):
        return engines.of(config).accept(config, datetime.datetime.now(datetime.UTC))


@contextlib.contextmanager
def _ours(config: t.Mapping[str, Json]) -> t.Iterator[None]:
    with lock(pathlib.Path(config["directory"])) as ours:
        if not ours:
            raise Failed("busy", "a backup is running")
        yield


def sweep(directory: pathlib.Path) -> None:
    """Remove what a killed job left. The lock is ours, so nobody is writing it."""
    for path in directory.glob(f"{files.PARTIAL}*"):
        shutil.rmtree(path)


def thin(directory: pathlib.Path, keep: int) -> None:
    """Keep the newest local copies; the repository keeps the others, by its own rules. Only what was carried there goes."""
    carried = {line["id"] for line in files.history(directory) if line.get("snapshot")}
    for name in files.listed(directory)[keep:]:
        if name in carried:
            shutil.rmtree(directory / name)


def tell(textfile: pathlib.Path, history: list[dict[str, Json]], overdue_s: int | None) -> None:
    """Write the node exporter's file: whole, then under its name. *overdue_s*: at what age the last good backup is to wake somebody."""
    good = [line for line in history if line["ok"]]
    last = history[-1]
    values = {
        "golive_backup_last_attempt_timestamp_seconds": moment(last["started_at"]),
        "golive_backup_last_attempt_ok": int(last["ok"]),
        "golive_backup_duration_seconds": last["seconds"],
    }
    if good:
        values["golive_backup_last_success_timestamp_seconds"] = moment(good[-1]["at"])
        values["golive_backup_size_bytes"] = good[-1]["archive_bytes"]
        values["golive_backup_database_bytes"] = good[-1]["restored_bytes"]
    if overdue_s:
        values["golive_backup_overdue_seconds"] = overdue_s
    lines = [f"# TYPE {name} gauge\n{name} {value}\n" for name, value in values.items()]
    files.publish(textfile, "".join(lines))


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


@contextlib.contextmanager
def private_files() -> t.Iterator[None]:
    """What is written meanwhile is nobody else's to read."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def main(argv: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Back up PostgreSQL with its manifest, or say what is there.")
    parser.add_argument("do", choices=sorted(DO))
    parser.add_argument("config", type=pathlib.Path)
    asked = parser.parse_args(argv)
    config = json.loads(asked.config.read_text(encoding="utf-8"))
    with private_files():
        return DO[asked.do](config)


def run(config: t.Mapping[str, Json]) -> int:
    with lock(pathlib.Path(config["directory"])) as ours:
        if not ours:
            print("another backup is running", file=sys.stderr)
            return BUSY
        line = back_up(config)
    print(json.dumps(line, default=str), file=sys.stdout if line["ok"] else sys.stderr)
    return 0 if line["ok"] else 1


def answer(ask: t.Callable[[], Json]) -> int:
    """Print what *ask* returns as JSON; a step that failed is an answer too."""
    try:
        told = ask()
    except Failed as problem:
        told = {"failed": problem.phase, "name": getattr(problem, "name", ""), "why": str(problem)}
    json.dump(told, sys.stdout, default=str)
    return 0


def drilled(order: t.Mapping[str, Json]) -> dict[str, Json]:
    """Write down how a drill of the copy ``order["id"]`` ended."""
    at = datetime.datetime.fromtimestamp(order["at"], datetime.UTC)
    retain.mark_drilled(order["config"], order["id"], at, order["verdict"])
    return {"id": order["id"]}


DO: dict[str, t.Callable[[t.Mapping[str, Json]], int]] = {
    "run": run,
    "look": lambda config: answer(lambda: engines.of(config).look(config)),
    "begin": lambda config: answer(lambda: {"made": engines.of(config).begin(config)}),
    "missing": lambda config: answer(lambda: {"statements": access.settle(config, apply=False)}),
    "stored": lambda config: answer(lambda: engines.of(config).stored(config)),
    "fetch": lambda order: answer(lambda: engines.of(order).fetch(order)),
    "cage": lambda plan: answer(lambda: cage.rehearse(plan, engines.COPIES[str(plan.get("engine") or "dump")])),
    "plan": lambda config: answer(lambda: engines.of(config).kept(config, datetime.datetime.now(datetime.UTC))),
    "force-retain": lambda config: answer(lambda: force(config)),
    "accept-lost": lambda config: answer(lambda: accept(config)),
    "drilled": lambda order: answer(lambda: drilled(order)),
    "trial": lambda plan: answer(lambda: trial.run(plan)),
    "grant": lambda config: answer(lambda: {"statements": access.settle(config, apply=True)}),
}


if __name__ == "__main__":
    sys.exit(main())
