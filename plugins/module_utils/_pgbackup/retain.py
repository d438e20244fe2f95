# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The retention policy at work: what is there, what :mod:`retention` says of it, and the removing of what it lets go.

Copies are looked for where the policy reigns: in the second place, or, where there is none, in the local directory. What was kept is written down each time, so
that a copy that disappears without us is noticed, and told until somebody has looked into it.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import os
import pathlib
import shutil
import statistics
import typing as t

from . import dump, files, forecast, manifest, offsite, retention
from .programs import Failed
from .retention import Backup, Plan, Policy

Json = t.Any

#: In the local directory: what the last run kept and removed, which copies drills brought back, which they could not ({id: when}), and which one is read.
STATE = "retention.json"
VERIFIED = "verified.json"
DAMAGED = "damaged.json"
IN_USE = "in_use.json"
PINNED = "pinned.json"

#: A drill takes no longer: systemd ends it then. One that was killed does not hold copies for ever.
DRILL_MOST = datetime.timedelta(hours=4)

#: How often is looked again when the job wrote something down meanwhile. It does so twice a run.
LOOKS = 3


def policy(config: t.Mapping[str, Json]) -> Policy:
    return Policy(**(config.get("retention") or {}))


def there(config: t.Mapping[str, Json]) -> list[Backup]:
    """Return the copies that are kept, and the last attempt if it failed. Raises :class:`offsite.Refused`."""
    directory = pathlib.Path(config["directory"])
    history = files.history(directory)
    sizes = {line["id"]: int(line.get("archive_bytes") or 0) for line in history if line.get("id")}
    verified, damaged, pinned = (_remembered(directory / name) for name in (VERIFIED, DAMAGED, PINNED))
    found = [
        Backup(
            id=name,
            time=moment(name),
            size_bytes=sizes.get(name, 0),
            state="damaged" if name in damaged else "good",
            system=system,
            verified_at=datetime.datetime.fromisoformat(verified[name]) if name in verified else None,
            pinned=name in pinned,
        )
        for name, system in sorted(_names(config).items())
    ]
    if history and not history[-1]["ok"]:
        at = datetime.datetime.fromisoformat(history[-1]["started_at"])
        found.append(Backup(id=f"attempt {history[-1]['started_at']}", time=at, state="failed"))
    return found


def _names(config: t.Mapping[str, Json]) -> dict[str, str]:
    """Return the ids of the copies where the policy reigns, each with its cluster's identifier, or an empty one where nobody wrote it down."""
    if config.get("offsite"):
        return {str(one["id"]): str(one["system_identifier"]) for one in offsite.stored(config)}
    directory = pathlib.Path(config["directory"])
    return {name: system_of(directory / name) for name in files.listed(directory)}


def system_of(folder: pathlib.Path) -> str:
    """Return the identifier of the cluster whose backup is in *folder*, or an empty one where its manifest does not say."""
    try:
        return str(files.read_manifest(folder)["system_identifier"])
    except (OSError, ValueError, KeyError):
        return ""


def moment(name: str) -> datetime.datetime:
    """Return when the backup *name* was taken: its id begins with it."""
    return datetime.datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%S%z")


def planned(config: t.Mapping[str, Json], system: str, now: datetime.datetime, backups: t.Sequence[Backup] | None = None) -> Plan:
    found = there(config) if backups is None else backups
    return retention.plan(found, policy(config), now, system=system, in_use_since=_in_use_since(config, now))


def _in_use_since(config: t.Mapping[str, Json], now: datetime.datetime) -> datetime.datetime | None:
    """Return the time of the copy that a drill reads, or None."""
    used = _remembered(pathlib.Path(config["directory"]) / IN_USE)
    if not files.ID.match(str(used.get("id", ""))) or now - datetime.datetime.fromisoformat(used["at"]) > DRILL_MOST:
        return None
    return moment(used["id"])


def remember(path: pathlib.Path, value: Json) -> None:
    """Write *value* to *path*, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")
    os.replace(fresh, path)


def _remembered(path: pathlib.Path) -> dict[str, Json]:
    try:
        return t.cast("dict[str, Json]", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def mark_in_use(config: t.Mapping[str, Json], name: str, at: datetime.datetime) -> None:
    """Write down that a drill reads the copy *name*: what it proves must not be removed before it is proven."""
    remember(pathlib.Path(config["directory"]) / IN_USE, {"id": name, "at": at.isoformat()})


def mark_drilled(config: t.Mapping[str, Json], name: str, at: datetime.datetime, verdict: str) -> None:
    """Write down how a drill of the copy *name* ended, ``pass``, ``fail`` or anything else, which says nothing of it.

    The newest copy that came back is never removed; one that did not is no copy, until a later drill brings it back.
    """
    directory = pathlib.Path(config["directory"])
    told = {"pass": (VERIFIED, DAMAGED), "fail": (DAMAGED, VERIFIED)}.get(verdict)
    if told:
        remember(directory / told[0], {**_remembered(directory / told[0]), name: at.isoformat()})
        remember(directory / told[1], {other: when for other, when in _remembered(directory / told[1]).items() if other != name})
    (directory / IN_USE).unlink(missing_ok=True)


def note(config: t.Mapping[str, Json], problem: str) -> None:
    """Write down that the policy could not be carried out, beside what the last run that could left."""
    path = pathlib.Path(config["directory"]) / STATE
    remember(path, {**_remembered(path), "problem": problem})


def apply(config: t.Mapping[str, Json], system: str, now: datetime.datetime, *, force: bool = False) -> dict[str, Json]:
    """Remove what the plan lets go, and write down what was done. Raises :class:`offsite.Refused`. The caller holds the directory's lock."""
    made = planned(config, system, now)
    doomed = [backup.id for backup in made.doomed(force=force)]
    state = pathlib.Path(config["directory"]) / STATE
    last = _remembered(state)
    lost = _lost(last, {one.backup.id for one in made.decisions}, now)
    if doomed:
        # Who looks before we are done, or after we were killed, must not take them for copies that somebody else deleted.
        remember(state, {**last, "removing": doomed})
        try:
            _remove(config, doomed)
        except offsite.Refused as problem:
            if problem.name != "locked":
                raise
            return _later(state, last, str(problem))
    done = {
        "at": now.isoformat(),
        "policy": dataclasses.asdict(policy(config)),
        "kept": sorted(backup.id for backup in [*made.kept(), *made.removed()] if backup.state != "failed" and backup.id not in doomed),
        "removed": doomed,
        "refusals": [] if force else list(made.refusals),
        "lost": lost,
    }
    remember(state, done)
    return done


def _remove(config: t.Mapping[str, Json], doomed: t.Sequence[str]) -> None:
    if config.get("offsite"):
        snapshots = {str(one["id"]): str(one["snapshot"]) for one in offsite.stored(config)}
        offsite.locking(config, "forget", "--prune", *(snapshots[name] for name in doomed if name in snapshots))
        return
    for name in doomed:
        shutil.rmtree(pathlib.Path(config["directory"]) / name)


def _later(state: pathlib.Path, last: t.Mapping[str, Json], why: str) -> dict[str, Json]:
    """Somebody reads the repository, a drill as a rule, and nothing was removed: the next run does it. Where none can for a day, the check tells."""
    waits = {**{name: value for name, value in last.items() if name not in ("removing", "problem")}, "waits": why}
    remember(state, waits)
    return {"removed": [], "refusals": [], **waits}


def _lost(last: t.Mapping[str, Json], there: t.Collection[str], now: datetime.datetime) -> dict[str, str]:
    """Return what somebody else deleted, by id, and when that was noticed. Time does not mend it: :func:`accept` does."""
    noticed = last.get("lost", {})
    return {name: noticed.get(name, now.isoformat()) for name in sorted(retention.lost(last, there))}


def accept(config: t.Mapping[str, Json], now: datetime.datetime) -> dict[str, Json]:
    """Stop telling of copies that are gone: somebody found out why, and says so by starting this. Returns them. The caller holds the directory's lock."""
    state = pathlib.Path(config["directory"]) / STATE
    last, present = _remembered(state), {one.id for one in there(config)}
    remember(state, {**last, "kept": [name for name in last.get("kept", ()) if name in present], "lost": {}})
    return {"accepted": _lost(last, present, now)}


def told(config: t.Mapping[str, Json], now: datetime.datetime) -> dict[str, Json]:
    """Return the plan, the last run and the forecast as plain JSON, all of one moment. Removes nothing. Raises :class:`Failed`."""
    directory = pathlib.Path(config["directory"])
    for _look in range(LOOKS):
        before = _written(directory)
        seen = _told(config, now)
        if _written(directory) == before:
            return seen
    raise Failed("look", f"the backup job wrote down something new each of the {LOOKS} times that it was looked at; look again when it is done")


def _written(directory: pathlib.Path) -> list[int]:
    """Return what changes with everything that the job writes down: copies listed before it and a state read after it are no pair."""
    return [path.stat().st_mtime_ns for path in (directory / files.HISTORY, directory / STATE) if path.exists()]


def _told(config: t.Mapping[str, Json], now: datetime.datetime) -> dict[str, Json]:
    backups = there(config)
    made = planned(config, live_system(config), now, backups)
    directory = pathlib.Path(config["directory"])
    history = files.history(directory)
    starts = [datetime.datetime.fromisoformat(line["started_at"]) for line in history]
    ahead = forecast.forecast(backups, policy(config), now, interval_h(starts))
    return {
        "now": now.isoformat(),
        "policy": dataclasses.asdict(policy(config)) if config.get("retention") else None,
        "lines": made.lines(),
        "decisions": [
            {"id": one.backup.id, "at": one.backup.time.isoformat(), "keep": one.keep, "reasons": list(one.reasons), "state": one.backup.state}
            for one in made.decisions
        ],
        "refusals": list(made.refusals),
        "last": _remembered(directory / STATE),
        "first": min([*(one.time.isoformat() for one in backups), *(start.isoformat() for start in starts[:1])], default=None),
        "forecast": dataclasses.asdict(ahead),
        "here": _here(config, ahead, history),
    }


def _here(config: t.Mapping[str, Json], ahead: forecast.Forecast, history: t.Sequence[t.Mapping[str, Json]]) -> dict[str, Json]:
    """Return what this host's disk will hold, ``{copies, bytes}``, what it holds, and what is free: all copies, or the last ones and the one that is made."""
    directory = pathlib.Path(config["directory"])
    room = os.statvfs(directory)
    free = {"free_bytes": room.f_bavail * room.f_frsize}
    if not config.get("offsite"):
        return {"copies": ahead.copies, "bytes": ahead.bytes, "bytes_now": ahead.bytes_now, **free}
    copies, names = int(config.get("keep_local") or 2) + 1, set(files.listed(directory))
    now = sum(int(line.get("archive_bytes") or 0) for line in history if line.get("id") in names)
    return {"copies": copies, "bytes": copies * ahead.copy_bytes, "bytes_now": now, **free}


def interval_h(starts: t.Sequence[datetime.datetime]) -> float:
    """Return how many hours lie between two backups, as a rule. One that was started by hand does not change it."""
    gaps = [(later - sooner).total_seconds() / 3600 for sooner, later in itertools.pairwise(starts[-20:])]
    return max(statistics.median(gaps), 0.25) if gaps else 24.0


def live_system(config: t.Mapping[str, Json]) -> str:
    """Return the identifier of the cluster that is backed up: a copy of another one is not ours to remove. Raises :class:`Failed`."""
    with dump.connect(config) as session:
        return str(manifest.row(session, "select system_identifier::text as id from pg_control_system()")["id"])
