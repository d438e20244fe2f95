# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups pgBackRest keeps, and which it had: its settings say what it would remove, not what somebody else did (a person, a bucket's lifecycle rule).

The job writes down every backup that it sees. pgBackRest removes a full one, with all that builds on it, by its age alone: what is younger and gone went
without it.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

from . import files, pgbackrest, retain
from .programs import Failed

Json = t.Any
Config = t.Mapping[str, Json]

#: In the local directory: ``{first, known: {label: when the full one that it belongs to ended}}``, in seconds since the epoch.
STATE = "labels.json"

#: The newest so many are remembered: more than half a year of hourly ones.
REMEMBERED = 5000

#: What pgBackRest says of a stanza of which it can list the backups, or that there are none.
LISTED = (0, 1, 2, 3)


def note(config: Config, stanza: t.Mapping[str, Json]) -> None:
    """Write the backups of *stanza* down, beside those that were there before."""
    state = _read(config)
    known = {**state.get("known", {}), **_fulls(stanza)}
    newest = sorted(known, key=lambda label: (known[label], label))[-REMEMBERED:]
    retain.remember(_path(config), {"first": _first(state, known.values()), "known": {label: known[label] for label in newest}})


def kept(config: Config, now: datetime.datetime) -> dict[str, Json]:
    """Return what is there and what was, as plain JSON. Changes nothing. Raises :class:`Failed`.

    ``first`` is since when there have been backups, ``known`` is None where the job never wrote it down, ``interval_s`` how far apart they are meant to be.
    """
    stanza, _unknown = pgbackrest.info(config)
    if stanza["status"]["code"] not in LISTED:
        name, words = pgbackrest.state(stanza)
        raise Failed(name, words)
    state, there = _read(config), _there(config, stanza)
    started = [datetime.datetime.fromisoformat(line["started_at"]).timestamp() for line in files.history(pathlib.Path(config["directory"]))[:1]]
    return {
        "now": now.timestamp(),
        "backups": there,
        "known": state.get("known"),
        "first": _first(state, [*there.values(), *started]),
        "interval_s": min(float(period) for period in config["periods"].values()),
    }


def accept(config: Config, now: datetime.datetime) -> dict[str, Json]:
    """Forget the backups that are gone: somebody found out why, and says so by starting this. Returns them. The caller holds the directory's lock."""
    state, there = _read(config), kept(config, now)["backups"]
    gone = {label: at for label, at in state.get("known", {}).items() if label not in there}
    retain.remember(_path(config), {**state, "known": {label: at for label, at in state.get("known", {}).items() if label in there}})
    return {"accepted": gone}


def _there(config: Config, stanza: t.Mapping[str, Json]) -> dict[str, float]:
    """Return when each backup that can be restored ended: it is listed, its folder is there, and so are those of what it builds on."""
    needs = _needs(stanza)
    missing = set().union(*needs.values()) - pgbackrest.folders(config) if needs else set()
    if missing:
        # Between the two questions pgBackRest may have expired them.
        needs = {label: of for label, of in _needs(pgbackrest.info(config)[0]).items() if label in needs}
    stops = _stops(stanza)
    return {label: stops[label] for label, of in needs.items() if not of & missing}


def _needs(stanza: t.Mapping[str, Json]) -> dict[str, set[str]]:
    """Return the labels that each good backup is made of, its own among them."""
    return {str(one["label"]): {str(one["label"]), *(one.get("reference") or ())} for one in stanza["backup"] if not one.get("error")}


def _stops(stanza: t.Mapping[str, Json]) -> dict[str, float]:
    return {str(one["label"]): float(one["timestamp"]["stop"]) for one in stanza["backup"]}


def _fulls(stanza: t.Mapping[str, Json]) -> dict[str, float]:
    """Return for each label when its full backup ended. A label begins with its full one's."""
    stops = _stops(stanza)
    return {label: stops.get(label.partition("_")[0], stops[label]) for label in _needs(stanza)}


def _first(state: t.Mapping[str, Json], moments: t.Iterable[float]) -> float | None:
    return min([*moments, *([state["first"]] if state.get("first") else [])], default=None)


def _path(config: Config) -> pathlib.Path:
    return pathlib.Path(config["directory"]) / STATE


def _read(config: Config) -> dict[str, Json]:
    try:
        return t.cast("dict[str, Json]", json.loads(_path(config).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
